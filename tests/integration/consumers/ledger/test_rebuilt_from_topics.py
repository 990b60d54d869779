"""Topics consumed into an emptied database, with the operations imported, give the same books."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.ledger.handler import handle
from consumers.ledger.service import SERVICE
from router.contract.event import Event
from router.contract.wire import encode_event
from tests.parts.brokers import Broker
from tests.parts.ledger.told import told
from tests.parts.ledger.transferring import BANK, OVERPAID, PAYMENTS, SUSPENSE, WALLET
from tests.parts.runtime.commands import Payrouter
from tests.parts.runtime.counting import TRACE
from tests.parts.runtime.members import Feed, feeding
from tests.parts.templates import Templates
from tests.parts.waiting import eventually

QUIET = replace(SERVICE, handle=handle, configured=None)
"""The ledger without an outcome topic."""

UNKNOWN = told("payment.confirmed", payment="P-2", reference="A-2")
EVENTS = (OVERPAID, UNKNOWN, told("payout.confirmed", "30", payment="W-1"))


@pytest.fixture
async def feed(broker: Broker, ledger: AsyncEngine, topics_prefix: str) -> AsyncIterator[Feed]:
    """Yield the topics of a ledger, empty."""
    async with feeding(broker, ledger, topics_prefix, QUIET) as feed:
        yield feed


async def send(feed: Feed, events: tuple[Event, ...]) -> None:
    for event in events:
        out = encode_event(event, f"{feed.prefix}{event.type.family}", TRACE)
        await feed.producer.send(out.topic, out.value, out.key, headers=list(out.headers))
    await feed.producer.flush()


async def consumed(feed: Feed) -> None:
    """Run the ledger until it has applied every event."""
    query = text("SELECT count(*) FROM ledger.event")

    async def everything() -> bool:
        async with feed.engine.connect() as connection:
            return bool(await connection.scalar(query) == len(EVENTS))

    async with feed.member():
        await eventually(everything, "every event is applied")


async def test_emptied_books_are_rebuilt_from_topics_and_file(
    feed: Feed, templates: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(feed, EVENTS)
    await consumed(feed)
    payrouter = Payrouter(feed, tmp_path, monkeypatch)
    moves = ((PAYMENTS, SUSPENSE, "20", "USDT"), (WALLET, BANK, "60", "USDT"))
    for move in moves:
        said = await payrouter("ledger", "transfer", *move, "--reason", "agreed", "--yes")
        assert said.status == 0, said.err
    (case,) = (await payrouter("cases", "list", "--json")).json["cases"]
    said = await payrouter("cases", "close", case["case"], "--reason", "asked", "--yes")
    assert said.status == 0, said.err
    books = (await payrouter("ledger", "balance", "--json")).json
    operations = tmp_path / "operations.jsonl"
    operations.write_text((await payrouter("ledger", "export", "--operations")).out)

    with templates.copied(SERVICE) as url:
        feed.engine = create_async_engine(url)
        try:
            payrouter = Payrouter(feed, tmp_path, monkeypatch)
            await consumed(feed)
            assert (await payrouter("ledger", "balance", "--json")).json != books
            assert len((await payrouter("cases", "list", "--json")).json["cases"]) == 1
            for _ in range(2):
                said = await payrouter("ledger", "import", str(operations), "--yes")
                assert said.status == 0, said.err
            assert (await payrouter("ledger", "balance", "--json")).json == books
            assert (await payrouter("ledger", "verify", "--json")).json["good"]
            assert (await payrouter("cases", "list", "--json")).json["cases"] == []
        finally:
            await feed.engine.dispose()
