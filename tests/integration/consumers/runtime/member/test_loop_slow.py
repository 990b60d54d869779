"""A handler's own time-out is its fault; a batch that is too slow for the server is split."""

import asyncio
import contextlib
from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.apply.failures import Action, Phase, decide, describe
from consumers.runtime.fate import Fate
from consumers.runtime.service import Handler, HandlerFailed
from router.contract.event import Event
from tests.parts.runtime.counting import (
    applier,
    begun,
    brake_of,
    count,
    effects_of,
    held_in,
    id_of,
    numbered,
    record,
)
from tests.parts.runtime.members import Feed, ready
from tests.parts.runtime.told import applied_but, holds, refusing


@pytest.mark.parametrize("error", [TimeoutError, ConnectionResetError])
async def test_handlers_own_time_out_parks_its_record_and_delays_no_other(
    feed: Feed, error: type[Exception]
) -> None:
    await feed.send(map(numbered, range(10)))
    async with feed.member(refusing(3, error=error), attempts=2) as process:
        await feed.applied(9)
        (row,) = await holds(feed, "dead", 1)
        await ready(process)
    await applied_but(feed, 3, of=10)
    said = (row.event_id, row.reason, row.attempts, row.error)
    assert said == (id_of(3), "exhausted", 2, f"{error.__name__}: not this one")
    assert not feed.logged("retrying")


async def test_fault_of_a_time_out_is_decided_by_the_connection(counting: AsyncEngine) -> None:
    known = await begun(counting)

    def failing(*statements: str, error: Exception) -> Handler:
        async def handle(transaction: AsyncConnection, _: Sequence[Event]) -> Sequence[Fate]:
            for statement in statements:
                with contextlib.suppress(DBAPIError):
                    await transaction.execute(text(statement))
            raise error

        return handle

    batch = [record(0, numbered(0))]
    gone, aborted = "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1 / 0"
    wrapped = RuntimeError("asking the rates")
    wrapped.__cause__ = TimeoutError()
    for error in (TimeoutError(), wrapped):
        for statements in ((), (aborted,)):
            with pytest.raises(HandlerFailed) as own:
                await applier(counting, failing(*statements, error=error)).apply(batch, known)
            assert decide(own.value, Phase.APPLY) is Action.PARK
            assert describe(own.value) == describe(error)
    with pytest.raises(ConnectionError) as lost:
        await applier(counting, failing(gone, error=TimeoutError())).apply(batch, known)
    assert decide(lost.value, Phase.APPLY) is Action.RETRY
    assert await effects_of(counting) == []


async def test_batch_too_slow_for_the_server_is_split_until_it_is_fast_enough(feed: Feed) -> None:
    sizes: list[int] = []

    async def slow(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        sizes.append(len(events))
        await transaction.execute(text(f"SELECT pg_sleep({0.06 * len(events)})"))
        return await count(transaction, events)

    await feed.send(map(numbered, range(8)))
    async with feed.member(slow, transaction_timeout_seconds=0.4) as process:
        await feed.applied(8)
        await ready(process)
    assert sizes[:4] == [8, 8, 8, 4]
    assert await effects_of(feed.engine) == [id_of(number) for number in range(8)]
    assert await held_in(feed.engine) == []


async def test_record_too_slow_for_the_server_is_parked_and_dies_after_its_attempts(
    feed: Feed,
) -> None:
    async def slow(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        if id_of(1) in {each.id for each in events}:
            await transaction.execute(text("SELECT pg_sleep(60)"))
        return await count(transaction, events)

    await feed.send([numbered(0), numbered(1), numbered(2)])
    async with feed.member(slow, transaction_timeout_seconds=0.3, attempts=2) as process:
        (row,) = await holds(feed, "dead", 1)
        await feed.applied(2)
        await ready(process)
    assert (row.reason, row.attempts) == ("exhausted", 2)
    assert row.error == "QueryCanceledError: SQLSTATE 57014"
    await applied_but(feed, 1, of=3)
    assert (await brake_of(feed.engine)).held_since is None


async def test_batch_of_a_handler_that_idles_is_split_and_parked_too(
    feed: Feed,
) -> None:
    sizes: list[int] = []

    async def idle(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        sizes.append(len(events))
        outcomes = await count(transaction, events)
        if id_of(1) in {each.id for each in events}:
            await asyncio.sleep(1.3)
        return outcomes

    await feed.send([numbered(0), numbered(1)])
    # Only the record that idles may take so long, even on a busy machine.
    async with feed.member(idle, transaction_timeout_seconds=1, attempts=2) as process:
        (row,) = await holds(feed, "dead", 1)
        await feed.applied(1)
        await ready(process)
    assert sizes == [2, 2, 2, 1, 1, 1, 1, 1]
    assert (row.reason, row.attempts) == ("exhausted", 2)
    assert row.error.startswith("HandlerSlow: ")
    await applied_but(feed, 1, of=2)
