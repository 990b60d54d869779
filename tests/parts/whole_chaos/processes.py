"""The processes of a chaos run: two edges, three instances of each consumer."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from router.evaluation.system import probe
from tests.parts.dev_process import Place
from tests.parts.leash import Leash
from tests.parts.ports import free_port
from tests.parts.source import ROOT
from tests.parts.tls_postgres import programs
from tests.parts.waiting import until
from tests.parts.whole_chaos.plan import EDGES, MEMBERS

FAKED_TIME: Final = "faketime/libfaketime.so.1"
_LIBRARIES: Final = Path("/usr/lib")
_END_SECONDS: Final = 60.0
_TAIL: Final = 15
_NAMES: Final = (*EDGES, *MEMBERS)


def faked_time() -> Path | None:
    """Return the library that shifts the clock of a process; None if it is not installed."""
    return next(iter(sorted(_LIBRARIES.glob(f"*/{FAKED_TIME}"))), None)


def missing() -> str | None:
    """Return why a chaos run is not possible here, or None if it is."""
    if programs() is None:
        return "no PostgreSQL (Debian: apt install postgresql)"
    return None if faked_time() else "no libfaketime (Debian: apt install faketime)"


@dataclass
class Instance:
    """One process by its name: how it is started, and its running process."""

    name: str
    folder: Path
    without: str | None
    """The guard that is taken out of it."""
    ports: Mapping[str, int]
    variables: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    ended: list[int] = field(default_factory=list)
    """Exit statuses of processes that ended by themselves."""
    _leash: Leash | None = None

    @property
    def component(self) -> str:
        """The consumer, or `edge`."""
        return self.name.rpartition("-")[0]

    @property
    def log(self) -> Path:
        """What it has logged."""
        return self.folder / f"{self.name}.log"

    def start(self, clock: str | None = None) -> None:
        """Start it, with its clock shifted by so many seconds if one is given."""
        program = ["tests.parts.whole_chaos.without", self.without] if self.without else []
        words = ["edge"] if self.component == "edge" else ["consume", self.component]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *(program or ["consumers"]), *words],
                cwd=self.folder,
                env={**_environment(self.folder), **self.variables, **_shifted(clock)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._leash = Leash(self.process.pid)

    def kill(self) -> None:
        """Kill it at once."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and wait; it has to end in order."""
        status = self._end(signal.SIGTERM)
        assert status == 0, f"{self.name} ended with {status}: {self.tail()}"

    def pause(self) -> None:
        """Freeze it: its connections stay open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue it."""
        self._signal(signal.SIGCONT)

    def restart_if_ended(self) -> None:
        """Start it again if it has ended by itself, as a supervisor does."""
        if self.process is not None and self.process.poll() is not None:
            self.ended.append(self.process.returncode)
            self._end(signal.SIGKILL)
            self.start()

    def ask_to_end(self) -> None:
        """Ask it to end, without waiting."""
        self._signal(signal.SIGTERM)

    def end(self) -> None:
        """Wait for its end, and insist when that takes long."""
        self._end(signal.SIGTERM)

    def ready(self) -> tuple[bool, str]:
        """Return whether it is ready, and the text of its probe."""
        return probe(f"http://127.0.0.1:{self.ports['management']}/readyz")

    def measured(self, *names: str) -> float | None:
        """Return the sum of metrics, 0 for those that it has not; None if it does not answer."""
        good, text = probe(f"http://127.0.0.1:{self.ports['management']}/metrics")
        if not good:
            return None
        families = text_string_to_metric_families(text)
        return sum(each.value for of in families for each in of.samples if each.name in names)

    def tail(self) -> str:
        """Return the last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(line[:2000] for line in lines[-_TAIL:])

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def _end(self, number: signal.Signals) -> int | None:
        if self.process is None or self._leash is None:
            return None
        self._signal(number)
        try:
            status = self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = -1
        self._leash.release()
        self.process = None
        return status


def _variables(name: str, folder: Path, ports: Mapping[str, int], spooled: bool) -> dict[str, str]:  # noqa: FBT001 - of this module
    component, port = name.rpartition("-")[0], str(ports["management"])
    if component == "edge":
        own = {"PAYROUTER_SPOOL__PATH": str(folder / f"spool-{name}")} if spooled else {}
        own["PAYROUTER_EDGE__PORT"] = str(ports["webhooks"])
        return {**own, "PAYROUTER_EDGE__MANAGEMENT_PORT": port}
    table = f"PAYROUTER_CONSUMERS__{component.upper()}"
    return {f"{table}__MANAGEMENT_PORT": port, f"{table}__INSTANCE_ID": name}


def _environment(folder: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if "PAYROUTER" not in name}
    return {**own, "PYTHONPATH": str(ROOT), "PAYROUTER_CONFIG": str(folder / "payrouter.toml")}


def _shifted(clock: str | None) -> Mapping[str, str]:
    if clock is None:
        return {}
    library = faked_time()
    assert library is not None, "no libfaketime (Debian: apt install faketime)"
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{int(clock):+d}",
        # The clock of an event loop is not that of a machine's date.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


@dataclass(frozen=True)
class Crew:
    """All processes by name."""

    place: Place
    members: Mapping[str, Instance]

    def of(self, component: str) -> Sequence[Instance]:
        """Return the instances of a component."""
        return [each for each in self.members.values() if each.component == component]

    def run(self, *arguments: str) -> str:
        """Run a command in a process that is shared by all, and return what it printed."""
        done = self.place.quick(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self) -> None:
        """Start all of them and wait until each is ready."""
        for each in self.members.values():
            each.start()
        self.await_ready()

    def await_ready(self) -> None:
        """Wait until each is ready."""
        for each in self.members.values():
            until(lambda each=each: each.ready()[0], f"{each.name} ready: {each.log}")  # type: ignore[misc]

    def mind(self) -> None:
        """Start again what has ended by itself."""
        for each in self.members.values():
            each.restart_if_ended()

    def said(self) -> str:
        """Return what each reports, and the last lines of those that are not ready."""
        found = []
        for each in self.members.values():
            good, detail = each.ready()
            found.append(f"{each.name}: {'ready' if good else 'not ready'}: {detail}")
            found += [] if good else [each.tail()]
        return "\n".join(found)

    def end(self) -> None:
        """Ask all to end at once; kill those that do not."""
        for each in self.members.values():
            each.resume()
            each.ask_to_end()
        for each in self.members.values():
            each.end()


@contextlib.contextmanager
def crew(folder: Path, without: str | None, *, spooled: bool) -> Iterator[Crew]:
    """End what was started with the block; edges have spools if `spooled`."""
    place = Place(folder, {"PAYROUTER_CONFIG": str(folder / "payrouter.toml")})
    made = Crew(place, {name: _instance(name, folder, without, spooled) for name in _NAMES})
    try:
        yield made
    finally:
        made.end()
        place.close()


def _instance(name: str, folder: Path, without: str | None, spooled: bool) -> Instance:  # noqa: FBT001 - of this module
    ports = {"management": free_port()}
    if name in EDGES:
        ports["webhooks"] = free_port()
    return Instance(name, folder, without, ports, _variables(name, folder, ports, spooled))
