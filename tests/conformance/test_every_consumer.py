"""Every installed consumer and a third-party sample have every effect exactly once.

New consumers are found and tested automatically.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from random import Random

import payrouter_tally
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from consumers.discovery import discover
from consumers.runtime.apply.offsets import FenceMoved
from consumers.runtime.fate import Fate
from consumers.runtime.records import Record
from consumers.runtime.service import Driver, HandlerFailed, Service
from consumers.runtime.store.migrate import upgrade
from router.contract.wire import OutgoingRecord
from tests.conformance.bench import TOLD, Bench, bench
from tests.conformance.guarded import GuardedBench, guarded_bench
from tests.conformance.histories import contradicting

SERVICES = {**discover(), "tally": payrouter_tally.SERVICE}

EFFECTIVE = ("applied", "stale")
"""Outcomes of events that reached the handler."""

GARBAGE = (b"", b"{", b'{"id": 1}', b"[1e999]")


class CutOffError(Exception):
    """Ends a transaction before its commit."""


GUARDED = "tally under the guard"
"""The sample's handler in a FastStream service, where `consumers.exactly_once` is the runtime."""


@pytest.fixture(params=sorted(SERVICES))
async def consumer(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Bench]:
    """Yield a consumer with an empty database."""
    service = SERVICES[request.param]
    async with _made(database_url, service) as engine:
        yield bench(engine, service)


@pytest.fixture(params=[*sorted(SERVICES), GUARDED])
async def applying(
    request: pytest.FixtureRequest, database_url: str
) -> AsyncIterator[Bench | GuardedBench]:
    """Yield a consumer with an empty database, or a handler under the guard."""
    service = SERVICES["tally" if request.param == GUARDED else request.param]
    async with _made(database_url, service) as engine:
        if request.param == GUARDED:
            yield await guarded_bench(engine, service)
        else:
            yield bench(engine, service)


@contextlib.asynccontextmanager
async def _made(database_url: str, service: Service) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(database_url, pool_size=8)
    try:
        await upgrade(engine, service)
        yield engine
    finally:
        await engine.dispose()


def effective(words: Mapping[str, int]) -> int:
    return sum(words.get(word, 0) for word in EFFECTIVE)


async def test_a_redelivered_record_has_no_second_effect(
    applying: Bench | GuardedBench,
) -> None:
    told = applying.tell()
    words = await applying.apply(told)
    assert effective(words) == len(told)
    before = await applying.content()
    # As after a crash between the commit of the database and the commit to Kafka.
    assert await applying.apply(told) == Counter(redelivered=len(told))
    assert await applying.content() == before


async def test_an_event_in_a_new_record_has_no_second_effect(
    applying: Bench | GuardedBench,
) -> None:
    first, second = applying.tell(), applying.tell()
    twins = [record for pair in zip(first, second, strict=True) for record in pair]
    words = await applying.apply(_in_order(twins))
    assert (effective(words), words["duplicate"]) == (len(first), len(first))
    before = await applying.content()
    third = applying.tell()
    assert await applying.apply(third) == Counter(duplicate=len(third))
    assert await applying.content() == before


async def test_a_topic_read_again_from_its_beginning_changes_nothing(
    applying: Bench | GuardedBench,
) -> None:
    told = applying.tell()
    await applying.apply(told)
    before = await applying.content()
    for _ in range(2):
        await applying.rewind()
        assert await applying.apply(told) == Counter(duplicate=len(told))
        assert await applying.content() == before


async def test_consumer_recognizes_events_that_the_runtime_has_deleted(
    applying: Bench | GuardedBench,
) -> None:
    told = applying.tell()
    await applying.apply(told)
    before = await applying.content()
    await applying.rewind(forget=True)
    words = await applying.apply(told)
    assert effective(words) == len(told)
    assert await applying.content() == before


