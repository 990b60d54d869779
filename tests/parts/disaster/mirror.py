"""Copies topics to another cluster as MirrorMaker 2 does: same records, other offsets."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

PARTITIONS: Final = 4

AGAIN: Final = 2
"""So many records of each partition are copied twice: a mirror writes at least once."""


async def mirrored(source: str, target: str, topics: Sequence[str]) -> Mapping[str, int]:
    """Copy what the topics hold now, with keys, headers and times; return the records of each."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=source, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    writer = AIOKafkaProducer(bootstrap_servers=target, acks="all")
    await reader.start()
    await writer.start()
    try:
        return {topic: await _copied(reader, writer, topic) for topic in topics}
    finally:
        await writer.stop()
        await reader.stop()


async def _copied(reader: AIOKafkaConsumer, writer: AIOKafkaProducer, topic: str) -> int:
    await reader.topics()
    reader.assign([TopicPartition(topic, n) for n in range(PARTITIONS)])
    ends = await reader.end_offsets(reader.assignment())
    copied = 0
    for partition, end in ends.items():
        records = await _read(reader, partition, end)
        for record in (*records[:AGAIN], *records):
            await writer.send_and_wait(
                topic,
                record.value,
                record.key,
                partition=partition.partition,
                timestamp_ms=record.timestamp,
                headers=list(record.headers),
            )
        copied += len(records)
    return copied


async def _read(reader: AIOKafkaConsumer, partition: TopicPartition, end: int) -> list[Any]:
    reader.assign([partition])
    await reader.seek_to_beginning(partition)
    records: list[Any] = []
    while await reader.position(partition) < end:
        records += (await reader.getmany(partition, timeout_ms=200)).get(partition, [])
    return records
