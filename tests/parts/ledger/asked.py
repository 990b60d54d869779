"""Runs `payrouter ledger …` on a database prepared by the test."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from click.testing import Result
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from consumers.ledger.handler import handle
from consumers.ledger.service import SERVICE
from consumers.runtime.settings import ConsumerSettings, Tuning
from router.contract.event import Event
from router.contract.topics import Topics
from tests.parts.connections import connection_to
from tests.parts.runtime.own_commands import run_own

UNGUARDED = tuple(
    f"ALTER TABLE ledger.{table} DISABLE TRIGGER ALL"
    for table in ("posting", "transaction", "event")
)
"""Statements that disable the journal's triggers, which only the owner may run."""


def settings(url: str) -> ConsumerSettings:
    """Return the settings for the ledger's commands."""
    return ConsumerSettings("ledger", connection_to(), SecretStr(url), Topics(), Tuning())


def ask(url: str, *arguments: str) -> Result:
    """Run a command of the ledger."""
    return run_own(SERVICE, settings(url), arguments)


def asked(url: str, *arguments: str, status: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Run a command with `--json` and return its parsed output."""
    result = ask(url, *arguments, "--json")
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


def set_up(url: str, events: Sequence[Event], *statements: str) -> None:
    """Apply events to an empty ledger, and then run statements."""
    asyncio.run(_set_up(url, events, statements))


def run(url: str, *statements: str) -> None:
    """Run statements on an existing ledger."""
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
