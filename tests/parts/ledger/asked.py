"""`payrouter ledger …` as its tests run it: on a database that is set up for the purpose."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import click
from click.testing import CliRunner, Result
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from consumers.ledger import SERVICE
from consumers.ledger.handler import handle
from consumers.runtime.settings import ConsumerSettings, Tuning
from router.contract.event import Event
from router.contract.topics import Topics

UNGUARDED = tuple(
    f"ALTER TABLE ledger.{table} DISABLE TRIGGER ALL"
    for table in ("posting", "transaction", "event")
)
"""Takes the journal's guards away, as only its owner can."""


def settings(url: str) -> ConsumerSettings:
    """Return the settings of a ledger's commands."""
    return ConsumerSettings("ledger", {}, SecretStr(url), Topics(), Tuning())


def ask(url: str, *arguments: str) -> Result:
    """Give a command of the ledger."""
    group = click.Group(commands={command.name or "": command for command in SERVICE.commands})
    return CliRunner().invoke(group, arguments, obj=settings(url))


def asked(url: str, *arguments: str, status: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Give a command with `--json` and return what it printed."""
    result = ask(url, *arguments, "--json")
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


def set_up(url: str, events: Sequence[Event], *statements: str) -> None:
    """Apply events to an empty ledger, and then run statements."""
    asyncio.run(_set_up(url, events, statements))


def run(url: str, *statements: str) -> None:
    """Run statements on a ledger that is there."""
    asyncio.run(_run(url, statements))


async def _set_up(url: str, events: Sequence[Event], statements: Sequence[str]) -> None:
    engine: AsyncEngine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as transaction:
        await handle(transaction, events)
    await _run(url, statements)


async def _run(url: str, statements: Sequence[str]) -> None:
    engine: AsyncEngine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as transaction:
        for statement in statements:
            await transaction.execute(text(statement))
