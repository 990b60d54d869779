"""Edges, consumers and exporter as processes, each with a separate user and configuration."""

import contextlib
import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from consumers.rights.needed import process_rights
from router.broker.rights import Right
from router.configuration.settings import load_settings
from router.evaluation.data_dir import DataDir
from router.evaluation.system import probe
from router.providers import examples
from tests.parts.dev_process import Place, Said
from tests.parts.monitoring.system import CONSUMERS, Program, started
from tests.parts.ports import free_ports
from tests.parts.rights.broker import MECHANISM, StrictKafka
from tests.parts.waiting import until

SECOND_EDGE: Final = "second edge"
PROGRAMS: Final[Mapping[str, Sequence[str]]] = {
    "edge": ("edge",),
    SECOND_EDGE: ("edge",),
    **{name: ("consume", name) for name in CONSUMERS},
    "exporter": ("exporter",),
}
USERS: Final = ("edge", *CONSUMERS, "exporter", "topics", "operator")
"""The processes of the table; both edges are one of them."""

PREFIX: Final = "shop."


@dataclass
class Deployment:
    """The deployment, whose configurations are `NAME.toml` in its folder."""

    place: Place
    kafka: StrictKafka
    database_url: str
    passwords: Mapping[str, str] = field(repr=False)
    ports: Mapping[str, int]
    running: dict[str, Program] = field(default_factory=dict)

    def configure(self) -> None:
        """Write the configuration of every process, and of both kinds of operators."""
        generated = DataDir(self.place.data_dir).generate(examples()).read_text()
        generated = generated.partition("[consumers.")[0]
        for name in (*PROGRAMS, "topics", "operator"):
            text = generated + self._own(name)
            (self.place.folder / f"{name}.toml").write_text(text, encoding="utf-8")

    def _own(self, name: str) -> str:
        user = "edge" if name == SECOND_EDGE else name
        edge = SECOND_EDGE if name == SECOND_EDGE else "edge"
        consumers = "".join(
            f"[consumers.{each}]\nmanagement_port = {self.ports[each]}\n"
            "retry_longest_seconds = 0.5\nsession_timeout_seconds = 6\n"
            "transaction_timeout_seconds = 3\n"
            for each in CONSUMERS
        )
        return f"""
[edge]
port = {self.ports[f"{edge} webhooks"]}
public_url = "https://pay.example.com"
management_port = {self.ports[edge]}
[kafka]
bootstrap_servers = "{self.kafka.bootstrap}"
security_protocol = "SASL_PLAINTEXT"
sasl_mechanism = "{MECHANISM}"
sasl_username = "{user}"
sasl_password = "{self.passwords[user]}"
[database]
url = "{self.database_url}"
[topics]
prefix = "{PREFIX}"
partitions = 2
replication_factor = 1
min_insync_replicas = 1
check_seconds = 1
[log]
format = "json"
[exporter]
management_port = {self.ports["exporter"]}
every_seconds = 1
{consumers}"""

    def command(self, name: str, *words: str) -> Said:
        """Run a command as the user of a process."""
        return self.place.quick(*words, "--config", f"{name}.toml")

    def doctor(self, name: str) -> Sequence[Mapping[str, str]]:
        """Return what doctor finds of the broker for a process that is not well."""
        words = ("doctor", "--process", name, "--only", "broker", "--json")
        found = json.loads(self.command(name, *words).stdout)
        return [each for each in found if each["state"] != "ok"]

    def rights(self) -> Mapping[str, Sequence[Right]]:
        """Return the table of this configuration, each process as its own user."""
        settings = load_settings(self.place.folder / "operator.toml", {})
        return process_rights(settings, lambda process: f"User:{process}")

    def start(self) -> None:
        """Start every process, and wait until each is ready."""
        for name, words in PROGRAMS.items():
            config = ("--config", f"{name}.toml")
            self.running[name] = started(self.place, name, [*words, *config])
        for name in PROGRAMS:
            until(partial(self._is_ready, name), f"{name} ready")

    def _is_ready(self, name: str) -> bool:
        return self.ready(name)[0]

    def ready(self, name: str) -> tuple[bool, str]:
        """Return whether a process is ready, and the text of its probe."""
        program = self.running[name]
        assert program.process.poll() is None, f"{name} has ended: {program.log.read_text()}"
        return probe(f"http://127.0.0.1:{self.ports[name]}/readyz")


@contextlib.contextmanager
def deployed(
    place: Place, kafka: StrictKafka, database_url: str, passwords: Mapping[str, str]
) -> Iterator[Deployment]:
    """Grant the rights of the table, set everything up, and run it while the block does."""
    webhooks = [f"{edge} webhooks" for edge in ("edge", SECOND_EDGE)]
    made = Deployment(place, kafka, database_url, passwords, free_ports([*PROGRAMS, *webhooks]))
    made.configure()
    kafka.grant(right for own in made.rights().values() for right in own)
    try:
        for words in (("topics", "apply"), ("db", "upgrade")):
            said = made.command("topics", *words)
            assert said.returncode == 0, said.stderr
        made.start()
        yield made
    finally:
        for program in made.running.values():
            program.process.terminate()
        for program in made.running.values():
            program.end(signal.SIGKILL)
        place.close()
