"""One record in one transaction: in every case, effect, event id and fence change together."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import MetaData, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from consumers.exactly_once.applying import Outcome, RecordApplier
from consumers.exactly_once.errors import (
    FenceMovedElsewhere,
    ReaderTooOld,
    UnsafeEngineError,
    UnusableRecord,
)
from consumers.exactly_once.kinds import KeepUnusable, Unusable
from consumers.exactly_once.placing import require_transactions
from consumers.exactly_once.store import FenceKey, GroupFence, Store
from consumers.exactly_once.tables import exactly_once_tables
from consumers.exactly_once.timing import Timing
from consumers.runtime.records import Partition, Record
from router.contract.event import Event, event_id
from router.contract.wire import decode_event, encode_event
from tests.parts.contract.events import event

GROUP = "loyalty"
ADD = text("INSERT INTO effect (event_id) VALUES (:event_id)")


class BrokenError(Exception):
    """Raised by a handler."""


@dataclass
class Desk:
    """A database, and the guard's tables in it."""

    engine: AsyncEngine
    store: Store = field(default_factory=lambda: Store(exactly_once_tables(MetaData())))

    def applier(self, keep: KeepUnusable | None = None) -> RecordApplier:
        """Return an applier of the group."""
        return RecordApplier(self.engine, self.store, decode_event, Timing(), keep)

    async def fence(self, number: int = 0, group_id: str = GROUP) -> GroupFence:
        """Return the stored fence of a partition, at 0 at first."""
        key = FenceKey(group_id, "cluster", Partition("payment", number))
        async with self.engine.begin() as connection:
            await self.store.begin(connection, key, 0, None)
            found = await self.store.read(connection, key)
        assert found is not None
        return found

    async def effects(self) -> list[UUID]:
        """Return the ids of the events that had an effect."""
        async with self.engine.connect() as connection:
            return list(await connection.scalars(text("SELECT event_id FROM effect")))

    async def counts(self) -> tuple[Any, ...]:
        """Return how many offsets of partition 0 had which outcome."""
        query = text(
            "SELECT applied, duplicate, set_aside, gaps FROM payrouter_fence WHERE partition = 0"
        )
        async with self.engine.connect() as connection:
            return tuple((await connection.execute(query)).one())


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    """Yield an empty database with the guard's tables."""
    own = Desk(create_async_engine(database_url))
    try:
        async with own.engine.begin() as connection:
            await connection.execute(text("CREATE TABLE effect (event_id uuid)"))
            await own.store.create(connection)
        yield own
    finally:
        await own.engine.dispose()


def record_of(content: Event, offset: int = 0, number: int = 0) -> Record:
    out = encode_event(content, "payment", "trace")
    return Record(Partition("payment", number), offset, 1000, out.key, out.value, out.headers)


def garbage(offset: int = 0) -> Record:
    return Record(Partition("payment", 0), offset, 1000, b"key", b"{", ())


def numbered(number: int) -> Event:
    return event(id=event_id("blockatm", "shop-eu", str(number)))


async def add(found: Event, session: AsyncSession) -> None:
    await session.execute(ADD, {"event_id": found.id})


async def failing(found: Event, session: AsyncSession) -> None:
    await add(found, session)
    # Ends a savepoint, and commits nothing.
    await session.commit()
    raise BrokenError


async def test_failed_handler_leaves_no_effect_even_if_it_commits_its_session(desk: Desk) -> None:
    fence = await desk.fence()
    with pytest.raises(BrokenError):
        await desk.applier().apply(fence, record_of(numbered(1)), failing)
    assert await desk.effects() == []
    assert await desk.fence() == fence
    # The id is not claimed either: the next try is not a duplicate.
    _, outcome = await desk.applier().apply(fence, record_of(numbered(1)), add)
    assert outcome is Outcome.APPLIED
    assert await desk.effects() == [numbered(1).id]


async def test_constraint_that_fails_at_the_commit_leaves_no_effect(desk: Desk) -> None:
    async with desk.engine.begin() as connection:
        late = "ALTER TABLE effect ADD UNIQUE (event_id) DEFERRABLE INITIALLY DEFERRED"
        await connection.execute(text(late))

    async def twice(found: Event, session: AsyncSession) -> None:
        await add(found, session)
        await add(found, session)

    with pytest.raises(DBAPIError):
        await desk.applier().apply(await desk.fence(), record_of(numbered(1)), twice)
    assert (await desk.effects(), (await desk.fence()).next_offset) == ([], 0)


async def test_of_two_processes_with_one_record_the_second_applies_nothing(desk: Desk) -> None:
    fence, record = await desk.fence(), record_of(numbered(1))
    both = await asyncio.gather(
        *(desk.applier().apply(fence, record, add) for _ in range(2)), return_exceptions=True
    )
    assert sum(isinstance(each, FenceMovedElsewhere) for each in both) == 1
    assert await desk.effects() == [numbered(1).id]


