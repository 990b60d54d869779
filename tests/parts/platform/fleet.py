"""The pods as processes: what they report, and what `doctor` finds for them."""

import contextlib
import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from router.evaluation.system import probe
from tests.parts.dev_process import Said
from tests.parts.monitoring.system import CONSUMERS, Program, started
from tests.parts.platform.pods import Pod
from tests.parts.waiting import until

_RESTARTED_SECONDS: Final = 20.0
"""How long a command may fail that waits for others."""

JOBS: Final = ("topics", "migrations")
RUN: Final = ("edge", *CONSUMERS, "exporter")
"""Components with processes, in the order in which they are started."""

AREAS: Final[Mapping[str, Sequence[str]]] = {
    "edge": ("endpoints", "broker"),
    **dict.fromkeys(CONSUMERS, ("broker", "stores")),
}
"""What doctor checks for a component; the broker alone for another one."""


@dataclass
class Fleet:
    """Every pod, and the processes that run."""

    pods: Sequence[Pod]
    running: dict[str, Program] = field(default_factory=dict)

    def of(self, *components: str) -> list[Pod]:
        """Return the pods of components."""
        return [pod for pod in self.pods if pod.component in components]

    def run_job(self, component: str) -> None:
        """Run a job to its end."""
        (pod,) = self.of(component)
        _succeed(pod.name, lambda: pod.main.place.run(*pod.main.args))

    def start(self, component: str) -> None:
        """Start the processes of a component, each after the container before it."""
        for pod in self.of(component):
            if pod.doctor is not pod.main:
                _succeed(pod.name, partial(pod.doctor.place.quick, *pod.doctor.args))
            self.running[pod.name] = started(pod.main.place, pod.name, pod.main.args)

    def await_ready(self) -> None:
        """Wait until every process is ready."""
        for pod in self.of(*RUN):
            until(partial(self.is_whole, pod), f"{pod.name} ready")

    def ready(self, pod: Pod) -> tuple[bool, str]:
        """Return whether a process is ready, and the text of its probe."""
        program = self.running[pod.name]
        assert program.process.poll() is None, f"{pod.name} has ended: {program.log.read_text()}"
        return probe(f"http://127.0.0.1:{pod.ports['management']}/readyz")

    def is_whole(self, pod: Pod) -> bool:
        """Return whether a process is ready and lacks nothing."""
        good, detail = self.ready(pod)
        return good and "may not" not in detail

    def written(self, pod: Pod) -> int:
        """Return how many bytes a process has logged."""
        return self.running[pod.name].log.stat().st_size

    def log_since(self, pod: Pod, begin: int) -> str:
        """Return what a process has logged after these bytes."""
        with self.running[pod.name].log.open("rb") as log:
            log.seek(begin)
            return log.read().decode(errors="replace")

    def doctor(self, pod: Pod, *areas: str) -> Said:
        """Check what the process of a pod needs, as its own user."""
        only = [word for area in areas for word in ("--only", area)]
        return pod.doctor.place.quick("doctor", "--process", pod.component, *only, "--json")

    def ailments(self, pod: Pod, *areas: str) -> list[str]:
        """Return what doctor finds that is not well."""
        found = json.loads(self.doctor(pod, *areas).stdout)
        return [each["found"] for each in found if each["state"] != "ok"]


def _succeed(name: str, command: Callable[[], Said]) -> None:
    """Run a command until it succeeds, as Kubernetes does; fail with its last output."""
    deadline = time.monotonic() + _RESTARTED_SECONDS
    while True:
        said = command()
        if said.returncode == 0:
            return
        assert time.monotonic() < deadline, f"{name}: {said.stdout}{said.stderr}"


@contextlib.contextmanager
def fleet(pods: Sequence[Pod]) -> Iterator[Fleet]:
    """End what was started with the block."""
    made = Fleet(pods)
    try:
        yield made
    finally:
        for program in made.running.values():
            if program.process.poll() is None:
                program.process.terminate()
        for program in made.running.values():
            program.end(signal.SIGKILL)
        for pod in pods:
            pod.main.place.close()
            pod.doctor.place.close()
