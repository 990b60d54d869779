"""Decision table for errors: (error, phase, attempt) to the action to take."""

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
from consumers.runtime.store.database import StoreAway, message_of
from consumers.runtime.store.schema_version import SchemaOutdated
from router.contract.wire import first_problem


class Phase(StrEnum):
    """What was being done when an error occurred."""

    START = "start"
    """Waiting for database and broker, or joining the group."""
    POSITION = "position"
    """Finding the offset at which to read a partition."""
    FETCH = "fetch"
    """Fetching records from the broker."""
    REREAD = "reread"
    """Reading a record in another way after the client could not."""
    APPLY = "apply"
    """Applying a batch."""
    HOLD = "hold"
    """Holding a record that could not be applied."""
    PARKED = "parked"
    """Retrying a parked record, or storing the result of one message."""


class Action(StrEnum):
    """Action to take about an error."""

    RETRY = "retry"
    """Retry the same with back-off: the error will pass, or be fixed, without loss."""
    WAIT = "wait"
    """Let the partitions concerned wait, with back-off; the others continue."""
    REPOSITION = "reposition"
    """Read the fence again and continue there."""
    RECONNECT = "reconnect"
    """Leave the group and join with a new client."""
    NARROW = "narrow"
    """Find the record that cannot be read, by fetching records singly."""
    SPLIT = "split"
    """Halve the batch to find the record that cannot be applied."""
    HALT = "halt"
    """Halt the partition until an operator acts."""
    DEAD = "dead"
    """Hold the record as dead: never retry it unless an operator asks for it."""
    PARK = "park"
    """Park the record and those behind it in its lane, and retry later: nothing is skipped."""
    RAISE = "raise"
    """End the process: a programming error, or a command has to be run first."""


class HaltReason(StrEnum):
    """Why a partition is halted until an operator acts; also a metric label."""

    TOO_NEW = "too_new"
    NO_CODEC = "no_codec"
    BEYOND_END = "beyond_end"
    BEFORE_START = "before_start"
    OTHER_RECORD = "other_record"
    OTHER_LOG = "other_log"
    OTHER_CLUSTER = "other_cluster"
    RECORDS_MISSING = "records_missing"


SLOW_TRIES = 3
"""Attempts after which a batch that the server ends for taking too long is split."""

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
_DATA_STATES = (
    "22",  # a value that its type does not allow
    "23",  # a constraint
    "P0001",  # raised by a trigger
)

_RECORD_ERRORS = (CorruptRecordException, RecordTooLargeError, UnsupportedCodecError)
_POSITION_ERRORS = (NoOffsetForPartitionError, OffsetOutOfRangeError, IllegalStateError)


def decide(error: BaseException, phase: Phase, attempt: int = 1, records: int = 1) -> Action:
    """Return the action for an error; an unknown error never skips a record.

    `attempt` counts the attempts of the same batch; `records` is the batch size.
    """
    if phase is Phase.FETCH:
        return _while_fetching(error)
    if phase is Phase.REREAD:
        return _while_rereading(error)
    if phase is Phase.START:
        return Action.RETRY if _is_external(error) else Action.RAISE
    if phase is Phase.POSITION:
        # Nothing is read before the fence is known, so every error of the store can wait.
        waits = _is_external(error) or isinstance(error, SchemaOutdated)
        return Action.WAIT if waits else Action.RAISE
    return _about_records(error, phase, attempt, records)


def _while_fetching(error: BaseException) -> Action:
    if isinstance(error, _POSITION_ERRORS):
        return Action.REPOSITION
    if isinstance(error, KafkaError) and not isinstance(error, _RECORD_ERRORS):
        return Action.RECONNECT
    return Action.NARROW


def _while_rereading(error: BaseException) -> Action:
    if isinstance(error, UnsupportedCodecError):
        # The record is sound: a codec is missing in this installation.
        return Action.HALT
    away = isinstance(error, KafkaError | TimeoutError) and not isinstance(error, _RECORD_ERRORS)
    return Action.REPOSITION if away else Action.DEAD


def _about_records(error: BaseException, phase: Phase, attempt: int, records: int) -> Action:
    if isinstance(error, FenceMoved):
        return Action.REPOSITION
    if not isinstance(error, HandlerFailed | Poison):
        if is_too_slow(error):
            return _when_too_slow(phase, attempt, records)
        if _is_store_fault(error):
            passes = phase is Phase.PARKED or _is_temporary(error)
            return Action.RETRY if passes else Action.WAIT
    return Action.WAIT if phase is Phase.HOLD else _record_fault(error, records)


def _is_temporary(error: BaseException) -> bool:
    return isinstance(error, SchemaOutdated) or is_transient(error)


def _is_store_fault(error: BaseException) -> bool:
    """Return whether the store is at fault, which includes a missing privilege or table."""
    return _is_temporary(error) or (_is_store_error(error) and not _is_data_error(error))


def _when_too_slow(phase: Phase, attempt: int, records: int) -> Action:
    if phase is Phase.PARKED:
        return Action.PARK
    if attempt < SLOW_TRIES:
        return Action.RETRY
    if phase is Phase.HOLD:
        return Action.WAIT
    return Action.SPLIT if records > 1 else Action.PARK


def _record_fault(error: BaseException, records: int) -> Action:
    if records > 1:
        return Action.SPLIT
    poison = isinstance(error, Poison) or isinstance(error.__cause__, Poison)
    return Action.DEAD if poison else Action.PARK


