"""Kafka for the tests: a given one, Apache Kafka started here, or the evaluation broker."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient

from router.broker.topics.changing import touch
from router.evaluation.embedded import EvaluationBroker
from tests.parts.environment import Wishes
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.kafka.libraries import KafkaUnavailableError, kafka_version, libraries

EVALUATION_PARTITIONS: Final = 4
"""What the evaluation broker gives every topic."""


class NoRealKafkaError(Exception):
    """A real Kafka is demanded and there is none."""


@dataclass(frozen=True)
class Choice:
    """The Kafka chosen for this run, not yet started."""

    description: str
    real: bool
    bootstrap: str | None = None


@dataclass(frozen=True)
class Broker:
    """The Kafka of this run, shared by all its tests."""

    bootstrap: str
    description: str
    real: bool
    """Whether it is an Apache Kafka, or the evaluation broker."""
    logs: Path | None = None
    """Folder of its logs, if the tests started it."""


def choose(wishes: Wishes) -> Choice:
    """Choose, and bring what the choice needs; in CI only a real Kafka will do."""
    if wishes.bootstrap_servers:
        return Choice(
            "Kafka at KAFKA_BOOTSTRAP_SERVERS", real=True, bootstrap=wishes.bootstrap_servers
        )
    missing = "PAYROUTER_TEST_BROKER=evaluation"
    if wishes.broker != "evaluation":
        try:
            libraries()
        except KafkaUnavailableError as reason:
            missing = str(reason)
        else:
            return Choice(f"Apache Kafka {kafka_version()}", real=True)
    if wishes.ci:
        message = f"CI demands a real Kafka, and there is none: {missing}"
        raise NoRealKafkaError(message)
    return Choice(f"the evaluation broker ({missing})", real=False)


@contextmanager
def started(choice: Choice) -> Iterator[Broker]:
    """Run the chosen Kafka for the length of a with statement."""
    if choice.bootstrap is not None:
        yield Broker(choice.bootstrap, choice.description, real=True)
    elif choice.real:
        with own_apache_kafka() as kafka:
            yield Broker(kafka.bootstrap, choice.description, real=True, logs=kafka.logs)
    else:
        with EvaluationBroker() as bootstrap:
            yield Broker(bootstrap, choice.description, real=False)


@contextmanager
def own_apache_kafka() -> Iterator[ApacheKafka]:
    """Run an Apache Kafka of the caller's own, removed with its data afterwards."""
    kafka = ApacheKafka()
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.destroy()


async def create_topics(
    bootstrap: str,
    names: list[str],
    partitions: int = EVALUATION_PARTITIONS,
    configs: Mapping[str, str] | None = None,
) -> None:
    """Make topics and wait until each partition has a leader.

    The evaluation broker creates a topic when a request names it explicitly, always
    with four partitions; a test that needs another number is marked `kafka`.
    """
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    try:
        await client.bootstrap()
        if client.cluster.controller is not None:
            await _create(bootstrap, names, partitions, configs or {})
        elif partitions != EVALUATION_PARTITIONS:
            message = "the evaluation broker's topics have four partitions: mark the test `kafka`"
            raise ValueError(message)
        else:
            await touch(client, names)
        for name in names:
            await client._wait_on_metadata(name)  # noqa: SLF001 - what its producer waits with
    finally:
        await client.close()


async def _create(
    bootstrap: str, names: list[str], partitions: int, configs: Mapping[str, str]
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        topics = [
            NewTopic(name, partitions, replication_factor=1, topic_configs=dict(configs))
            for name in names
        ]
        answer = await admin.create_topics(topics)
        refused = [(name, reason) for name, code, reason in answer.topic_errors if code]
        if refused:
            raise RuntimeError(refused)
    finally:
        await admin.close()
