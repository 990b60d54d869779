"""Applies one record in one transaction: lock the fence, claim the id, handle, move the fence."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from consumers.exactly_once.errors import FenceMovedElsewhere, ReaderTooOld, UnusableRecord
from consumers.exactly_once.kinds import Identified, KeepUnusable, Unusable, identified
from consumers.exactly_once.store import GroupFence, Store
from consumers.exactly_once.timing import Timing
from consumers.runtime.records import Reader, Record
from router.contract.identity import contradicts
from router.contract.wire import ReaderOutdated, UndecodableRecord

Handle = Callable[[Any, AsyncSession], Awaitable[None]]
"""Has the effect of a record's content through the session; an exception rolls it back."""

_LIMITS = text(
    "SELECT set_config('lock_timeout', :lock, true),"
    " set_config('idle_in_transaction_session_timeout', :idle, true)"
)


class Outcome(StrEnum):
    """Outcome of a record."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    SET_ASIDE = "set_aside"


@dataclass(frozen=True)
class RecordApplier:
    """Applies the records of one group."""

    engine: AsyncEngine
    store: Store
    read: Reader
    timing: Timing
    keep: KeepUnusable | None = None

    async def apply(
        self, fence: GroupFence, record: Record, handle: Handle
    ) -> tuple[GroupFence, Outcome]:
        """Apply a record at or, after an explained gap, behind the fence; all or nothing.

        `fence` is the one that this process read last. Raises FenceMovedElsewhere if the stored one
        differs, UnusableRecord or ReaderTooOld if the record cannot be given to the handler, and
        whatever handler and database raise.
        """
        message = self._read(record)
        async with self.engine.begin() as connection:
            limits = {"lock": _ms(self.timing.lock_seconds), "idle": _ms(self.timing.idle_seconds)}
            await connection.execute(_LIMITS, limits)
            stored = await self.store.read(connection, fence.key, lock=True)
            if stored is None or not _is_as_known(stored, fence):
                raise FenceMovedElsewhere
            outcome = await self._effect(connection, stored, record, message, handle)
            return await self.store.move(connection, stored, record, outcome), outcome

    def _read(self, record: Record) -> Identified | Unusable:
        """Read a record; an exception of the reader makes it unusable, as in the runtime."""
        try:
            return identified(self.read(record.value, record.headers))
        except ReaderOutdated as problem:
            message = f"{record.partition} offset {record.offset}: {problem}"
            raise ReaderTooOld(message) from None
        except UndecodableRecord as problem:
            return Unusable(record, str(problem))
        except Exception as problem:  # noqa: BLE001 - one record must not decide how it fails
            return Unusable(record, f"{type(problem).__name__} raised while reading it")

    async def _effect(
        self,
        connection: AsyncConnection,
        fence: GroupFence,
        record: Record,
        message: Identified | Unusable,
        handle: Handle,
    ) -> Outcome:
        if isinstance(message, Unusable):
            return await self._set_aside(connection, message)
        known = await self.store.claim(connection, fence.key.group_id, message, record)
        if known is None:
            await _within(connection, lambda session: handle(message.content, session))
            return Outcome.APPLIED
        if contradicts(known, message.fingerprint):
            problem = f"event {message.id} was applied before with other facts (conflict)"
            return await self._set_aside(connection, Unusable(record, problem))
        return Outcome.DUPLICATE

    async def _set_aside(self, connection: AsyncConnection, unusable: Unusable) -> Outcome:
        keep = self.keep
        if keep is None:
            raise UnusableRecord(unusable)
        await _within(connection, lambda session: keep(unusable, session))
        return Outcome.SET_ASIDE


async def _within(
    connection: AsyncConnection, work: Callable[[AsyncSession], Awaitable[None]]
) -> None:
    """Do work with a session of this transaction: its commit only ends a savepoint."""
    mode = "create_savepoint"
    async with AsyncSession(
        connection, join_transaction_mode=mode, expire_on_commit=False
    ) as session:
        await work(session)
        await session.commit()


def _is_as_known(stored: GroupFence, known: GroupFence) -> bool:
    """Return whether no one has moved the fence, or stored it for another topic of this name."""
    return (stored.next_offset, stored.topic_id) == (known.next_offset, known.topic_id)


def _ms(seconds: float) -> str:
    return f"{int(seconds * 1000)}ms"
