"""The one decision from (error, what was being done, attempt) to what is done about it."""

import random
import re
from collections.abc import Iterator
from enum import StrEnum

import asyncpg
from aiokafka.errors import (
    CorruptRecordException,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RecordTooLargeError,
    UnsupportedCodecError,
)
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from consumers.runtime.apply.fault import TOO_SLOW
from consumers.runtime.apply.offsets import FenceMoved
from consumers.runtime.service import HandlerFailed, HandlerSlow, Poison
from consumers.runtime.store.database import StoreAway
from consumers.runtime.store.schema_version import SchemaOutdated
from router.contract.wire import first_problem


class Phase(StrEnum):
    """What was being done when an error came."""

    START = "start"
    """Waiting for database and broker, joining the group."""
    POSITION = "position"
    """Finding where a partition is to be read on."""
    FETCH = "fetch"
    """Taking records from the broker."""
    LOOK = "look"
    """Reading a record that the client could not read, in another way."""
    APPLY = "apply"
    """Applying a batch."""
    HOLD = "hold"
    """Holding the one record that could not be applied."""
    PARKED = "parked"
    """Retrying a parked record, or storing the result of one message."""


class Action(StrEnum):
    """What is done about an error."""

    RETRY = "retry"
    """The same again, with back-off: it will pass, or be mended, without a loss."""
    WAIT = "wait"
    """The partitions concerned wait, with back-off; the others go on."""
    REPOSITION = "reposition"
    """Read the fence again and go on from there."""
    RECONNECT = "reconnect"
    """Leave the group and join with a new client."""
    NARROW = "narrow"
    """Find the one record that cannot be read."""
    SPLIT = "split"
    """Halve the batch, to find the record that cannot be applied."""
    HALT = "halt"
    """Stop the partition until a person acts."""
    DEAD = "dead"
    """Never try this record again unless a person asks for it."""
    PARK = "park"
    """Set this record and those behind it aside, and try again later: nothing is skipped."""
    RAISE = "raise"
    """End the process: a mistake of ours, or a command that has to run first."""


class HaltReason(StrEnum):
    """Why a partition stops until a person acts; the label of a metric."""

    TOO_NEW = "too_new"
    NO_CODEC = "no_codec"
    BEYOND_END = "beyond_end"
    BEFORE_START = "before_start"
    OTHER_RECORD = "other_record"
    OTHER_LOG = "other_log"
    RECORDS_MISSING = "records_missing"


SLOW_TRIES = 3
"""So often a batch may be cut off by the server for the time it took before it is split."""

_TRANSIENT_CLASSES = (
    "08",  # connection
    "40",  # serialization, deadlock
    "53",  # out of connections, memory or disk
    "57",  # shut down, cancelled, cannot connect now
    "58",  # system error
)
_TRANSIENT_STATES = {
    "25006",  # read-only: a standby, after a failover
    "55P03",  # lock_timeout
    "25P04",  # transaction_timeout
    *TOO_SLOW,
}
_ABOUT_THE_DATA = (
    "22",  # a value that is none of its type
    "23",  # a constraint
    "P0001",  # raised by a trigger
)

_ABOUT_A_RECORD = (CorruptRecordException, RecordTooLargeError, UnsupportedCodecError)
_ABOUT_A_PLACE = (NoOffsetForPartitionError, OffsetOutOfRangeError, IllegalStateError)


def decide(error: BaseException, phase: Phase, attempt: int = 1, records: int = 1) -> Action:
    """Decide what is done about an error; what is not known never skips a record.

    `attempt` counts the tries of the same batch, `records` are those in it.
    """
    if phase is Phase.FETCH:
        return _while_fetching(error)
    if phase is Phase.LOOK:
        return _while_looking(error)
    if phase is Phase.START:
        return Action.RETRY if _is_outside(error) else Action.RAISE
    if phase is Phase.POSITION:
        # Nothing is read before its fence, so whatever the store answers can be waited for.
        waits = _is_outside(error) or isinstance(error, SchemaOutdated)
        return Action.WAIT if waits else Action.RAISE
    return _about_records(error, phase, attempt, records)


def _while_fetching(error: BaseException) -> Action:
    if isinstance(error, _ABOUT_A_PLACE):
        return Action.REPOSITION
    if isinstance(error, KafkaError) and not isinstance(error, _ABOUT_A_RECORD):
        return Action.RECONNECT
    return Action.NARROW


def _while_looking(error: BaseException) -> Action:
    if isinstance(error, UnsupportedCodecError):
        # It is not the record, but what is installed here.
        return Action.HALT
    away = isinstance(error, KafkaError | TimeoutError) and not isinstance(error, _ABOUT_A_RECORD)
    return Action.REPOSITION if away else Action.DEAD


def _about_records(error: BaseException, phase: Phase, attempt: int, records: int) -> Action:
    if isinstance(error, FenceMoved):
        return Action.REPOSITION
    if not isinstance(error, HandlerFailed | Poison):
        if is_too_slow(error):
            return _too_slow(phase, attempt, records)
        if _is_outside_records(error):
            passes = phase is Phase.PARKED or _passes(error)
            return Action.RETRY if passes else Action.WAIT
    return Action.WAIT if phase is Phase.HOLD else _the_records_own(error, records)


