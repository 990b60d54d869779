"""The whole system as processes of their own: what an operator starts, with what he writes."""

import contextlib
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from router.evaluation.data_dir import DataDir
from router.providers import examples
from tests.parts.dev_process import Place
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.leash import Leash
from tests.parts.ports import free_ports
from tests.parts.waiting import until

CONSUMERS: Final = ("ledger", "inventory", "notifications")
PROGRAMS: Final[Mapping[str, Sequence[str]]] = {
    "edge": ("edge",),
    **{name: ("consume", name) for name in CONSUMERS},
    "exporter": ("exporter",),
}
MOST_UNPROVED: Final = 64
"""`[edge] max_unproved`: few enough for one test to use them up."""

SECOND_EDGE: Final = "second edge"
"""An edge that is started later, with the same configuration."""

JOBS: Final[Mapping[str, Sequence[str]]] = {
    "payrouter-edge": ("edge",),
    "payrouter-consumer": CONSUMERS,
    "payrouter-exporter": ("exporter",),
}


@dataclass
class Program:
    """A process of the system, with what it has written so far."""

    process: subprocess.Popen[bytes]
    log: Path
    leash: Leash

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Signal it, wait for its end, and insist when that takes long."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.leash.release()


@dataclass
class System:
    """Edge, three consumers and exporter before a broker and a database of the test's own."""

    place: Place
    kafka: ApacheKafka
    database_url: str
    ports: Mapping[str, int]
    running: dict[str, Program] = field(default_factory=dict)

    @property
    def edge_url(self) -> str:
        """Where gateways deliver."""
        return f"http://127.0.0.1:{self.ports['webhooks']}"

    def target(self, name: str) -> str:
        """Return the address at which a process serves its metrics."""
        return f"127.0.0.1:{self.ports[name]}"

    def start(self, *names: str) -> None:
        """Start some of the processes and wait until each reports that it is ready."""
        for name in names:
            self.running[name] = started(self.place, name, PROGRAMS[name])
        for name in names:
            until(partial(self.ready, name), f"{name} ready")

    def start_second_edge(self, **variables: str) -> None:
        """Start another edge, with something configured otherwise; it need not become ready."""
        own = {
            "PAYROUTER_EDGE__PORT": "0",
            "PAYROUTER_EDGE__MANAGEMENT_PORT": str(self.ports[SECOND_EDGE]),
        }
        self.running[SECOND_EDGE] = started(self.place, SECOND_EDGE, ["edge"], **own, **variables)

    def stop(self, name: str) -> None:
        """Stop a process as an operator would."""
        self.running.pop(name).end()

    def ready(self, name: str) -> bool:
        """Ask a process whether it is ready."""
        program = self.running[name]
        assert program.process.poll() is None, f"{name} has ended: {program.log.read_text()}"
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://{self.target(name)}/readyz", timeout=5) as response,
        ):
            return bool(response.status == 200)
        return False


@contextlib.contextmanager
def system(folder: Path, kafka: ApacheKafka, database_url: str, more: str) -> Iterator[System]:
    """Run it all while the block does, with an endpoint for every gateway; `more` is TOML."""
    place = Place(folder)
    ports = free_ports(["webhooks", SECOND_EDGE, *PROGRAMS])
    _configure(place, kafka.bootstrap, database_url, ports, more)
    made = System(place, kafka, database_url, ports)
    try:
        for command in (("topics", "apply"), ("db", "upgrade")):
            said = place.run(*command)
            assert said.returncode == 0, said.stderr
        made.start(*PROGRAMS)
        yield made
    finally:
        for program in made.running.values():
            if program.process.poll() is None:
                program.process.terminate()
        for program in made.running.values():
            program.end(signal.SIGKILL)
        shutil.rmtree(place.data_dir, ignore_errors=True)


_CONSUMERS = "[consumers."


def _configure(
    place: Place, bootstrap: str, database_url: str, ports: Mapping[str, int], more: str
) -> None:
    generated = DataDir(place.data_dir).generate(examples()).read_text()
    if _CONSUMERS in more:
        # TOML allows each table only once.
        generated = generated.partition(_CONSUMERS)[0]
    own = f"""
[edge]
port = {ports["webhooks"]}
public_url = "https://pay.example.com"
management_port = {ports["edge"]}
max_unproved = {MOST_UNPROVED}
[kafka]
bootstrap_servers = "{bootstrap}"
[database]
url = "{database_url}"
[topics]
partitions = 2
replication_factor = 1
min_insync_replicas = 1
check_seconds = 1
[log]
format = "json"
"""
    text = generated + own + more
    for name in [name for name in ("exporter", *CONSUMERS) if name in ports]:
        table = name if name == "exporter" else f"consumers.{name}"
        line = f"[{table}]\n"
        text = text if line in text else text + line
        text = text.replace(line, f"{line}management_port = {ports[name]}\n")
    (place.folder / "payrouter.toml").write_text(text)


def started(place: Place, name: str, words: Sequence[str], **variables: str) -> Program:
    """Start a process that logs to a file of its name."""
    log = place.folder / f"{name}.log"
    command = place.command(*words)
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            cwd=place.folder,
            env={**place.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    return Program(process, log, Leash(process.pid, "KILL"))
