"""The model of a database server: transactions, their ends, and the faults that it is given."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy.exc import DBAPIError

from tests.simulation.store import errors
from tests.simulation.store.locks import Key, Locks, LocksInCircle
from tests.simulation.store.rows import Changes, Committed, View

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class StatementFault(StrEnum):
    """Faults of one statement, or of one commit."""

    LOST = "the connection is lost"
    DEADLOCK = "a deadlock is resolved"
    SHUT_DOWN = "the server is shut down"
    DISK_FULL = "the disk is full"
    RIGHT = "a right is missing"
    COMMIT_LOST = "the connection is lost before the commit"
    COMMIT_UNKNOWN = "the connection is lost after the commit, before its answer"


_AT_COMMIT = {StatementFault.COMMIT_LOST, StatementFault.COMMIT_UNKNOWN}

_REFUSALS: dict[StatementFault, Callable[[], DBAPIError]] = {
    StatementFault.DEADLOCK: errors.deadlock,
    StatementFault.SHUT_DOWN: errors.shutting_down,
    StatementFault.DISK_FULL: errors.disk_full,
    StatementFault.RIGHT: errors.missing_right,
}


async def no_pause() -> None:
    """Pause never: every statement is answered at once."""


@dataclass
class ModelDatabase:
    """One server. `pause` is the time a statement takes; `watch` sees each commit."""

    pause: Callable[[], Awaitable[None]] = no_pause
    watch: Callable[["Session"], None] = lambda _session: None
    committed: Committed = field(default_factory=Committed)
    locks: Locks = field(default_factory=Locks)
    is_away: bool = False
    is_read_only: bool = False
    clock_ahead: float = 0.0
    """By how many seconds the server's clock is ahead of the true time."""
    faults: list[StatementFault] = field(default_factory=list)
    sessions: dict[int, "Session"] = field(default_factory=dict)
    _owners: Iterator[int] = field(default_factory=itertools.count)

    def now(self) -> datetime:
        """Return the time by the server's clock."""
        return _EPOCH + timedelta(seconds=asyncio.get_running_loop().time() + self.clock_ahead)

    def go_away(self) -> None:
        """Stop the server: every open transaction is lost."""
        self.is_away = True
        for session in list(self.sessions.values()):
            session.lose()

    def end_idle(self, owner: object) -> None:
        """End the transactions of a process that sent no statement for too long."""
        for session in list(self.sessions.values()):
            if session.owner == owner and not self.locks.waits(session.number):
                session.lose()

    def take_fault(self, *, at_commit: bool) -> StatementFault | None:
        """Return the fault that the next statement or commit has, once."""
        if self.faults and (self.faults[0] in _AT_COMMIT) is at_commit:
            return self.faults.pop(0)
        return None

    @asynccontextmanager
    async def session(
        self, gate: Callable[[], Awaitable[None]], owner: object
    ) -> AsyncIterator["Session"]:
        """Open a transaction of a process, which `gate` stops while it is frozen."""
        await gate()
        await self.pause()
        if self.is_away:
            raise errors.away()
        session = Session(self, gate, owner, next(self._owners), self.now())
        self.sessions[session.number] = session
        try:
            yield session
            await session.commit()
        finally:
            session.lose()
            del self.sessions[session.number]


@dataclass
class Session:
    """One transaction: what it sees, has changed, and has locked."""

    database: ModelDatabase
    gate: Callable[[], Awaitable[None]]
    owner: object
    number: int
    began: datetime
    view: View = field(init=False)
    is_lost: bool = False
    is_aborted: bool = False
    first_failure: BaseException | None = None

    def __post_init__(self) -> None:
        """Begin without changes."""
        self.view = View(self.database.committed)

    async def begin_statement(self, *, writes: bool = True) -> None:
        """Begin a statement, or raise the error with which it ends."""
        await self.gate()
        await self.database.pause()
        self._require_open()
        fault = self.database.take_fault(at_commit=False)
        if fault is not None:
            self._fail(fault)
        if writes and self.database.is_read_only:
            raise self.abort(errors.read_only())

    async def lock(self, key: Key) -> None:
        """Lock a row until the end of the transaction."""
        try:
            await self.database.locks.take(self.number, key)
        except LocksInCircle:
            raise self.abort(errors.deadlock()) from None
        if self.is_lost:
            self.database.locks.release(self.number, {key})
            raise errors.connection_lost()

    def try_lock(self, key: Key) -> bool:
        """Lock a row if no other transaction has; return whether it is locked now."""
        return self.database.locks.try_take(self.number, key)

    def abort(self, error: DBAPIError) -> DBAPIError:
        """Let every further statement fail, and return the error that is the cause."""
        self.is_aborted = True
        self.first_failure = self.first_failure or error
        return error

    def lose(self) -> None:
        """End the transaction without its changes, if it has not ended."""
        self.is_lost = True
        locks = self.database.locks
        locks.release(self.number, locks.held_by(self.number))

    async def commit(self) -> None:
        """Commit; an aborted transaction ends without its changes and without an error."""
        await self.gate()
        await self.database.pause()
        if self.is_lost:
            raise errors.connection_lost()
        fault = self.database.take_fault(at_commit=True)
        if fault is StatementFault.COMMIT_LOST:
            self.lose()
            raise errors.connection_lost()
        if not self.is_aborted and self.view.changes:
            self.database.watch(self)
            self.database.committed.apply(self.view.changes)
        self.lose()
        # The process may be killed here, before it learns of its commit.
        await self.database.pause()
        if fault is StatementFault.COMMIT_UNKNOWN:
            raise errors.connection_lost()

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Open a part that is undone alone, with its locks, if the block fails."""
        await self.begin_statement(writes=False)
        before: Changes = dict(self.view.changes)
        held = self.database.locks.held_by(self.number)
        try:
            yield
        except BaseException:
            if not self.is_lost:
                self.view.changes = before
                later = self.database.locks.held_by(self.number) - held
                self.database.locks.release(self.number, later)
                self.is_aborted, self.first_failure = False, None
            raise

    def _require_open(self) -> None:
        if self.is_lost:
            raise errors.connection_lost()
        if self.is_aborted:
            raise errors.aborted()

    def _fail(self, fault: StatementFault) -> None:
        if fault is StatementFault.LOST:
            self.lose()
            raise errors.connection_lost()
        raise self.abort(_REFUSALS[fault]())
