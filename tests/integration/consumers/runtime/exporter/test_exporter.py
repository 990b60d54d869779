"""The exporter reports consumer lag from log and store, even for stopped consumers."""

import asyncio
import contextlib
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.client import AIOKafkaClient
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.fate import Fate
from consumers.runtime.measures import first_record
from consumers.runtime.member.app import ConsumerProcess
from consumers.runtime.progress import survey as exporter_log
from router.broker.log.reread import reread_records
from router.contract.event import Event
from tests.parts.brokers import create_topics
from tests.parts.runtime.child import child
from tests.parts.runtime.counting import count, effects_of, numbered
from tests.parts.runtime.exporting import Exported, exporting, series
from tests.parts.runtime.members import Feed, ready
from tests.parts.runtime.told import holds, metric, refusing
from tests.parts.runtime.unreadable import spoil
from tests.parts.waiting import PATIENCE_SECONDS, eventually


async def time_of(feed: Feed, partition: int, offset: int) -> float:
    """Return the time of a record."""
    consumer = AIOKafkaConsumer(bootstrap_servers=feed.broker.bootstrap)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(feed.topic, partition)])
        consumer.seek(TopicPartition(feed.topic, partition), offset)
        record = await consumer.getone()
        assert record.offset == offset
        return float(record.timestamp) / 1000
    finally:
        await consumer.stop()


@contextlib.asynccontextmanager
async def reading_logs(feed: Feed) -> AsyncIterator[exporter_log.LogReader]:
    """Yield a reader of the logs, as in the exporter but without rounds."""
    groups = {"counting": exporter_log.ConsumerGroup(feed.group, [feed.topic])}
    reader = exporter_log.LogReader(feed.settings().kafka, groups)
    try:
        yield reader
    finally:
        await reader.close()


async def requests_of_a_round(
    reader: exporter_log.LogReader, feed: Feed, asked: Counter[str]
) -> Counter[str]:
    """Return the requests of a round, by kind, once its client has the metadata."""

    def fences(_cluster_id: str) -> exporter_log.FencesByConsumer:
        return {"counting": {}}

    async def known() -> bool:
        return all((await reader.read(fences)).bounds.values())

    await eventually(known, "the bounds of every log")
    asked.clear()
    view = await reader.read(fences)
    assert {partition.topic for partition in view.bounds} == {feed.topic}
    return Counter(asked)


async def raise_partitions(feed: Feed, total: int) -> None:
    """Add partitions to the topic, and wait until each has a leader."""
    admin = AIOKafkaAdminClient(bootstrap_servers=feed.broker.bootstrap)
    await admin.start()
    try:
        await admin.create_partitions({feed.topic: NewPartitions(total)})

        async def led() -> bool:
            (topic,) = await admin.describe_topics([feed.topic])
            leaders = [each["leader"] for each in topic["partitions"]]
            return len(leaders) == total and -1 not in leaders

        await eventually(led, f"{total} partitions with a leader")
    finally:
        await admin.close()


async def is_as_old_as(feed: Feed, exported: Exported, partition: int, offset: int) -> None:
    """Wait until the lag in seconds is the age of this record."""
    moment = await time_of(feed, partition, offset)

    def read() -> bool:
        before = time.time()
        said = exported.of("payrouter_group_lag_seconds", partition)
        return before - moment <= said <= time.time() - moment

    await eventually(read, f"the age of offset {offset}")


async def test_a_frozen_consumer_is_behind_by_its_next_record(feed: Feed) -> None:
    async with AsyncExitStack() as stack:
        consumer = await stack.enter_async_context(child(feed))
        exported = await stack.enter_async_context(exporting(feed))
        await feed.send(map(numbered, range(3)))
        await feed.applied(3)
        await eventually(lambda: exported.lag == [0, 0, 0, 0], "no lag")
        assert exported.of("payrouter_group_lag_seconds") == 0
        consumer.freeze()
        await feed.send(map(numbered, range(3, 5)))
        await feed.send([numbered(5)], 1)
        await eventually(lambda: exported.lag == [2, 1, 0, 0], "what waits")
        await is_as_old_as(feed, exported, 0, 3)
        await is_as_old_as(feed, exported, 1, 0)
        assert exported.in_flight == 3
        assert exported.of("payrouter_group_next_offset") == 3
        assert exported.of("payrouter_group_lag_seconds", 2) == 0
        consumer.thaw()
        await feed.applied(6)
        await eventually(lambda: exported.lag == [0, 0, 0, 0], "no lag again")
        assert await consumer.stop() == 0


