"""Decision about errors in every phase, with exceptions of the real driver."""

import asyncpg
import pytest
from aiokafka.errors import (
    CorruptRecordException,
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaConnectionError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)
from asyncpg.exceptions import SerializationError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from consumers.runtime.apply.failures import (
    SLOW_TRIES,
    Action,
    Phase,
    back_off,
    decide,
    describe,
    park_pause,
)
from consumers.runtime.apply.offsets import FenceMoved
from consumers.runtime.service import HandlerFailed, HandlerSlow, Poison
from consumers.runtime.store.database import StoreAway
from consumers.runtime.store.schema_version import SchemaOutdated
from tests.parts.runtime.counting import PAYMENT_0

R, W, P, D, S = Action.RETRY, Action.WAIT, Action.PARK, Action.DEAD, Action.RAISE
HERE = (Phase.START, Phase.POSITION, Phase.APPLY, Phase.HOLD, Phase.PARKED)


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "actions"),
    [
        (FenceMoved(PAYMENT_0), (S, S, Action.REPOSITION, Action.REPOSITION, Action.REPOSITION)),
        (Poison(), (S, S, D, W, D)),
        (caused(HandlerFailed(), Poison()), (S, S, D, W, D)),
        (caused(HandlerFailed(), TimeoutError()), (R, W, P, W, P)),
        (HandlerSlow(), (R, W, R, R, P)),
        (SchemaOutdated(), (S, W, R, R, R)),
        (StoreAway(), (R, W, R, R, R)),
        (TimeoutError(), (R, W, R, R, R)),
        (PoolTimeoutError(), (R, W, R, R, R)),
        (ConnectionResetError(), (R, W, R, R, R)),
        (asyncpg.PostgresError(), (R, W, W, W, R)),
        (KafkaConnectionError(), (R, W, P, W, P)),
        (ZeroDivisionError(), (S, S, P, W, P)),
        (KeyError("x"), (S, S, P, W, P)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_has_its_action_in_each_phase(
    error: Exception, actions: tuple[Action, ...]
) -> None:
    assert tuple(decide(error, phase) for phase in HERE) == actions


@pytest.mark.parametrize(
    ("error", "fetching", "looking"),
    [
        (OffsetOutOfRangeError({}), Action.REPOSITION, Action.REPOSITION),
        (NoOffsetForPartitionError(), Action.REPOSITION, Action.REPOSITION),
        (IllegalStateError(), Action.REPOSITION, Action.REPOSITION),
        (GroupAuthorizationFailedError("g"), Action.RECONNECT, Action.REPOSITION),
        (KafkaConnectionError(), Action.RECONNECT, Action.REPOSITION),
        (UnsupportedCodecError(), Action.NARROW, Action.HALT),
        (CorruptRecordException(), Action.NARROW, Action.DEAD),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "x"), Action.NARROW, Action.DEAD),
        (ValueError(), Action.NARROW, Action.DEAD),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_of_the_broker_has_its_action(
    error: Exception, fetching: Action, looking: Action
) -> None:
    assert (decide(error, Phase.FETCH), decide(error, Phase.REREAD)) == (fetching, looking)


@pytest.mark.parametrize("error", [Poison(), HandlerFailed(), ZeroDivisionError()])
def test_batch_is_split_before_a_record_is_blamed(error: Exception) -> None:
    assert decide(error, Phase.APPLY, records=2) is Action.SPLIT


def test_too_slow_batch_is_retried_then_split_then_its_record_is_parked() -> None:
    def of(phase: Phase, attempt: int, records: int) -> Action:
        return decide(HandlerSlow(), phase, attempt, records)

    assert of(Phase.APPLY, SLOW_TRIES - 1, 9) is Action.RETRY
    assert of(Phase.APPLY, SLOW_TRIES, 9) is Action.SPLIT
    assert of(Phase.APPLY, SLOW_TRIES, 1) is Action.PARK
    assert of(Phase.HOLD, SLOW_TRIES, 1) is Action.WAIT


def test_an_error_without_a_message_is_described_too() -> None:
    assert describe(SerializationError()) == "SerializationError: SQLSTATE 40001"


def test_cause_of_a_handlers_exception_decides() -> None:
    with pytest.raises(RuntimeError) as wrapped:
        raise RuntimeError from ConnectionResetError()
    assert decide(wrapped.value, Phase.APPLY) is Action.RETRY


def test_cycle_of_causes_is_visited_once() -> None:
    first, second = KeyError("1"), KeyError("2")
    first.__cause__, second.__cause__ = second, first
    assert decide(first, Phase.APPLY) is Action.PARK


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.2), (4, 1.6), (40, 15.0), (10**6, 15.0)])
def test_back_off_grows_up_to_its_limit(attempt: int, longest: float) -> None:
    waits = [back_off(attempt, 15) for _ in range(200)]
    assert longest / 2 <= min(waits) <= max(waits) <= longest


def test_parked_record_waits_four_times_as_long_after_each_attempt() -> None:
    for attempts, longest in [(1, 1.0), (2, 4.0), (3, 16.0), (7, 3600.0), (10**6, 3600.0)]:
        waits = [park_pause(attempts, 1, 3600) for _ in range(200)]
        assert longest / 2 <= min(waits) <= max(waits) <= longest