async def test_an_event_in_two_partitions_at_once_has_one_effect(desk: Desk) -> None:
    fences = [await desk.fence(number) for number in range(2)]
    records = [record_of(numbered(1), number=number) for number in range(2)]
    done = await asyncio.gather(
        *(desk.applier().apply(*each, add) for each in zip(fences, records, strict=True))
    )
    assert {outcome for _, outcome in done} == {Outcome.APPLIED, Outcome.DUPLICATE}
    assert await desk.effects() == [numbered(1).id]


async def test_each_group_has_its_own_fences_and_ids(desk: Desk) -> None:
    for group_id in ("loyalty", "mail"):
        fence = await desk.fence(group_id=group_id)
        await desk.applier().apply(fence, record_of(numbered(1)), add)
    assert await desk.effects() == [numbered(1).id] * 2


@pytest.mark.parametrize("change", ["next_offset = 7, gaps = 7", "topic_id = gen_random_uuid()"])
async def test_a_fence_that_is_not_as_known_applies_nothing(desk: Desk, change: str) -> None:
    fence = await desk.fence()
    async with desk.engine.begin() as connection:
        await connection.execute(text(f"UPDATE payrouter_fence SET {change}"))
    with pytest.raises(FenceMovedElsewhere):
        await desk.applier().apply(fence, record_of(numbered(1)), add)
    assert await desk.effects() == []


async def test_contradicting_event_is_not_passed_and_the_original_remains(desk: Desk) -> None:
    fence, _ = await desk.applier().apply(await desk.fence(), record_of(numbered(1)), add)
    other = numbered(1).model_copy(update={"account": "somebody-else"})
    with pytest.raises(UnusableRecord, match=r"payment-0 offset 1 .* \(conflict\)"):
        await desk.applier().apply(fence, record_of(other, 1), add)
    assert (await desk.fence()).next_offset == 1
    assert await desk.effects() == [numbered(1).id]


async def test_malformed_record_is_not_passed_unless_the_service_keeps_it(desk: Desk) -> None:
    fence = await desk.fence()
    with pytest.raises(UnusableRecord, match="offset 0 cannot be applied: the value is not JSON"):
        await desk.applier().apply(fence, garbage(), add)
    assert (await desk.fence()).next_offset == 0
    kept: list[Unusable] = []

    async def keep(unusable: Unusable, session: AsyncSession) -> None:
        await session.execute(ADD, {"event_id": numbered(9).id})
        kept.append(unusable)

    fence, outcome = await desk.applier(keep).apply(fence, garbage(), add)
    assert (outcome, [each.record for each in kept]) == (Outcome.SET_ASIDE, [garbage()])
    # It is kept in the transaction that passes it.
    assert await desk.effects() == [numbered(9).id]
    await desk.applier(keep).apply(fence, record_of(numbered(1), 3), add)
    assert await desk.counts() == (1, 0, 1, 2)


async def test_record_of_a_later_version_is_not_passed_even_with_keep_unusable(desk: Desk) -> None:
    later = record_of(numbered(1))
    headers = [("ce_dataschema", b"urn:payrouter:schema:event:9.0")]
    later = Record(later.partition, 0, 1000, later.key, later.value, headers)

    async def keep(unusable: Unusable, session: AsyncSession) -> None:
        pytest.fail(f"{unusable} was kept in {session}")

    with pytest.raises(ReaderTooOld, match="schema version 9"):
        await desk.applier(keep).apply(await desk.fence(), later, add)


async def test_forgotten_event_is_applied_again_in_a_new_record_alone(desk: Desk) -> None:
    fence, _ = await desk.applier().apply(await desk.fence(), record_of(numbered(1)), add)
    async with desk.engine.begin() as connection:
        for age, deleted in ((timedelta(days=1), 0), (timedelta(0), 1)):
            before = datetime.now(UTC) + timedelta(minutes=1) - age
            assert await desk.store.forget(connection, GROUP, before) == deleted
    _, outcome = await desk.applier().apply(fence, record_of(numbered(1), 1), add)
    assert outcome is Outcome.APPLIED


async def test_engine_without_transactions_is_refused(desk: Desk) -> None:
    autocommit = desk.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with autocommit.connect() as connection:
        with pytest.raises(UnsafeEngineError, match="AUTOCOMMIT"):
            await require_transactions(connection)
    async with desk.engine.connect() as connection:
        await require_transactions(connection)


async def test_tables_are_created_by_several_processes_at_once(desk: Desk) -> None:
    async with desk.engine.begin() as connection:
        await connection.execute(text("DROP TABLE payrouter_fence, payrouter_event"))

    async def create() -> None:
        async with desk.engine.begin() as connection:
            await desk.store.create(connection)

    await asyncio.gather(*(create() for _ in range(4)))
    assert (await desk.fence()).next_offset == 0