async def test_waiting_record_is_fetched_once(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    look = reread_records

    async def counted(*arguments: object, **options: object) -> object:
        looked.append(arguments[1:3])
        return await look(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(first_record, "reread_records", counted)
    await feed.send(map(numbered, range(2)))
    async with exporting(feed) as exported:
        await is_as_old_as(feed, exported, 0, 0)
        await feed.send(map(numbered, range(2, 9)))
        await eventually(lambda: exported.lag == [9, 0, 0, 0], "more to come")
        await is_as_old_as(feed, exported, 0, 0)
    assert looked == [(TopicPartition(feed.topic, 0), 0)]


@pytest.mark.kafka
async def test_round_sends_as_many_requests_for_four_partitions_as_for_forty(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[str] = Counter()
    send = AIOKafkaClient.send

    async def counted(client: AIOKafkaClient, node: int, request: object, **how: object) -> object:
        asked[type(request).__name__] += 1
        return await send(client, node, request, **how)

    monkeypatch.setattr(AIOKafkaClient, "send", counted)
    async with reading_logs(feed) as reader:
        few = await requests_of_a_round(reader, feed, asked)
        await raise_partitions(feed, 40)
        many = await requests_of_a_round(reader, feed, asked)
        assert many == few
        assert sum(few.values()) < 15


async def test_completeness_equals_the_lag_and_survives_a_restart(feed: Feed) -> None:
    async with exporting(feed) as exported:
        # Nothing is consumed yet: the consumer will start at the start of the log.
        await feed.send(map(numbered, range(4)))
        await eventually(lambda: exported.lag == [4, 0, 0, 0], "what waits for a consumer")
        assert exported.in_flight == 4
        async with feed.member():
            await eventually(lambda: exported.in_flight == 0, "nothing in flight")
        await feed.send(map(numbered, range(4, 7)))
        await eventually(lambda: exported.in_flight == 3, "what waits again")
        assert sum(exported.lag) == 3
        assert exported.passed("applied") == 4
        async with feed.member():
            await eventually(lambda: exported.in_flight == 0, "nothing in flight again")
        assert exported.passed("applied") == 7
        assert exported.of("payrouter_group_committed_offset") == 7


async def test_outcome_of_every_offset_is_counted(feed: Feed) -> None:
    async def handle(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        await refusing(4)(transaction, events)
        said = {"A-3": Fate.STALE}
        return [said.get(each.reference or "", Fate.APPLIED) for each in events]

    await feed.send(map(numbered, [0, 1, 1, 2, 3, 4]))
    await feed.send_raw(b"no event")
    await feed.send([numbered(0, amount="7")])
    async with exporting(feed) as exported:
        async with feed.member(handle, park_seconds=600):
            await holds(feed, "parked", 1)
            await eventually(lambda: exported.in_flight == 0, "nothing in flight")
        counted = {word: exported.passed(word) for word in ("applied", "duplicate", "stale")}
        held = {word: exported.passed(word) for word in ("parked", "dead", "gap")}
        assert counted == {"applied": 3, "duplicate": 1, "stale": 1}
        assert held == {"parked": 1, "dead": 2, "gap": 0}
        own = {"consumer": "counting"}
        assert exported.value("payrouter_held_records", state="parked", **own) == 1
        assert exported.value("payrouter_held_records", state="dead", **own) == 2
        assert exported.value("payrouter_held_conflicts", **own) == 1
        assert exported.value("payrouter_brake_held", topic=exported.topic, **own) == 0


def _agree(one: Callable[[], float], other: Callable[[], float]) -> bool:
    return one() == other()


async def test_exporter_and_consumer_report_the_same_about_the_store(feed: Feed) -> None:
    feed.hurry(measure_seconds=0.1)
    await feed.send(map(numbered, range(2)))
    async with exporting(feed) as exported, feed.member(refusing(1), park_seconds=600) as process:
        await holds(feed, "parked", 1)
        own = {"consumer": "counting"}
        for name, labels in (
            ("payrouter_held_records", {"state": "parked"}),
            ("payrouter_held_records", {"state": "dead"}),
            ("payrouter_held_conflicts", {}),
            ("payrouter_outbox_waiting", {}),
        ):
            consumers = partial(metric, process, name, **labels)
            exporters = partial(exported.value, name, **own, **labels)
            await eventually(partial(_agree, consumers, exporters), name)


async def test_blocked_handler_causes_lag_in_seconds(feed: Feed) -> None:
    held, go_on = asyncio.Event(), asyncio.Event()

    async def handle(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        held.set()
        await go_on.wait()
        return await count(transaction, events)

    await feed.send(map(numbered, range(2)))
    async with exporting(feed) as exported, feed.member(handle):
        await held.wait()
        await is_as_old_as(feed, exported, 0, 0)
        assert exported.in_flight == 2
        go_on.set()
        await eventually(lambda: exported.in_flight == 0, "nothing in flight")


@pytest.mark.kafka
async def test_the_members_of_a_group_are_counted(feed: Feed) -> None:
    def members() -> float:
        return exported.value("payrouter_group_members", consumer="counting")

    async with exporting(feed) as exported:
        await eventually(lambda: members() == 0, "nobody")
        async with feed.member() as one:
            await eventually(lambda: members() == 1, "one")
            async with feed.member() as other:
                await ready(one)
                await ready(other)
                await eventually(lambda: members() == 2, "two")
        await eventually(lambda: members() == 0, "nobody again")


@pytest.mark.kafka
async def test_age_of_an_unreadable_record_is_that_of_its_batch(feed: Feed) -> None:
    await feed.send_raw(b"to be damaged")
    spoil(feed.broker, feed.partition(0), b"to be damaged")
    async with exporting(feed) as exported:
        await eventually(lambda: exported.of("payrouter_group_lag_seconds") > 0, "its age")
        assert exported.lag == [1, 0, 0, 0]
        assert exported.of("payrouter_group_lag_seconds") < PATIENCE_SECONDS
        await exported.ready()


@pytest.mark.kafka
async def test_age_is_that_of_the_first_record_after_a_gap(
    feed: Feed,
) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=feed.broker.bootstrap, transactional_id=f"{feed.prefix}t"
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(feed.topic, b"taken back", partition=0)
        await producer.abort_transaction()
    finally:
        await producer.stop()
    async with exporting(feed) as exported:
        await eventually(
            lambda: exported.lag == [2, 0, 0, 0], "a record taken back, and its marker"
        )
        await eventually(lambda: exported.of("payrouter_group_lag_seconds") == 0, "no age")
        await feed.send([numbered(0)])
        await is_as_old_as(feed, exported, 0, 2)
        async with feed.member():
            await eventually(lambda: exported.in_flight == 0, "nothing in flight")
        assert (exported.passed("applied"), exported.passed("gap")) == (1, 2)


@pytest.mark.kafka
async def test_missing_topic_is_found_once_it_is_created(feed: Feed) -> None:
    service = replace(feed.service, topics=("payment", "later"))
    feed.service = service
    later = f"{feed.prefix}later"
    async with exporting(feed) as exported:
        await exported.ready()

        def in_flight() -> float:
            where = {"consumer": "counting", "topic": later}
            return exported.value("payrouter_group_in_flight_records", **where)

        assert math.isnan(in_flight())
        assert exported.topics("payrouter_log_end_offset") == {feed.topic}
        await create_topics(feed.broker.bootstrap, [later])
        await eventually(lambda: in_flight() == 0, "the new topic")
        assert exported.topics("payrouter_log_end_offset") == {feed.topic, later}


async def test_only_fences_of_the_configured_cluster_count(feed: Feed) -> None:
    await feed.send(map(numbered, range(3)))
    async with feed.member():
        await feed.applied(3)
    async with exporting(feed) as exported:
        await eventually(lambda: exported.lag == [0, 0, 0, 0], "no lag")
        assert exported.passed("applied") == 3
    async with exporting(feed, cluster_id="another") as exported:
        await eventually(lambda: exported.lag == [3, 0, 0, 0], "all of it, for another cluster")
        assert exported.passed("applied") == 0


def _measured(process: ConsumerProcess) -> int:
    return sum(name == "payrouter_readable_lag_seconds" for name, _ in series(process.registry))


async def test_no_traffic_adds_a_series(feed: Feed) -> None:
    async with exporting(feed) as exported, feed.member() as process:
        await ready(process)
        await exported.ready()
        await eventually(lambda: exported.lag == [0, 0, 0, 0], "no lag")
        # The series of an assignment appear with the first reading of the log ends.
        await eventually(lambda: _measured(process) == 4, "the lag of four partitions")
        registries = (exported.process.registry, process.registry)
        before = [series(each) for each in registries]
        for partition in range(4):
            first = partition * 2500
            await feed.send(map(numbered, range(first, first + 2500)), partition)
            await feed.send_raw(b"garbage", partition, [("x" * 200, b"\xff" * 200)])
        await eventually(lambda: exported.passed("applied") == 2500, "partition 0 applied")
        await eventually(lambda: exported.in_flight == 0, "everything passed")
        assert len(await effects_of(feed.engine)) == 10_000
        assert [series(each) for each in registries] == before