def _is_external(error: BaseException) -> bool:
    """Return whether the store or the broker is at fault."""
    if isinstance(error, KafkaError | OSError | TimeoutError):
        return True
    return is_transient(error) or _is_store_error(error)


def _is_store_error(error: BaseException) -> bool:
    return any(isinstance(cause, _STORE_ERRORS) for cause in _causes(error))


def _is_data_error(error: BaseException) -> bool:
    """Return whether the database refused the data itself: waiting would not help."""
    for cause in _causes(error):
        state = getattr(cause, "sqlstate", None)
        if isinstance(state, str):
            return state.startswith(_DATA_STATES)
    # The driver could not even send the value.
    return any(isinstance(cause, ValueError) for cause in _causes(error))


def is_transient(error: BaseException) -> bool:
    """Return whether the error passes by itself: database unreachable, overloaded, deadlock."""
    return any(_is_transient(cause) for cause in _causes(error))


def is_too_slow(error: BaseException) -> bool:
    """Return whether the server ended it for taking too long: the batch may be too large."""
    if isinstance(error, HandlerSlow):
        return True
    return any(getattr(cause, "sqlstate", None) in TOO_SLOW for cause in _causes(error))


def back_off(attempt: int, longest: float) -> float:
    """Return how many seconds to wait before the next attempt, with jitter."""
    longest = min(longest, 0.1 * 2.0 ** min(attempt, 16))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - jitter


def park_pause(attempts: int, first: float, longest: float) -> float:
    """Return how many seconds a record stays parked after so many attempts, with jitter."""
    longest = min(longest, first * 4.0 ** min(attempts - 1, 30))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - jitter


def describe(error: BaseException) -> str:
    """Format an error as `Class: message`, without anything that may contain customer data.

    The message of a database error is its SQLSTATE, and the missing privilege or
    table; that of a validation error is the field and the problem.
    """
    cause = error.__cause__
    if isinstance(error, StoreAway) and cause is not None:
        return f"cannot reach the database: {describe(cause)}"
    if isinstance(error, HandlerFailed | HandlerSlow) and cause is not None:
        return describe(cause)
    if isinstance(error, DBAPIError):
        original = error.orig or error
        # The driver's exception class is more specific than SQLAlchemy's.
        return _with_class(original.__cause__ or original, _state(original, _verb(error.statement)))
    if isinstance(error, ValidationError):
        return _with_class(error, first_problem(error))
    if isinstance(error, asyncpg.PostgresError | asyncpg.DataError):
        return _with_class(error, _state(error))
    return _with_class(error, _encryption(error) or str(error))


_MEANINGS = {
    "28000": "the database does not admit this user from here: check its name and pg_hba.conf",
    "28P01": "the database refuses user or password: check [database] url",
    "3D000": "the database does not exist: create it, or correct its name in [database] url",
    "25006": "the database is read-only",
    "53100": "the database's disk is full",
    "53300": "the database accepts no more connections",
    "57P03": "the database is starting up or shutting down",
}
"""Meaning of some SQLSTATEs."""

_MISSING = {"3F000", "42P01", "42703"}
_NO_PRIVILEGE = "42501"

_OBJECT_NAMES = {
    _NO_PRIVILEGE: re.compile(r"permission denied for (\w+ [\w.\"]+)$"),
    "42P01": re.compile(r"(relation \"[\w.]+\") does not exist$"),
    "3F000": re.compile(r"(schema \"[\w.]+\") does not exist$"),
    "42703": re.compile(r"(column [\w.\"]+) does not exist$"),
}
"""Patterns of PostgreSQL's messages that name an object; other text may contain any data."""

_VERBS = {"SELECT", "INSERT", "UPDATE", "DELETE", "LOCK"}


def _state(error: BaseException, verb: str | None = None) -> str:
    state = getattr(error, "sqlstate", None)
    if not state:
        return "no SQLSTATE"
    plain = _meaning(state, message_of(error), verb)
    return f"{plain} (SQLSTATE {state})" if plain else f"SQLSTATE {state}"


def _meaning(state: str, message: str, verb: str | None) -> str | None:
    found = _OBJECT_NAMES[state].search(message) if state in _OBJECT_NAMES else None
    if state == _NO_PRIVILEGE and found:
        needed = f" that {verb} needs" if verb else ""
        return f"the database role lacks a right on {found[1]}{needed}: GRANT it"
    if state in _MISSING and found:
        return f"{found[1]} does not exist: run `payrouter db upgrade`"
    # Every consumer's handler imports this module, but only a broken connection needs that one.
    from consumers.runtime.store.connection_problems import pooler_problem  # noqa: PLC0415

    return pooler_problem(state, message) or _MEANINGS.get(state)


def _encryption(error: BaseException) -> str | None:
    from consumers.runtime.store.connection_problems import encryption_problem  # noqa: PLC0415

    return encryption_problem(error)


def _verb(statement: str | None) -> str | None:
    """Return the first word of a statement, if it is a verb that needs a privilege."""
    word = (statement or "").strip().partition(" ")[0].upper()
    return word if word in _VERBS else None


def _with_class(error: BaseException, message: str) -> str:
    return f"{type(error).__name__}: {message or 'no message'}"


_STORE_ERRORS = (SQLAlchemyError, StoreAway, asyncpg.PostgresError, asyncpg.InterfaceError)


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, StoreAway | HandlerSlow):
        return True
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(_TRANSIENT_CLASSES) or state in _TRANSIENT_STATES
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, InterfaceError | OperationalError)
    if isinstance(error, asyncpg.InterfaceError):
        # The connection is closed; but a value that cannot be sent is also a ValueError.
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