@pytest.mark.parametrize(
    ("applying", "seed"),
    [*product(sorted(SERVICES), [1, 2, 3]), (GUARDED, 1)],
    indirect=["applying"],
)
async def test_any_order_can_be_applied(applying: Bench | GuardedBench, seed: int) -> None:
    outs = [(out, topic) for topic in applying.topics for out in TOLD[topic]]
    again = [pair for pair in outs if Random(seed).random() < 0.3]
    mixed = [*outs, *again]
    Random(seed).shuffle(mixed)
    words = await applying.apply([applying.append(out, topic) for out, topic in mixed])
    assert effective(words) == len(outs)
    assert words["duplicate"] == len(again)
    before = await applying.content()
    await applying.apply(applying.tell())
    assert await applying.content() == before


async def test_a_crash_before_the_commit_leaves_nothing(consumer: Bench) -> None:
    told = consumer.tell()
    before = await consumer.content()
    sound = consumer.actions

    async def crashing(transaction: AsyncConnection, events: Sequence[object]) -> Sequence[Fate]:
        await sound.handle(transaction, events)
        raise CutOffError

    async def crashing_plainly(driver: Driver, events: Sequence[object]) -> Sequence[Fate]:
        assert sound.plain is not None
        await sound.plain(driver, events)
        raise CutOffError

    plain = None if sound.plain is None else crashing_plainly
    consumer.actions = replace(sound, handle=crashing, plain=plain)
    with pytest.raises(HandlerFailed) as failed:
        await consumer.apply(told)
    assert isinstance(failed.value.__cause__, CutOffError)
    assert await consumer.content() == before
    consumer.actions = sound
    assert effective(await consumer.apply(told)) == len(told)


async def test_zombie_process_applies_nothing_again(consumer: Bench) -> None:
    told = consumer.tell()
    before = await consumer.fences()
    arrived = consumer.arrived(told)
    both = await asyncio.gather(
        *(consumer.applier.apply(arrived, before) for _ in range(2)), return_exceptions=True
    )
    words: Counter[str] = Counter()
    for each in both:
        if isinstance(each, BaseException):
            assert isinstance(each, FenceMoved)
        else:
            words.update({word: n for (_, word), n in each.outcomes.items() if n})
    after = await consumer.content()
    fences = await _counts(consumer)
    assert sum(fences.values()) == len(told)
    assert await consumer.apply(told) == Counter(redelivered=len(told))
    assert await consumer.content() == after


async def test_contradicting_event_is_dead_and_the_original_remains(consumer: Bench) -> None:
    await consumer.apply(consumer.tell())
    before = await consumer.content()
    newcomers = [consumer.append(contradicting(topic, topic), topic) for topic in consumer.topics]
    assert await consumer.apply(newcomers) == Counter(dead=len(newcomers))
    assert await _dead(consumer) == ["conflict"] * len(newcomers)
    assert await consumer.content() == before


async def test_undecodable_record_is_dead_and_its_neighbours_are_applied(consumer: Bench) -> None:
    records: list[Record] = []
    outs = [(out, topic) for topic in consumer.topics for out in TOLD[topic]]
    for out, topic in outs:
        for garbage in GARBAGE:
            wrong = OutgoingRecord(topic, b"garbage", garbage, ())
            records.append(consumer.append(wrong, topic))
        records.append(consumer.append(out, topic))
    words = await consumer.apply(records)
    assert effective(words) == len(outs)
    assert words["dead"] == len(outs) * len(GARBAGE)
    assert set(await _dead(consumer)) == {"unreadable"}


def _in_order(records: Sequence[Record]) -> Sequence[Record]:
    return sorted(records, key=lambda record: (record.partition, record.offset))


async def _counts(consumer: Bench) -> Mapping[str, int]:
    fence = consumer.tables.fence
    names = ("applied", "duplicate", "stale")
    async with consumer.engine.connect() as connection:
        rows = (await connection.execute(select(*(fence.c[n] for n in names)))).all()
    return {name: sum(row[at] for row in rows) for at, name in enumerate(names)}


async def _dead(consumer: Bench) -> Sequence[str]:
    held = consumer.tables.held
    async with consumer.engine.connect() as connection:
        return list(await connection.scalars(select(held.c.reason).where(held.c.state == "dead")))
