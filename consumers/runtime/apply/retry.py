"""Retries parked records that are due, in the order of their lanes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from consumers.runtime.apply.bookkeeping import Bookkeeping, BookkeepingTransaction
from consumers.runtime.apply.dead_letters import dead_letter
from consumers.runtime.apply.failures import describe, park_pause
from consumers.runtime.apply.held import HeldReason, Hold, error_text, headers_from
from consumers.runtime.apply.plan import conflict_text
from consumers.runtime.apply.process import Applier, received_at
from consumers.runtime.fate import Fate
from consumers.runtime.records import Decoded, Partition, Record, TooNew, Undecodable
from consumers.runtime.service import HandlerFailed, HandlerSlow, Poison
from consumers.runtime.settings import Tuning
from consumers.runtime.store.database import StoreAway
from consumers.runtime.store.due_records import DueRecord, FailedAttempt
from consumers.runtime.store.schema_version import SchemaOutdated

HEADS = 50
"""Maximum number of lanes per round."""


class RetryRefused(Exception):  # noqa: N818 - reads as what happened
    """The runtime refuses to apply the record, for the given reason."""

    def __init__(self, reason: HeldReason, error: str) -> None:
        """Store the reason, and the error text."""
        super().__init__(error)
        self.reason = reason


@dataclass(frozen=True)
class RetryResult:
    """Result of one retry; `fate` is one of `RETRY_FATES`."""

    partition: Partition
    offset: int
    fate: Fate
    error: str | None = None
    reason: HeldReason | None = None
    received: datetime | None = None
    """When the edge received the event, if it was applied."""


@dataclass(frozen=True)
class RetryRound:
    """Results of a round of retries, and the first failure of the store, if any."""

    tries: Sequence[RetryResult]
    failure: Exception | None = None


async def retry_due(applier: Applier, stored: Bookkeeping, tuning: Tuning) -> RetryRound:
    """Retry the first record of each lane that is due, each in its own transaction.

    Records of a topic whose brake holds are skipped. Neither a failure of the
    store nor a record of a later version counts as an attempt: the record
    is retried after a pause, so that the others get their turn. A handler that
    takes too long counts as an attempt. Raises StoreAway if the database is
    unreachable.
    """
    async with stored.transaction() as books:
        due = await books.due(HEADS)
    tries: list[RetryResult] = []
    failure: Exception | None = None
    for number in due:
        try:
            tried = await _retry(applier, stored, number, tuning)
        except StoreAway as away:
            return RetryRound(tries, failure or away)
        except Exception as error:  # noqa: BLE001 - the round reports it and goes through the others
            failure = failure or error
            if not await _postpone_after_store_failure(stored, number, error, tuning):
                return RetryRound(tries, failure)
        else:
            tries += [tried] if tried is not None else []
    return RetryRound(tries, failure)


async def _retry(
    applier: Applier, stored: Bookkeeping, number: int, tuning: Tuning
) -> RetryResult | None:
    try:
        return await _try(applier, stored, number, tuning)
    except HandlerSlow as slow:
        # The server may also have closed the connection, which released the row's lock.
        return await _try(applier, stored, number, tuning, failed=slow)


async def _postpone_after_store_failure(
    stored: Bookkeeping, number: int, error: Exception, tuning: Tuning
) -> bool:
    """Postpone a record without counting an attempt; return False if the store fails again."""
    problem = error_text(describe(error))
    try:
        async with stored.transaction() as books:
            await books.postpone(number, _pause_after(1, tuning), problem)
    except (StoreAway, SchemaOutdated, SQLAlchemyError, OSError):
        # The caller reports the first failure, which caused this one.
        return False
    return True


async def _try(
    applier: Applier,
    stored: Bookkeeping,
    number: int,
    tuning: Tuning,
    failed: Exception | None = None,
) -> RetryResult | None:
    """Retry one record; its row stays locked until the result is written.

    Return None if another process is retrying it, or already has. `failed` is the
    error of this attempt, if it is already known.
    """
    async with stored.transaction() as books:
        due = await books.lock_due(number)
        if due is None:
            return None
        arrived = _decode_row(applier, due)
        if isinstance(arrived, TooNew):
            return await _postpone_too_new(books, due, arrived, tuning)
        if failed is None:
            try:
                async with books.savepoint():
                    fate, received = await _apply(books, applier, arrived)
            except (HandlerFailed, Poison, RetryRefused) as error:
                failed = error
        if failed is not None:
            tried = _FailedTry(failed, arrived, due.attempts + 1)
            return await _count_failure(books, applier, due, tried, tuning)
        await books.end_retry(number, fate)
        return RetryResult(due.partition, due.offset, fate, received=received)


async def _apply(
    books: BookkeepingTransaction, applier: Applier, arrived: Decoded | Undecodable
) -> tuple[Fate, datetime | None]:
    if isinstance(arrived, Undecodable):
        raise RetryRefused(HeldReason.UNREADABLE, arrived.problem)
    claims = await books.claim([arrived])
    if claims.conflicts:
        raise RetryRefused(HeldReason.CONFLICT, conflict_text(arrived, claims.conflicts[0]))
    if not claims.new:
        return Fate.DUPLICATE, None
    (fate,) = await applier.handle(books, [arrived])
    return fate, received_at(arrived) if fate is Fate.APPLIED else None


async def _postpone_too_new(
    books: BookkeepingTransaction, due: DueRecord, arrived: TooNew, tuning: Tuning
) -> RetryResult:
    """Postpone a record that only a later version can read, without counting an attempt.

    A later version parked it and was rolled back; the next upgrade applies it.
    """
    problem = error_text(f"{arrived.problem}: upgrade payrouter")
    await books.postpone(due.number, _pause_after(1, tuning), problem, HeldReason.FAILED)
    return RetryResult(due.partition, due.offset, Fate.PARKED, problem)


@dataclass(frozen=True)
class _FailedTry:
    """A failed attempt: the error, the record, and the number of attempts so far."""

    error: Exception
    arrived: Decoded | Undecodable
    attempts: int

    @property
    def text(self) -> str:
        """Text of the error, as stored."""
        error = self.error
        return error_text(str(error) if isinstance(error, RetryRefused) else describe(error))


async def _count_failure(
    books: BookkeepingTransaction,
    applier: Applier,
    due: DueRecord,
    tried: _FailedTry,
    tuning: Tuning,
) -> RetryResult:
    """Count the attempt; the record dies if it was the last one or if retrying cannot help."""
    attempts, problem = tried.attempts, tried.text
    reason = _death_reason(tried.error, attempts, tuning)
    if reason is None:
        pause = _pause_after(attempts, tuning)
        kept = FailedAttempt(attempts, HeldReason.FAILED.value, problem, pause)
        await books.count_attempt(due.number, kept)
        return RetryResult(due.partition, due.offset, Fate.PARKED, problem)
    died = FailedAttempt(attempts, reason.value, problem, None)
    await books.count_attempt(due.number, died)
    dead = Hold(tried.arrived, Fate.DEAD, reason, problem, attempts)
    await books.publish([dead_letter(applier.service.name, dead, due.first_failed_at)])
    return RetryResult(due.partition, due.offset, Fate.DEAD, problem, reason)


def _pause_after(attempts: int, tuning: Tuning) -> float:
    """Return how many seconds a record waits after so many attempts."""
    return park_pause(attempts, tuning.park_seconds, tuning.park_longest_seconds)


def _death_reason(error: Exception, attempts: int, tuning: Tuning) -> HeldReason | None:
    """Return why the record dies now; None if it is retried."""
    if isinstance(error, RetryRefused):
        return error.reason
    if isinstance(error, Poison):
        return HeldReason.POISON
    return HeldReason.EXHAUSTED if attempts >= tuning.attempts else None


def _decode_row(applier: Applier, due: DueRecord) -> Decoded | Undecodable | TooNew:
    headers = headers_from(due.headers)
    record = Record(due.partition, due.offset, due.timestamp, due.key, due.value, headers)
    return applier.decode(record)
