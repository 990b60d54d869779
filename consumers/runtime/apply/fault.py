"""Attributes an exception raised by a handler: to the handler and its event, or to the store.

The database refuses a statement either because of its data, or for a reason
that other data would not change: it is read-only, a privilege is missing, the
disk is full. Only a refusal because of the data counts against the event; the
consumer waits for anything else to pass. An exception on a lost connection is
the store's fault too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import asyncpg
from sqlalchemy.exc import DBAPIError

from consumers.runtime.store.database import StoreAway

_DATA_STATES = (
    "21",  # cardinality violation: one row twice in a statement; splitting the batch helps
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
"""Follow-up error: an earlier statement of the transaction failed."""


class Fault(StrEnum):
    """The party at fault."""

    HANDLER = "handler"
    STORE = "store"
    SLOW = "slow"
    """The server ended the handler's statement or transaction because it took too long."""
    UNKNOWN = "unknown"
    """The driver or a connection failed, which does not show who is at fault."""


@dataclass(frozen=True)
class Blame:
    """The party at fault, and the exception that shows it."""

    fault: Fault
    error: BaseException


def blame(error: BaseException, first: BaseException | None = None) -> Blame:
    """Attribute the exception that a handler raised.

    `first` is the error of the statement that aborted the transaction, if any. It
    decides if the handler caught that error and then raised an unrelated one.
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
    """Attribute one exception by itself; None if its cause has to decide."""
    if isinstance(error, StoreAway):
        return Fault.STORE
    state = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
    if isinstance(state, str):
        return _fault_of_state(state)
    if isinstance(error, DBAPIError):
        return Fault.STORE if error.connection_invalidated else None
    if isinstance(error, asyncpg.InterfaceError):
        # A value that cannot be sent is also a ValueError. Otherwise the connection is closed,
        # or got an impossible request: too many values, two statements at once.
        return Fault.HANDLER if isinstance(error, ValueError) else Fault.UNKNOWN
    return Fault.UNKNOWN if isinstance(error, OSError | TimeoutError) else None


def _fault_of_state(state: str) -> Fault | None:
    if state == _ABORTED:
        return None
    if state in TOO_SLOW:
        return Fault.SLOW
    return Fault.HANDLER if state.startswith(_DATA_STATES) else Fault.STORE


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Iterate over an exception and its causes, or contexts that are not suppressed."""
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
