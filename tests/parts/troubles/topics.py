"""Changes topics under running clients: recreates, compacts, or truncates them at the start."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

from tests.parts.troubles.tales import Told
from tests.parts.troubles.writing import quiet, write
from tests.parts.waiting import eventually

SECONDS: Final = 30.0

QUICK_CLEANER: Final = {
    "log.cleaner.backoff.ms": "100",
    "log.initial.task.delay.ms": "100",
    "log.retention.check.interval.ms": "300",
}
"""Broker properties for a log cleaner without delays."""

_COMPACTED: Final = {
    "cleanup.policy": "compact",
    "segment.ms": "50",
    "min.cleanable.dirty.ratio": "0.0001",
}


def admin(bootstrap: str) -> AdminClient:
    """Return a client that changes topics; it must be referenced until its futures are done."""
    return AdminClient({**quiet(bootstrap)})


async def make_missing(bootstrap: str, names: Sequence[str], partitions: int) -> None:
    """Create missing topics, and wait until they exist."""
    found = await asyncio.to_thread(lambda: admin(bootstrap).list_topics(timeout=SECONDS).topics)
    missing = [name for name in names if name not in found]
    if missing:
        await asyncio.to_thread(_make, bootstrap, missing, partitions)


async def recreate(bootstrap: str, names: Sequence[str], partitions: int) -> None:
    """Delete topics and recreate them with the same names: new logs from offset 0."""
    await asyncio.to_thread(_recreate, bootstrap, names, partitions)


async def grow(bootstrap: str, names: Sequence[str], partitions: int) -> None:
    """Add partitions to topics."""

    def asked() -> None:
        wanted = [NewPartitions(name, partitions) for name in names]
        own = admin(bootstrap)
        for each in own.create_partitions(wanted).values():
            each.result(SECONDS)

    await asyncio.to_thread(asked)


async def cut_off(bootstrap: str, topic: str, partition: int, offset: int) -> None:
    """Delete the records of a partition before an offset."""

    def asked() -> None:
        where = TopicPartition(topic, partition, offset)
        own = admin(bootstrap)
        for each in own.delete_records([where]).values():
            each.result(SECONDS)

    await asyncio.to_thread(asked)


async def compact(bootstrap: str, told: Sequence[Told], partition: int) -> None:
    """Write records with one key under the `compact` policy until only the last ones are left.

    The last one is in the active segment, which the cleaner skips. All are on one topic.
    """
    topic = told[0].out.topic
    before = await end(bootstrap, topic, partition)
    await alter(bootstrap, topic, _COMPACTED)
    for half in (told[:-1], told[-1:]):
        await write(bootstrap, [each.keyed(b"the key of all") for each in half], partition)
        # A record written after `segment.ms` starts a new segment.
        await asyncio.sleep(0.2)

    async def compacted() -> bool:
        return len(await kept(bootstrap, topic, partition, before)) <= 2

    await eventually(compacted, "a compacted log", seconds=SECONDS, pause=0.1)
    await alter(bootstrap, topic, {**_COMPACTED, "cleanup.policy": "delete"})


async def end(bootstrap: str, topic: str, partition: int) -> int:
    """Return the end of a log, including open transactions."""
    return (await ends(bootstrap, topic, [partition]))[partition]


async def ends(bootstrap: str, topic: str, partitions: Sequence[int]) -> Mapping[int, int]:
    """Return the ends of a topic's logs, including open transactions."""
    return await asyncio.to_thread(_ends, bootstrap, topic, partitions)


async def kept(bootstrap: str, topic: str, partition: int, first: int) -> Sequence[int]:
    """Return the offsets from `first` on that the log still has."""
    return await asyncio.to_thread(_kept, bootstrap, topic, partition, first)


async def alter(bootstrap: str, topic: str, values: Mapping[str, str]) -> None:
    """Set some configurations of a topic; leave the others unchanged."""

    def asked() -> None:
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in values.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        own = admin(bootstrap)
        for each in own.incremental_alter_configs([resource]).values():
            each.result(SECONDS)

    await asyncio.to_thread(asked)


def _make(bootstrap: str, names: Sequence[str], partitions: int) -> None:
    own = admin(bootstrap)
    wanted = [NewTopic(name, partitions, replication_factor=1) for name in names]
    for each in own.create_topics(wanted).values():
        each.result(SECONDS)
    _leading(own, names, partitions)


def _leading(own: AdminClient, names: Sequence[str], partitions: int) -> None:
    """Wait until each partition has a leader."""
    for name in names:
        while True:
            found = own.list_topics(name, timeout=SECONDS).topics[name]
            leaders = [each.leader for each in found.partitions.values()]
            if found.error is None and len(leaders) >= partitions and -1 not in leaders:
                break


def _recreate(bootstrap: str, names: Sequence[str], partitions: int) -> None:
    own = admin(bootstrap)
    for each in own.delete_topics(list(names)).values():
        each.result(SECONDS)
    while True:
        try:
            return _make(bootstrap, names, partitions)
        except KafkaException as refused:
            # The broker deletes it shortly after the answer.
            if refused.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def _ends(bootstrap: str, topic: str, partitions: Sequence[int]) -> Mapping[int, int]:
    reader = _reader(bootstrap)
    try:
        return {
            number: reader.get_watermark_offsets(TopicPartition(topic, number), timeout=SECONDS)[1]
            for number in partitions
        }
    finally:
        reader.close()


def _kept(bootstrap: str, topic: str, partition: int, first: int) -> Sequence[int]:
    reader = _reader(bootstrap)
    try:
        where = TopicPartition(topic, partition, first)
        last = reader.get_watermark_offsets(where, timeout=SECONDS)[1]
        reader.assign([where])
        found: list[int] = []
        while last > first and (not found or found[-1] < last - 1):
            read = reader.poll(SECONDS)
            assert read is not None, f"{topic}-{partition} from {first} to {last}: {found}"
            if read.error() is None:
                found.append(int(read.offset() or 0))
        return found
    finally:
        reader.close()


def _reader(bootstrap: str) -> Consumer:
    return Consumer(
        {
            **quiet(bootstrap),
            "group.id": "of nobody",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_uncommitted",
        }
    )
