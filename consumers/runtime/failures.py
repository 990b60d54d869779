"""The one table from an exception to what is done about it."""

import random
from collections.abc import Iterator
from enum import StrEnum

import asyncpg
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from consumers.runtime.migrate import SchemaOutdated
from consumers.runtime.offsets import FenceMoved
from consumers.runtime.service import HandlerFailed, HandlerSlow, Poison
from consumers.runtime.store import StoreAway
from router.contract.wire import first_problem


class Action(StrEnum):
    """What the loop does."""

    RETRY = "retry"
    """The same batch again, with back-off: it will pass by itself."""
    REPOSITION = "reposition"
    """Read the fence again and go on from there."""
    DEAD = "dead"
    """Never try this record again unless a person asks for it."""
    PARK = "park"
    """Set this record and those behind it aside, and try again later: nothing is skipped."""


class HaltReason(StrEnum):
    """Why a partition stands still; the label of a metric."""

    TOO_NEW = "too_new"
    NOT_HELD = "not_held"
    NO_CODEC = "no_codec"
    BEYOND_END = "beyond_end"
    BEFORE_START = "before_start"
    OTHER_RECORD = "other_record"


_TRANSIENT_CLASSES = (
    "08",  # connection
    "40",  # serialization, deadlock
    "53",  # out of connections, memory or disk
    "57",  # shut down, cancelled, cannot connect now
    "58",  # system error
)
_TOO_SLOW = {
    "57014",  # statement_timeout
    "25P03",  # idle_in_transaction_session_timeout
}
_TRANSIENT_STATES = {
    "55P03",  # lock_timeout
    "25P04",  # transaction_timeout
    *_TOO_SLOW,
}


def action_for(error: BaseException) -> Action:
    """Decide; what is not known is parked, never skipped."""
    if isinstance(error, FenceMoved):
        return Action.REPOSITION
    if isinstance(error, Poison):
        return Action.DEAD
    if isinstance(error, SchemaOutdated):
        return Action.RETRY
    if isinstance(error, HandlerFailed):
        return Action.PARK
    return Action.RETRY if is_transient(error) else Action.PARK


def is_transient(error: BaseException) -> bool:
    """Tell whether the store will be well again by itself: away, overloaded, deadlocked."""
    return any(_is_transient(cause) for cause in _causes(error))


def is_too_slow(error: BaseException) -> bool:
    """Tell whether the server cut it off for the time it took: all at once may be too much."""
    if isinstance(error, HandlerSlow):
        return True
    return any(getattr(cause, "sqlstate", None) in _TOO_SLOW for cause in _causes(error))


def back_off(attempt: int, longest: float) -> float:
    """Return how many seconds to wait before the next try, with jitter."""
    longest = min(longest, 0.1 * 2.0 ** min(attempt, 16))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - jitter


def park_pause(attempts: int, first: float, longest: float) -> float:
    """Return how many seconds a record stays parked after so many tries, with jitter."""
    longest = min(longest, first * 4.0 ** min(attempts - 1, 30))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - jitter


def describe(error: BaseException) -> str:
    """Write an error as `Class: message`.

    What may hold a customer's data is left out: of what a database says only
    the state is told, of what does not validate the place and what is wrong.
    """
    cause = error.__cause__
    if isinstance(error, StoreAway) and cause is not None:
        return f"cannot reach the database: {describe(cause)}"
    if isinstance(error, HandlerFailed | HandlerSlow) and cause is not None:
        return describe(cause)
    if isinstance(error, DBAPIError):
        original = error.orig or error
        # SQLAlchemy's own class says little, the driver's says what happened.
        return _told(original.__cause__ or original, _state(original))
    if isinstance(error, ValidationError):
        return _told(error, first_problem(error))
    if isinstance(error, asyncpg.PostgresError | asyncpg.DataError):
        return _told(error, _state(error))
    return _told(error, str(error))


def _state(error: BaseException) -> str:
    state = getattr(error, "sqlstate", None)
    return f"SQLSTATE {state}" if state else "no SQLSTATE"


def _told(error: BaseException, message: str) -> str:
    return f"{type(error).__name__}: {message or 'no message'}"


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, StoreAway | HandlerSlow):
        return True
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(_TRANSIENT_CLASSES) or state in _TRANSIENT_STATES
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, InterfaceError | OperationalError)
    if isinstance(error, asyncpg.InterfaceError):
        # Of a closed connection; a value that cannot be sent is a ValueError as well.
        return not isinstance(error, ValueError)
    return isinstance(error, OSError | TimeoutError | PoolTimeoutError)


def _causes(error: BaseException) -> Iterator[BaseException]:
    known: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in known:
        known.add(id(current))
        yield current
        original = getattr(current, "orig", None)
        current = original if isinstance(original, BaseException) else current.__cause__
