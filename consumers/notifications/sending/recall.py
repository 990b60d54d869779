"""What was sent before the database was restored is not sent again: the outcomes report it.

An outcome names its message and the attempt that succeeded. The number of attempts is never reset,
so an outcome of a later attempt than the database has was lost with the database.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.notifications.sending.dispatcher import SENT_WORD
from consumers.notifications.sending.leases import SentAttempt, as_sent_at
from consumers.notifications.tables import LEASED, MESSAGE, SENT_BEFORE
from router.contract.outcome import OutcomeEvent


async def recall_sent(transaction: AsyncConnection, outcomes: Sequence[OutcomeEvent]) -> int:
    """Mark the messages that were sent without this database's knowledge; return their number.

    A message that does not exist yet is marked once it is created.
    """
    lacked = 0
    latest = _latest(outcomes)
    known = await _attempts_of(transaction, latest)
    for each in latest.values():
        if each.message_id in known:
            lacked += await _mark(transaction, each)
        else:
            lacked += await _note(transaction, each)
    return lacked


def _latest(outcomes: Iterable[OutcomeEvent]) -> Mapping[UUID, SentAttempt]:
    """Return the last attempt of each message that was sent, in the order of their ids."""
    sent = sorted(each for each in map(_sending, outcomes) if each is not None)
    return {each.message_id: each for each in sent}


def _sending(outcome: OutcomeEvent) -> SentAttempt | None:
    message, attempts = outcome.data.get("message"), outcome.data.get("attempts")
    if outcome.type != SENT_WORD or not isinstance(attempts, int):
        return None
    try:
        return SentAttempt(UUID(str(message)), attempts, outcome.at)
    except ValueError:
        return None


async def _attempts_of(
    transaction: AsyncConnection, messages: Iterable[UUID]
) -> Mapping[UUID, int]:
    rows = await transaction.execute(
        select(MESSAGE.c.id, MESSAGE.c.attempts).where(MESSAGE.c.id == func.any(list(messages)))
    )
    return {row.id: row.attempts for row in rows}


async def _mark(transaction: AsyncConnection, sending: SentAttempt) -> int:
    """Mark a message as sent if the database lacks the attempt or its result."""
    same = and_(MESSAGE.c.attempts == sending.attempts, MESSAGE.c.state == LEASED)
    changed = await transaction.execute(
        update(MESSAGE)
        .where(MESSAGE.c.id == sending.message_id)
        .where(or_(MESSAGE.c.attempts < sending.attempts, same))
        .values(as_sent_at(sending))
    )
    return changed.rowcount


async def _note(transaction: AsyncConnection, sending: SentAttempt) -> int:
    values = {
        "message_id": sending.message_id,
        "attempts": sending.attempts,
        "sent_at": sending.at,
    }
    changed = await transaction.execute(insert(SENT_BEFORE).values(values).on_conflict_do_nothing())
    return changed.rowcount
