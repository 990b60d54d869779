"""Three Apache Kafka nodes, each broker and controller: one may be away, and nothing is lost."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from confluent_kafka import TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.ports import free_port
from tests.parts.troubles.topics import admin
from tests.parts.whole_chaos.plan import BROKERS

_SECONDS: Final = 20.0
_REPLICATED: Final = {
    "process.roles": "broker,controller",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "unclean.leader.election.enable": "false",
}


@dataclass(frozen=True)
class ThreeBrokers:
    """A running cluster; its nodes are killed, frozen and restarted by their names."""

    nodes: Mapping[str, ApacheKafka]

    @property
    def bootstrap(self) -> str:
        """The addresses of all nodes."""
        return ",".join(node.bootstrap for node in self.nodes.values())

    def ends(self, topics: Sequence[str]) -> Mapping[tuple[str, int], int]:
        """Return where the logs of topics end, by topic and partition."""
        client = admin(self.bootstrap)
        found = client.list_topics(timeout=_SECONDS).topics
        places = [
            TopicPartition(name, number)
            for name in topics
            if name in found
            for number in found[name].partitions
        ]
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = client.list_offsets(dict.fromkeys(places, latest), request_timeout=_SECONDS)
        ends = {place: each.result(_SECONDS).offset for place, each in asked.items()}
        return {(place.topic, place.partition): end for place, end in ends.items()}

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has."""
        client = admin(self.bootstrap)
        return len(client.list_topics(topic, timeout=_SECONDS).topics[topic].partitions)


@contextlib.contextmanager
def three_brokers() -> Iterator[ThreeBrokers]:
    """Run the cluster while the block does."""
    controllers = [free_port() for _ in BROKERS]
    voters = ",".join(f"{at}@127.0.0.1:{port}" for at, port in enumerate(controllers, 1))
    nodes: list[ApacheKafka] = []
    try:
        for at, port in enumerate(controllers, 1):
            own = {**_REPLICATED, **_of_node(at, port), "controller.quorum.voters": voters}
            nodes.append(ApacheKafka(own, joins=nodes[0] if nodes else None))
        # None is ready before a second one runs.
        with ThreadPoolExecutor(len(nodes)) as starting:
            list(starting.map(ApacheKafka.start, nodes))
        yield ThreeBrokers(dict(zip(BROKERS, nodes, strict=True)))
    finally:
        for node in nodes:
            node.destroy()


def _of_node(number: int, controller: int) -> Mapping[str, str]:
    return {
        "node.id": str(number),
        "listeners": f"PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{controller}",
    }
