"""Records lost by the client are read again: the loop on a stand-in that loses on purpose."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaTimeoutError, NodeNotReadyError
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.measures.metrics import ConsumerMetrics
from consumers.runtime.member import client as runtime_client
from consumers.runtime.member.loop import Loop
from consumers.runtime.member.membership import Membership
from consumers.runtime.member.report import Report
from consumers.runtime.records import Partition
from consumers.runtime.settings import ConsumerTiming, Tuning
from router.broker.log.bounds import LogBounds
from router.broker.topics.ids import TopicSeen
from router.telemetry.logs import get_log
from tests.parts.runtime.counting import applier, effects_of, id_of, numbered, record
from tests.parts.waiting import eventually

PARTITIONS = [Partition("payment", number) for number in (0, 1)]


class Careless:
    """A consumer of ten events per partition that loses fetched records on demand."""

    def __init__(self, mishaps: Iterable[Exception | None]) -> None:
        """Start before the first record of each partition."""
        self.mishaps = list(mishaps)
        self.offsets = {TopicPartition(*each): 0 for each in PARTITIONS}
        self.committed: dict[TopicPartition, int] = {}
        self.during: Callable[[], object] = lambda: None

    async def getmany(self, *asked: TopicPartition, **_: object) -> object:
        """Fetch up to four records of each partition, and then perhaps fail."""
        await asyncio.sleep(0.001)
        taken = {}
        for tp in asked:
            offset = self.offsets[tp]
            messages = [_message(tp, each) for each in range(offset, min(offset + 4, 10))]
            self.offsets[tp] += len(messages)
            taken[tp] = messages
        self.during()
        mishap = self.mishaps.pop(0) if self.mishaps and asked else None
        if mishap is not None:
            raise mishap
        return {tp: messages for tp, messages in taken.items() if messages}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Set the position."""
        self.offsets[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        """Return the next offset."""
        return self.offsets[tp]

    def assignment(self) -> set[TopicPartition]:
        """Return the assignment."""
        return set(self.offsets)

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Record committed offsets."""
        self.committed |= offsets

    def pause(self, *_: TopicPartition) -> None:
        """Do nothing, since a fetch under way is not paused either."""

    resume = pause

    def highwater(self, _: TopicPartition) -> int:
        """Return where a log ends."""
        return 10

    def last_poll_timestamp(self, _: TopicPartition) -> int:
        """Return when the broker last answered."""
        return 1


@pytest.fixture(autouse=True)
def _answering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer requests about the stand-in's logs and topics."""

    async def bounds(
        _: object, tps: list[TopicPartition], __: float
    ) -> dict[TopicPartition, LogBounds]:
        return dict.fromkeys(tps, LogBounds(0, 10, 10))

    async def topics(_: object, names: set[str], __: float) -> dict[str, TopicSeen]:
        return {name: TopicSeen(name, None, None, {}, granted=None) for name in names}

    monkeypatch.setattr(runtime_client, "log_bounds", bounds)
    monkeypatch.setattr(runtime_client, "describe_topics", topics)


def _message(tp: TopicPartition, offset: int) -> object:
    made = record(offset, numbered(tp.partition * 10 + offset), Partition(*tp)).record
    facts = dict.fromkeys(ConsumerRecord.__dataclass_fields__)
    known = {"topic": tp.topic, "partition": tp.partition, "offset": offset}
    content = {"key": made.key, "value": made.value, "headers": made.headers}
    return ConsumerRecord(**{**facts, **known, **content, "timestamp": made.timestamp})


def loop_of(engine: AsyncEngine, **timing: float) -> Loop:
    metrics = ConsumerMetrics(CollectorRegistry(), "counting")
    tuning = Tuning(retry_longest_seconds=0.1, batch_wait_seconds=0.01)
    report = Report("counting", metrics, get_log("counting"))
    return Loop(applier(engine), tuning, report, ConsumerTiming(**timing))


async def consumed(engine: AsyncEngine, loop: Loop, consumer: Careless) -> None:
    """Run the loop until everything is applied; assert that each event was applied once."""
    loop.on_assigned(set(PARTITIONS))
    running = asyncio.create_task(loop.run(consumer))

    async def applied() -> bool:
        if running.done():
            running.result()
        return len(await effects_of(engine)) >= 20

    await eventually(applied, "20 effects")
    loop.stop()
    await running
    assert sorted(await effects_of(engine)) == sorted(map(id_of, range(20)))


@pytest.mark.parametrize(
    "mishap",
    [
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        IllegalStateError(),
    ],
)
async def test_records_of_a_failed_fetch_are_fetched_again(
    counting: AsyncEngine, mishap: Exception
) -> None:
    await consumed(counting, loop_of(counting), Careless([mishap, None, None, mishap]))


async def test_records_fetched_during_a_revocation_are_fetched_again(
    counting: AsyncEngine,
) -> None:
    loop = loop_of(counting)
    consumer = Careless([])
    changes = [3, 5]

    def rebalance() -> None:
        changes[:] = [each - 1 for each in changes]
        if 0 in changes:
            loop.positions.revoke()
            loop.on_assigned(set(PARTITIONS))

    consumer.during = rebalance
    await consumed(counting, loop, consumer)


async def test_records_fetched_during_a_rebalance_are_fetched_again(
    counting: AsyncEngine,
) -> None:
    loop = loop_of(counting)
    consumer = Careless([])
    changes = [2]

    def begin() -> None:
        if changes:
            changes.pop()
            going = asyncio.create_task(loop.on_revoked())
            going.add_done_callback(lambda _: loop.on_assigned(set(PARTITIONS)))

    consumer.during = begin
    await consumed(counting, loop, consumer)


async def test_fetch_that_is_always_slow_makes_progress(
    counting: AsyncEngine,
) -> None:
    # Each turn of the stand-in counts as a pause until the limit has doubled a few times.
    await consumed(counting, loop_of(counting, paused_seconds=0.0005), Careless([]))


async def test_pause_is_noticed_although_another_partition_is_placed_first(
    counting: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[int] = []
    loop = loop_of(counting)
    monkeypatch.setattr(loop.report, "paused", lambda: paused.append(1))
    consumer = Careless([])

    async def frozen_behind_a_batch(offsets: dict[TopicPartition, int]) -> None:
        if not consumer.committed:
            # Nothing else notices it: when the loop continues, one partition is due to be placed.
            loop.positions.delay(PARTITIONS[1], time.monotonic())
            loop.member = replace(loop.member, answered_at=time.monotonic() - 60)
        consumer.committed |= offsets

    monkeypatch.setattr(consumer, "commit", frozen_behind_a_batch)
    await consumed(counting, loop, consumer)
    assert len(paused) == 1


async def test_client_that_cannot_place_anything_is_replaced(
    counting: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> dict[str, TopicSeen]:
        raise NodeNotReadyError

    monkeypatch.setattr(runtime_client, "describe_topics", away)
    loop = loop_of(counting, unanswered_seconds=0.3)
    loop.on_assigned(set(PARTITIONS))
    async with asyncio.timeout(30):
        with pytest.raises(KafkaTimeoutError, match="no broker has answered"):
            await loop.run(Careless([]))


def test_each_further_pause_must_be_longer_to_count() -> None:
    def seen(seconds: float, pauses: int) -> bool:
        looked = time.monotonic() - seconds
        return Membership(answered_at=looked, pauses=pauses).was_paused(3.0)

    assert (seen(2, 0), seen(4, 0), seen(4, 1), seen(7, 1)) == (False, True, False, True)
    assert Membership().paused().paused().pauses == 2
    assert Membership().paused().answered().pauses == 1
    assert Membership().paused().fetched().pauses == 0


async def test_assignment_counts_even_if_reporting_it_fails(
    counting: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError

    # aiokafka logs the exception of a callback, and continues.
    monkeypatch.setattr(Report, "assigned", broken)
    monkeypatch.setattr(Report, "revoked", broken)
    loop = loop_of(counting)
    with pytest.raises(KeyError):
        loop.on_assigned(set(PARTITIONS))
    assert loop.positions.unpositioned == set(PARTITIONS)
    with pytest.raises(KeyError):
        await loop.on_revoked()
    assert loop.positions.assigned == set()
