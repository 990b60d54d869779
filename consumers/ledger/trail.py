"""The ledger's part of `payrouter trace`: the history of an order, event or transaction."""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import ACCOUNT, EVENT, POSTING, SCHEMA, TRANSACTION
from consumers.ledger.reading.recorded import Authorship, authorship_of, recorded_body
from consumers.runtime.fate import Fate
from consumers.runtime.store.tables import RuntimeTables
from consumers.runtime.trail import TrailQuery, TrailStep
from router.contract.amounts import amount_text

LISTED = 200
"""Maximum number of events per search; the newest are returned."""


async def trail(connection: AsyncConnection, sought: TrailQuery) -> Sequence[TrailStep]:
    """Return the steps of every event found: delivered, recorded, posted or stale, cases opened.

    Transfers that name the order follow, one step each.
    """
    # Here, because every process of the consumer imports its trail and only a trace runs it.
    from consumers.ledger.transfers.trail import transfer_steps  # noqa: PLC0415

    events = await _events(connection, sought)
    transactions = await _transactions(connection, [row.event_id for row in events])
    steps = [step for row in events for step in _steps(row, transactions.get(row.event_id, []))]
    return [*steps, *await transfer_steps(connection, sought)]


async def _events(connection: AsyncConnection, sought: TrailQuery) -> Sequence[Row[Any]]:
    seen = RuntimeTables.of(SCHEMA).seen_event
    rows = await connection.execute(
        select(EVENT, seen.c.topic, seen.c.partition, seen.c.offset, recorded_body())
        .outerjoin_from(EVENT, seen, seen.c.event_id == EVENT.c.event_id)
        .where(matches(sought))
        .order_by(EVENT.c.applied_at.desc(), EVENT.c.event_id)
        .limit(LISTED)
    )
    return rows.all()


def matches(sought: TrailQuery) -> ColumnElement[bool]:
    """Select the events searched for, by indexed columns only."""
    text = sought.text
    named = [EVENT.c.reference == text, EVENT.c.provider_reference == text, EVENT.c.tx_hash == text]
    orders = [
        and_(EVENT.c.reference == reference, EVENT.c.account == account)
        for account, reference in sorted(sought.orders)
    ]
    any_one = or_(*named, *orders, EVENT.c.event_id == func.any(sorted(sought.event_ids)))
    if sought.accounts is None:
        return any_one
    return and_(any_one, EVENT.c.account == func.any(sorted(sought.accounts)))


async def _transactions(
    connection: AsyncConnection, event_ids: Sequence[UUID]
) -> Mapping[UUID, Sequence[Row[Any]]]:
    rows: Iterable[Row[Any]] = await connection.execute(
        select(
            TRANSACTION.c.event_id,
            TRANSACTION.c.id,
            TRANSACTION.c.posted_at,
            ACCOUNT.c.name,
            POSTING.c.currency,
            POSTING.c.amount,
        )
        .join_from(TRANSACTION, POSTING, POSTING.c.transaction_id == TRANSACTION.c.id)
        .join(ACCOUNT, ACCOUNT.c.id == POSTING.c.account_id)
        .where(TRANSACTION.c.event_id == func.any(list(event_ids)))
        .order_by(TRANSACTION.c.id, POSTING.c.line)
    )
    return {key: list(group) for key, group in groupby(rows, key=attrgetter("event_id"))}


def _steps(row: Row[Any], lines: Sequence[Row[Any]]) -> Iterable[TrailStep]:
    key, order = row.event_id, None if row.reference is None else (row.account, row.reference)
    yield TrailStep(row.received_at, "delivered", key, order, _delivered(row))
    yield TrailStep(row.applied_at, "recorded", key, order, _recorded(row))
    if lines:
        facts = {"transaction": str(lines[0].id)}
        for number, line in enumerate(lines, start=1):
            amount = f"{amount_text(line.amount)} {line.currency}"
            facts[f"line {number}"] = f"{line.name} {amount}"
        yield TrailStep(lines[0].posted_at, "posted", key, order, facts)
    elif row.outcome == Fate.STALE.value:
        facts = {"type": row.type, "why": "it adds nothing to the known facts"}
        yield TrailStep(row.applied_at, "stale", key, order, facts)
    for kind in (row.opened or "").split():
        facts = {"type": row.type, "case": f"{kind}; an operator should look"}
        yield TrailStep(row.applied_at, kind.replace("-", " "), key, order, facts, trouble=True)


def _delivered(row: Row[Any]) -> Mapping[str, str]:
    author: Authorship | None = authorship_of(row.recorded_body)
    if author is not None:
        return {"gateway": row.provider, "recorded by": author.by, "reason": author.reason}
    return {"endpoint": row.endpoint, "gateway": row.provider, "signature": row.scheme}


def _recorded(row: Row[Any]) -> Mapping[str, str]:
    place = None if row.offset is None else f"{row.topic}-{row.partition}@{row.offset}"
    facts = {
        "type": row.type,
        "amount": _money(row.amount, row.currency),
        "movement": row.movement,
        "movement amount": _money(row.movement_amount, row.currency),
        "network": row.network,
        "account": row.account,
        "payment": row.provider_reference,
        "tx": row.tx_hash,
        "money": "test, not real" if row.test else None,
        "unread": ", ".join(json.loads(row.unread or "[]")) or None,
        "offset": place,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _money(amount: Decimal | None, currency: str | None) -> str | None:
    return None if amount is None else f"{amount_text(amount)} {currency}"
