"""The transfers in `payrouter trace`: those with the id or the order that is searched for."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import ACCOUNT, TRANSACTION, TRANSFER
from consumers.runtime.trail import TrailQuery, TrailStep
from router.contract.amounts import amount_text

LISTED = 200
"""Maximum number of transfers per search; the newest are returned."""

_SOURCE, _TARGET = ACCOUNT.alias("source"), ACCOUNT.alias("target")


async def transfer_steps(connection: AsyncConnection, sought: TrailQuery) -> Sequence[TrailStep]:
    """Return one step for each transfer found, with who posted it, and why."""
    rows = await connection.execute(
        select(
            TRANSFER,
            TRANSACTION.c.id.label("transaction"),
            TRANSACTION.c.posted_at,
            _SOURCE.c.account,
            _SOURCE.c.name.label("source"),
            _TARGET.c.name.label("target"),
        )
        .join_from(TRANSFER, TRANSACTION, TRANSACTION.c.transfer_id == TRANSFER.c.id)
        .join(_SOURCE, _SOURCE.c.id == TRANSFER.c.from_account)
        .join(_TARGET, _TARGET.c.id == TRANSFER.c.to_account)
        .where(named(sought))
        .order_by(TRANSFER.c.recorded_at.desc(), TRANSFER.c.id)
        .limit(LISTED)
    )
    return [_step(row) for row in rows]


def named(sought: TrailQuery) -> ColumnElement[bool]:
    """Select the transfers searched for, by indexed columns only."""
    orders = [
        and_(TRANSFER.c.reference == reference, _SOURCE.c.account == account)
        for account, reference in sorted(sought.orders)
    ]
    ids = TRANSFER.c.id == func.any(sorted(sought.event_ids))
    any_one = or_(TRANSFER.c.reference == sought.text, ids, *orders)
    if sought.accounts is None:
        return any_one
    return and_(any_one, _SOURCE.c.account == func.any(sorted(sought.accounts)))


def _step(row: Row[Any]) -> TrailStep:
    amount = amount_text(row.amount)
    facts = {
        "transaction": str(row.transaction),
        "line 1": f"{row.target} {amount} {row.currency}",
        "line 2": f"{row.source} -{amount} {row.currency}",
        "by": row.who,
        "reason": row.reason,
        "transfer": str(row.id),
        "account": row.account,
    }
    if row.undoes is not None:
        facts["undoes"] = str(row.undoes)
    order = None if row.reference is None else (row.account, row.reference)
    return TrailStep(row.posted_at, "transferred", order=order, facts=facts)
