"""Whose fault an exception out of a handler is: the handler's and its event's, or the store's.

The database refuses a statement of the handler either for the data in it, or
for a reason that no other data would change: it is read-only, a right is
missing, it is full. Only the first is the event's; the rest is waited out.
Whatever the handler says on a connection that is lost is the store's too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import asyncpg
from sqlalchemy.exc import DBAPIError

from consumers.runtime.store.database import StoreAway

_OF_THE_DATA = (
    "21",  # cardinality violation: one row twice in a statement, a batch being too much
    "22",  # data exception
    "23",  # integrity constraint violation
    "54",  # program limit exceeded: too large for an index or a row
    "P0001",  # raised by a trigger or a function
)
TOO_SLOW = {
    "57014",  # statement_timeout
    "25P03",  # idle_in_transaction_session_timeout
}
_ABORTED = "25P02"
"""Says only that an earlier statement of the transaction failed."""


class Fault(StrEnum):
    """Whose it is."""

    HANDLER = "handler"
    STORE = "store"
    SLOW = "slow"
    """The server cut the handler off for the time it took."""
    UNKNOWN = "unknown"
    """The driver or a connection failed, which does not say whose it is."""


@dataclass(frozen=True)
class Blame:
    """Whose fault it is, and the exception that decides it."""

    fault: Fault
    error: BaseException


def blame(error: BaseException, first: BaseException | None = None) -> Blame:
    """Decide about what a handler raised.

    `first` is the statement that aborted the transaction, if one did: it decides
    where the handler went on all the same, and what it raised does not say.
    """
    unknown: BaseException | None = None
    for cause in _causes(error):
        fault = _fault(cause)
        if fault is Fault.UNKNOWN:
            unknown = unknown or cause
        elif fault is not None:
            return Blame(fault, cause)
    earlier = Blame(Fault.HANDLER, error) if first is None else blame(first)
    if earlier.fault is not Fault.HANDLER:
        return earlier
    return earlier if unknown is None else Blame(Fault.UNKNOWN, unknown)


def _fault(error: BaseException) -> Fault | None:
    """Say what one exception tells by itself; None where the one before it has to."""
    if isinstance(error, StoreAway):
        return Fault.STORE
    state = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
    if isinstance(state, str):
        return _fault_of(state)
    if isinstance(error, DBAPIError):
        return Fault.STORE if error.connection_invalidated else None
    if isinstance(error, asyncpg.InterfaceError):
        # A value that cannot be sent is a ValueError as well. Else the connection is closed,
        # or was asked for what it cannot do: too many values, two statements at once.
        return Fault.HANDLER if isinstance(error, ValueError) else Fault.UNKNOWN
    return Fault.UNKNOWN if isinstance(error, OSError | TimeoutError) else None


def _fault_of(state: str) -> Fault | None:
    if state == _ABORTED:
        return None
    if state in TOO_SLOW:
        return Fault.SLOW
    return Fault.HANDLER if state.startswith(_OF_THE_DATA) else Fault.STORE


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk from an exception to what it came from, or what was being handled meanwhile."""
    known: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in known:
        known.add(id(current))
        yield current
        original = getattr(current, "orig", None)
        if isinstance(original, BaseException):
            current = original
        else:
            hidden = current.__suppress_context__
            current = current.__cause__ or (None if hidden else current.__context__)
