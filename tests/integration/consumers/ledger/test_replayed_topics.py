"""Consuming whole topics again leaves every row of the books unchanged, byte for byte."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from consumers.ledger.handler import handle
from consumers.ledger.reading.statement import read_books
from consumers.ledger.service import SERVICE
from consumers.runtime.fate import Fate
from consumers.runtime.service import Poison
from consumers.runtime.store.tables import RuntimeTables
from router.contract.event import Event
from router.contract.wire import encode_event
from tests.parts.brokers import Broker
from tests.parts.chaos.stream import Stream
from tests.parts.runtime.commands import Payrouter
from tests.parts.runtime.counting import TRACE
from tests.parts.runtime.members import Feed, feeding
from tests.parts.waiting import eventually

TUNING = {"park_longest_seconds": 0.2, "attempts": 10_000, "brake_after": 10_000}

QUIET = replace(SERVICE, handle=handle, configured=None)
"""The ledger with the test's handler, without an outcome topic."""


@pytest.fixture
async def ledger(
    broker: Broker, ledger_url: str, topics_prefix: str
) -> AsyncIterator[tuple[Feed, AsyncEngine]]:
    """Yield the topics of a ledger and the engine of its books, all empty."""
    engine = create_async_engine(ledger_url)
    try:
        async with feeding(broker, engine, topics_prefix, QUIET) as feed:
            yield feed, engine
    finally:
        await engine.dispose()


@dataclass
class Trouble:
    """Events that fail in the handler, so that some records are parked, dead and done."""

    dead: set[UUID]
    parked: set[UUID]
    passing: set[UUID]

    @classmethod
    def among(cls, told: Sequence[Event]) -> "Trouble":
        """Choose events of different payments."""
        first = list({each.provider_reference: each.id for each in told}.values())
        return cls(set(first[10:14]), set(first[20:23]), set(first[30:33]))

    async def handle(self, transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        """Apply events like the ledger, but fail for the chosen ones."""
        ids = {each.id for each in events}
        if ids & self.dead:
            message = "never"
            raise Poison(message)
        if ids & (self.parked | self.passing):
            message = "not now"
            raise ValueError(message)
        return await handle(transaction, events)


async def send(feed: Feed, told: Sequence[Event]) -> None:
    for event in told:
        out = encode_event(event, f"{feed.prefix}{event.type.family}", TRACE)
        await feed.producer.send(out.topic, out.value, out.key, headers=list(out.headers))
    await feed.producer.flush()


async def scalar(engine: AsyncEngine, query: str) -> Any:  # noqa: ANN401 - any column
    async with engine.connect() as connection:
        return await connection.scalar(text(query))


async def content(engine: AsyncEngine) -> dict[str, str]:
    """Return a hash of all rows of each of the ledger's own tables."""
    own = {table.name for table in RuntimeTables.of("ledger").metadata.tables.values()}
    async with engine.connect() as connection:
        names = await connection.scalars(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'ledger'")
        )
        tables = sorted({*names} - own)
        query = "SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM ledger.{} AS t"
        return {name: await connection.scalar(text(query.format(name))) for name in tables}


async def settled(engine: AsyncEngine, records: int, lanes: int) -> None:
    """Wait until `records` are passed and records wait in at most `lanes` lanes."""

    async def all_passed() -> bool:
        passed = await scalar(engine, "SELECT sum(next_offset) FROM ledger.fence")
        query = "SELECT count(DISTINCT lane) FROM ledger.held WHERE state = 'parked'"
        return (passed, await scalar(engine, query)) == (records, lanes)

    await eventually(all_passed, f"{records} records passed, {lanes} lanes waiting")


async def states(engine: AsyncEngine) -> set[str]:
    async with engine.connect() as connection:
        return set(await connection.scalars(text("SELECT DISTINCT state FROM ledger.held")))


async def test_consuming_topics_four_times_changes_no_row_of_the_books(
    ledger: tuple[Feed, AsyncEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, engine = ledger
    payrouter = Payrouter(feed, tmp_path, monkeypatch)
    stream = Stream(Random(20261122))
    batches = stream.batches()
    told = [each for _ in range(12) for each in next(batches)]
    trouble = Trouble.among(told)
    lanes = len(trouble.parked)
    async with feed.member(trouble.handle, **TUNING):
        await send(feed, told)
        await settled(engine, len(told), lanes + len(trouble.passing))
        trouble.passing.clear()
        await settled(engine, len(told), lanes)
        assert await states(engine) == {"parked", "dead", "done"}
        before = await content(engine)
        assert {"event", "position", "posting", "transaction"} <= before.keys()
        # No operator posts a transfer in this test.
        assert {name for name, rows in before.items() if rows is None} == {"transfer"}
        for _ in range(2):
            for family in ("payment", "payout"):
                reset = ("offsets", "reset", "ledger", "--topic", family, "--to", "earliest")
                said = await payrouter(*reset, "--yes")
                assert said.status == 0, said.err
            await settled(engine, len(told), lanes)
            assert await content(engine) == before
        for times in (2, 3):
            await send(feed, told)
            await settled(engine, times * len(told), lanes)
            assert await content(engine) == before
        assert await states(engine) == {"parked", "dead", "done"}
        # No waiting record was lost, or booked more than once.
        trouble.parked.clear()
        trouble.dead.clear()
        assert (await payrouter("dlq", "replay", "ledger", "--yes", "--rate", "1000")).status == 0
        await settled(engine, 3 * len(told), 0)
        assert await content(engine) != before
    async with engine.connect() as connection:
        books = await read_books(connection)
    assert books.balanced
    assert books.transactions == stream.transactions
    assert {(b.account, b.currency): b.amount for b in books.named if b.amount} == stream.end()