def _passes(error: BaseException) -> bool:
    return isinstance(error, SchemaOutdated) or is_transient(error)


def _is_outside_records(error: BaseException) -> bool:
    """Tell whether the store is at fault. A missing right or table is never the record's fault."""
    return _passes(error) or (_is_of_a_store(error) and not _is_about_the_data(error))


def _too_slow(phase: Phase, attempt: int, records: int) -> Action:
    if phase is Phase.PARKED:
        return Action.PARK
    if attempt < SLOW_TRIES:
        return Action.RETRY
    if phase is Phase.HOLD:
        return Action.WAIT
    return Action.SPLIT if records > 1 else Action.PARK


def _the_records_own(error: BaseException, records: int) -> Action:
    if records > 1:
        return Action.SPLIT
    poison = isinstance(error, Poison) or isinstance(error.__cause__, Poison)
    return Action.DEAD if poison else Action.PARK


def _is_outside(error: BaseException) -> bool:
    """Tell whether the store or the broker is at fault, whatever it is."""
    if isinstance(error, KafkaError | OSError | TimeoutError):
        return True
    return is_transient(error) or _is_of_a_store(error)


def _is_of_a_store(error: BaseException) -> bool:
    return any(isinstance(cause, _OF_A_STORE) for cause in _causes(error))


def _is_about_the_data(error: BaseException) -> bool:
    """Tell whether the database refused what was written: waiting would not change it."""
    for cause in _causes(error):
        state = getattr(cause, "sqlstate", None)
        if isinstance(state, str):
            return state.startswith(_ABOUT_THE_DATA)
    # The driver could not even send the value.
    return any(isinstance(cause, ValueError) for cause in _causes(error))


def is_transient(error: BaseException) -> bool:
    """Tell whether the store will be well again by itself: away, overloaded, deadlocked."""
    return any(_is_transient(cause) for cause in _causes(error))


def is_too_slow(error: BaseException) -> bool:
    """Tell whether the server cut it off for the time it took: all at once may be too much."""
    if isinstance(error, HandlerSlow):
        return True
    return any(getattr(cause, "sqlstate", None) in TOO_SLOW for cause in _causes(error))


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

    What may hold a customer's data is left out. Of a database's error it has
    the state, and the right or the table that is missing; of a value that does
    not validate the place and what is wrong.
    """
    cause = error.__cause__
    if isinstance(error, StoreAway) and cause is not None:
        return f"cannot reach the database: {describe(cause)}"
    if isinstance(error, HandlerFailed | HandlerSlow) and cause is not None:
        return describe(cause)
    if isinstance(error, DBAPIError):
        original = error.orig or error
        # SQLAlchemy's own class says little, the driver's says what happened.
        return _told(original.__cause__ or original, _state(original, _verb(error.statement)))
    if isinstance(error, ValidationError):
        return _told(error, first_problem(error))
    if isinstance(error, asyncpg.PostgresError | asyncpg.DataError):
        return _told(error, _state(error))
    return _told(error, str(error))


_PLAIN = {
    "25006": "the database is read-only",
    "53100": "the database's disk is full",
    "53300": "the database takes no more connections",
    "57P03": "the database is starting up or shutting down",
}
"""What a state means, where it is worth a sentence."""

_MISSING = {"3F000", "42P01", "42703"}
_RIGHT = "42501"

_NAMED = {
    _RIGHT: re.compile(r"permission denied for (\w+ [\w.\"]+)$"),
    "42P01": re.compile(r"(relation \"[\w.]+\") does not exist$"),
    "3F000": re.compile(r"(schema \"[\w.]+\") does not exist$"),
    "42703": re.compile(r"(column [\w.\"]+) does not exist$"),
}
"""How PostgreSQL itself names what is missing; any other text may hold anything."""

_VERBS = {"SELECT", "INSERT", "UPDATE", "DELETE", "LOCK"}


def _state(error: BaseException, verb: str | None = None) -> str:
    state = getattr(error, "sqlstate", None)
    if not state:
        return "no SQLSTATE"
    # asyncpg's exceptions cannot be turned into text where they have none.
    message = next(iter((error.__cause__ or error).args), "")
    plain = _plain(state, str(message).partition("\n")[0], verb)
    return f"{plain} (SQLSTATE {state})" if plain else f"SQLSTATE {state}"


def _plain(state: str, message: str, verb: str | None) -> str | None:
    found = _NAMED[state].search(message) if state in _NAMED else None
    if state == _RIGHT and found:
        needed = f" that {verb} needs" if verb else ""
        return f"the database role lacks a right on {found[1]}{needed}: GRANT it"
    if state in _MISSING and found:
        return f"{found[1]} does not exist: run `payrouter db upgrade`"
    return _PLAIN.get(state)


def _verb(statement: str | None) -> str | None:
    """Return the first word of a statement of ours, where it is one that a right is needed for."""
    word = (statement or "").strip().partition(" ")[0].upper()
    return word if word in _VERBS else None


def _told(error: BaseException, message: str) -> str:
    return f"{type(error).__name__}: {message or 'no message'}"


_OF_A_STORE = (SQLAlchemyError, StoreAway, asyncpg.PostgresError, asyncpg.InterfaceError)


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
