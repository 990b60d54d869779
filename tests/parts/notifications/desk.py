"""Sample events and rules, and readers of messages, for the tests of the notifications."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.notifications.handler import NotificationHandler
from consumers.notifications.options import ChannelOptions, NotificationOptions
from consumers.notifications.tables import MESSAGE
from consumers.runtime.apply.outbox import read_unsent
from consumers.runtime.fate import Fate
from consumers.runtime.store.tables import RuntimeTables
from router.contract.event import Event
from tests.parts.contract.events import event

MAIL = "mailto://127.0.0.1:25?from=shop@example.com"
HOOK = "json://127.0.0.1:9/hook"
EMAIL = "ann@example.com"


def told(kind: str, **facts: Any) -> Event:  # noqa: ANN401 - any field
    """Make an event that arrives now, with a new id."""
    now = datetime.now(UTC)
    return event(**{"id": uuid4(), "type": kind, "received_at": now, **facts})


def rule(on: Sequence[str] | str, to: str, *channels: str) -> dict[str, object]:
    """Return a rule as in the configuration."""
    return {"on": [on] if isinstance(on, str) else list(on), "to": to, "channels": list(channels)}


CUSTOMER_RULES = [rule(["payment.*", "subscription.*"], "customer", "mail")]


def options(
    rules: Sequence[dict[str, object]] = CUSTOMER_RULES, **more: object
) -> NotificationOptions:
    """Make options with a mail channel and a webhook, unreachable by default."""
    channels = {"mail": {"url": MAIL}, "hook": {"url": HOOK}}
    operators = {"on-call": {"email": "on-call@example.com"}}
    usual = {"rules": list(rules), "channels": channels, "operators": operators}
    return NotificationOptions.model_validate({**usual, **more})


def limits(**changes: object) -> ChannelOptions:
    """Make a channel's limits with short times."""
    usual = {"url": HOOK, "timeout_seconds": 5, "retry_seconds": 0.01}
    return ChannelOptions.model_validate({**usual, **changes})


async def applied(
    desk: AsyncEngine, chosen: NotificationOptions, *events: object
) -> Sequence[Fate]:
    """Apply one batch in a separate transaction."""
    async with desk.begin() as transaction:
        return await NotificationHandler(chosen)(transaction, events)


async def messages(desk: AsyncEngine) -> Sequence[Any]:
    """Read all messages, in the order of their creation."""
    async with desk.connect() as connection:
        query = select(MESSAGE).order_by(MESSAGE.c.created_at, MESSAGE.c.kind)
        return (await connection.execute(query)).all()


async def states(desk: AsyncEngine) -> list[str]:
    """Read the states of all messages, sorted."""
    return sorted(row.state for row in await messages(desk))


async def run(desk: AsyncEngine, statement: str) -> None:
    """Run a statement that simulates the passage of time or an accident."""
    async with desk.begin() as connection:
        await connection.execute(text(statement))


async def said(desk: AsyncEngine) -> list[tuple[str, str]]:
    """Read the topic and the key fact of the outcomes in the outbox."""
    async with desk.connect() as connection:
        box = await read_unsent(connection, RuntimeTables.of("notifications"), 1000)
    types = [dict(each.headers)["ce_type"] or b"" for _, each in box]
    return [(each.topic, kind.decode()) for (_, each), kind in zip(box, types, strict=True)]
