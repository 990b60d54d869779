"""Three Apache Kafka brokers with TLS and SCRAM, which deny everything that no list allows."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.parts.edge.certificates import write_pair
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.kafka.guarded import AUTHORIZED, listening, set_scram
from tests.parts.ports import free_port
from tests.parts.rights.broker import MECHANISM, AccessLists

BROKERS: Final = 3
_PROTOCOL: Final = "SASL_SSL"
_LISTENER: Final = "listener.name.sasl_ssl"

_REPLICATED: Final = {
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "min.insync.replicas": "2",
}


@dataclass(frozen=True)
class Brokers:
    """A running cluster."""

    nodes: tuple[ApacheKafka, ...]
    bootstrap: str
    """The addresses where users sign in."""
    authority: str
    """The certificate that clients trust."""
    lists: AccessLists

    @property
    def open_bootstrap(self) -> str:
        """The addresses where everyone may do everything."""
        return ",".join(node.bootstrap for node in self.nodes)


@contextlib.contextmanager
def brokers(folder: Path, passwords: Mapping[str, str]) -> Iterator[Brokers]:
    """Run the cluster while the block does, with these users."""
    certificate, key = folder / "kafka.crt", folder / "kafka.key"
    write_pair(certificate, key, "kafka")
    chain = folder / "kafka.pem"
    chain.write_text(key.read_text() + certificate.read_text())
    ports = [free_port() for _ in range(BROKERS)]
    nodes: list[ApacheKafka] = []
    try:
        for number, port in enumerate(ports, 1):
            own = _properties(number, port, chain)
            nodes.append(ApacheKafka(own, joins=nodes[0] if nodes else None))
            nodes[-1].start()
        set_scram(nodes[0].bootstrap, MECHANISM, passwords)
        bootstrap = ",".join(f"localhost:{port}" for port in ports)
        lists = AccessLists(nodes[0].bootstrap)
        yield Brokers(tuple(nodes), bootstrap, certificate.read_text(), lists)
    finally:
        for node in nodes:
            node.destroy()


def _properties(number: int, port: int, chain: Path) -> dict[str, str]:
    first = number == 1
    return {
        **listening(MECHANISM, f"127.0.0.1:{port}", _PROTOCOL, controls=first),
        **_REPLICATED,
        "authorizer.class.name": AUTHORIZED["authorizer.class.name"],
        "super.users": AUTHORIZED["super.users"],
        "node.id": str(number),
        f"{_LISTENER}.ssl.keystore.type": "PEM",
        f"{_LISTENER}.ssl.keystore.location": str(chain),
        f"{_LISTENER}.{MECHANISM.lower()}.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }
