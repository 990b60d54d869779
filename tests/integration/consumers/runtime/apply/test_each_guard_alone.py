"""Fence and event id, each tested with the other switched off, and without either.

The fence stops the same record, the id the same event in a new record. Each
guard has one test that passes with this guard alone, and one that shows that it
was this guard: with it switched off as well, there are two effects.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.apply import stored_books
from consumers.runtime.apply.offsets import Claims, Fence
from consumers.runtime.records import Decoded, Partition
from tests.parts.runtime.counting import (
    PAYMENT_0,
    TABLES,
    applier,
    begun,
    effects_of,
    id_of,
    numbered,
    record,
    records,
)

Switch = Callable[[], None]


@pytest.fixture
def without_ids(monkeypatch: pytest.MonkeyPatch) -> Switch:
    """Return a function that disables the event-id check: every event counts as new."""

    async def claim_all(_: object, __: object, arrived: Sequence[Decoded]) -> Claims:
        return Claims(frozenset(range(len(arrived))), {})

    return lambda: monkeypatch.setattr(stored_books, "claim_events", claim_all)


@pytest.fixture
def without_fence(monkeypatch: pytest.MonkeyPatch) -> Switch:
    """Return a function that disables the fence: it stays below every record and never moves."""

    async def lock(
        *given: object,
    ) -> Mapping[Partition, Fence]:
        assert given[1] == TABLES
        return {PAYMENT_0: Fence(PAYMENT_0, 0, 0)}

    async def move(*given: object) -> Fence:
        fence = given[3]
        assert isinstance(fence, Fence)
        return replace(fence)

    def switch() -> None:
        monkeypatch.setattr(stored_books, "lock_fences", lock)
        monkeypatch.setattr(stored_books, "move_fence", move)

    return switch


async def redeliver(engine: AsyncEngine) -> list[int]:
    """Apply the same records twice, as after a crash before the commit."""
    known = await begun(engine)
    await applier(engine).apply(records(0, 2), known)
    await applier(engine).apply(records(0, 2), known)
    return await times_applied(engine)


async def resend(engine: AsyncEngine) -> list[int]:
    """Apply the same events twice, in new records, as after a gateway's retry."""
    known = await begun(engine)
    first = await applier(engine).apply(records(0, 2), known)
    again = [record(3 + number, numbered(number)) for number in range(3)]
    await applier(engine).apply(again, first.fences)
    return await times_applied(engine)


async def times_applied(engine: AsyncEngine) -> list[int]:
    effects = await effects_of(engine)
    return [effects.count(id_of(number)) for number in range(3)]


async def test_fence_alone_stops_a_redelivered_record(
    counting: AsyncEngine, without_ids: Switch
) -> None:
    without_ids()
    assert await redeliver(counting) == [1, 1, 1]


async def test_nothing_but_the_fence_stops_a_redelivered_record_without_ids(
    counting: AsyncEngine, without_ids: Switch, without_fence: Switch
) -> None:
    without_ids()
    without_fence()
    assert await redeliver(counting) == [2, 2, 2]


async def test_event_id_alone_stops_a_resent_event(
    counting: AsyncEngine, without_fence: Switch
) -> None:
    without_fence()
    assert await resend(counting) == [1, 1, 1]


async def test_fence_alone_does_not_stop_a_resent_event(
    counting: AsyncEngine, without_ids: Switch
) -> None:
    without_ids()
    assert await resend(counting) == [2, 2, 2]


async def test_event_id_alone_also_stops_a_redelivered_record(
    counting: AsyncEngine, without_fence: Switch
) -> None:
    without_fence()
    assert await redeliver(counting) == [1, 1, 1]
