"""Runs `payrouter ledger record`, and applies what it puts into the outbox."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from click.testing import Result
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from consumers.ledger.book import SCHEMA
from consumers.ledger.handler import handle
from consumers.runtime.apply.outbox import Outgoing, delete_sent, read_unsent
from consumers.runtime.commands.actions.held_admin import list_operations
from consumers.runtime.store.tables import RuntimeTables
from router.contract.event import Event
from router.contract.wire import decode_event
from tests.parts.ledger.asked import ask

_USUAL: Mapping[str, str] = {
    "--type": "payment.confirmed",
    "--amount": "90",
    "--currency": "USDT",
    "--reason": "seen on chain",
}


def record(url: str, payment: str = "P-1", *flags: str, **options: str) -> Result:
    """Run the command; `options` change the usual ones: `type="payment.refunded"`."""
    given = {**_USUAL, **{f"--{name}": value for name, value in options.items()}}
    words = [word for pair in given.items() for word in pair]
    return ask(url, "record", payment, *words, *flags)


def shown(url: str, payment: str = "P-1", **options: str) -> Any:  # noqa: ANN401 - JSON
    """Return what the command shows without `--yes`."""
    result = record(url, payment, "--json", **options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def recorded_by_command(url: str, payment: str = "P-1", **options: str) -> Any:  # noqa: ANN401 - JSON
    """Look and record at once, as an operator does with two commands."""
    version = shown(url, payment, **options)["version"]
    result = record(url, payment, "--json", "--yes", version=version, **options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def outgoing(url: str) -> Sequence[tuple[Outgoing, Event]]:
    """Return the events of operators in the outbox, with their records."""
    return asyncio.run(_outgoing(url))


def operations(url: str) -> Sequence[str]:
    """Return what operators did, as records of operations keep it."""
    return asyncio.run(_operations(url))


def relay(url: str) -> None:
    """Apply the events in the outbox as the running ledger does, and delete them there."""
    asyncio.run(_relay(url))


async def _outgoing(url: str) -> Sequence[tuple[Outgoing, Event]]:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        found = await read_unsent(connection, RuntimeTables.of(SCHEMA), 100)
    events = [each for _, each in found if each.topic in {"payment", "payout"}]
    return [(each, decode_event(each.value, each.headers)) for each in events]


async def _operations(url: str) -> Sequence[str]:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        found = await list_operations(connection, RuntimeTables.of(SCHEMA))
    return [f"{each.what}: {each.detail}" for each in found]


async def _relay(url: str) -> None:
    events = [event for _, event in await _outgoing(url)]
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as transaction:
        found = await read_unsent(transaction, RuntimeTables.of(SCHEMA), 100)
        await delete_sent(transaction, RuntimeTables.of(SCHEMA), [number for number, _ in found])
        await handle(transaction, events)
