"""Many expired event ids are deleted while batches run, which hardly slows the batches."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from consumers.runtime.apply.memory import CHUNK
from tests.parts.broker.topic_admin import set_configs
from tests.parts.runtime.commands import Payrouter
from tests.parts.runtime.counting import TABLES, numbered, written
from tests.parts.runtime.members import Feed, ready
from tests.parts.runtime.told import applied_but

OLD_ROWS = 200_000
BATCH = 25
DAYS = 30
FILL = text(
    "INSERT INTO counting.seen_event (event_id, fingerprint, seen_at)"
    " SELECT gen_random_uuid(), repeat('x', 64), now() - make_interval(days => :days, mins => n)"
    f" FROM generate_series(1, {OLD_ROWS}) AS n"
)


async def old_and_young(feed: Feed) -> tuple[int, int]:
    """Return the number of rows before and after the limit."""
    seen = TABLES.seen_event
    old = seen.c.seen_at < func.now() - timedelta(days=DAYS)
    async with feed.engine.connect() as connection:
        row = await connection.execute(
            select(func.count().filter(old), func.count().filter(~old)).select_from(seen)
        )
        first, second = row.one()
        return int(first), int(second)


async def send_batch(feed: Feed, numbers: "itertools.count[int]") -> int:
    """Send a batch, wait until it is applied, and return the total number of events sent."""
    batch = [next(numbers) for _ in range(BATCH)]
    await feed.send(map(numbered, batch), batch[0] // BATCH % 4)
    await feed.applied(batch[-1] + 1)
    return batch[-1] + 1


def longest(feed: Feed, first: int = 0) -> float:
    return max(float(str(line["milliseconds"])) for line in feed.logged("batch")[first:])


async def test_many_expired_ids_are_deleted_while_batches_run(
    feed: Feed,
    payrouter: Payrouter,
    capsys: pytest.CaptureFixture[str],
) -> None:
    feed.hurry(forget_seconds=0.05, forget_pause_seconds=0.01)
    numbers = itertools.count(1)
    # Kafka looks for records past their retention 30 s after its start: this one would be.
    await set_configs(feed.broker.bootstrap, feed.topic, retention_ms="-1")
    await send_old(feed, 0, partition=3)
    async with feed.member(remember_days=DAYS) as process:
        await ready(process)
        for _ in range(20):
            sent = await send_batch(feed, numbers)
        alone, before = longest(feed, 1), len(feed.logged("batch"))
        async with feed.engine.begin() as connection:
            await connection.execute(FILL, {"days": DAYS})
        began = datetime.now(UTC)
        during = 0
        while (await old_and_young(feed))[0]:
            sent, during = await send_batch(feed, numbers), during + 1
        seconds = (datetime.now(UTC) - began).total_seconds()
        assert during
        beside = longest(feed, before)
        # Recent ids stay; one more is added here.
        sent = await send_batch(feed, numbers)
    assert await old_and_young(feed) == (0, sent)
    await applied_but(feed, of=sent)
    await assert_it_is_known_how_far(feed, payrouter)
    assert "forget" not in {line["work"] for line in feed.logged("upkeep_failed")}
    with capsys.disabled():
        print(  # noqa: T201 - what was measured
            f"\n{OLD_ROWS} event ids deleted in chunks of {CHUNK} in {seconds:.1f} s, with {during}"
            f" batches; the longest batch took {alone} ms before, {beside} ms during it,"
            f" {beside / alone:.1f} times as long"
        )


async def send_old(feed: Feed, number: int, partition: int) -> None:
    """Send an event whose record was written before the limit."""
    out = written(numbered(number), feed.topic)
    old = datetime.now(UTC) - timedelta(days=DAYS + 1)
    milliseconds = int(old.timestamp() * 1000)
    await feed.producer.send_and_wait(
        feed.topic, out.value, out.key, partition=partition, timestamp_ms=milliseconds
    )


async def assert_it_is_known_how_far(feed: Feed, payrouter: Payrouter) -> None:
    async with feed.engine.connect() as connection:
        pruned = await connection.scalar(select(TABLES.memory.c.pruned_before))
    limit = datetime.now(UTC) - timedelta(days=DAYS)
    assert pruned is not None
    assert limit - timedelta(minutes=5) < pruned < limit
    given = ("offsets", "reset", "counting", "--topic", feed.topic, "--to", "earliest")
    refused = await payrouter(*given)
    assert refused.status == 1
    assert f"{feed.topic}-3 offset 0 was written" in refused.err
    assert (await payrouter(*given, "--force")).status == 0
    assert (await payrouter(*given, "--partition", "2")).status == 0
