"""Repeated log messages of libraries are written once, and counted."""

import logging
import sys

from router.telemetry.repeats import Repeats


def record(
    sentence: str = "no broker at %s", *args: object, at: float = 0.0, name: str = "aiokafka"
) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, __file__, 1, sentence, args, None)
    made.created = at
    return made


def test_repeated_message_is_written_once_and_later_with_the_number_of_repetitions() -> None:
    passes = Repeats(quiet_seconds=10)

    assert passes(record("no broker at %s", "a", at=0))
    assert not passes(record("no broker at %s", "a", at=0.1))
    assert not passes(record("no broker at %s", "a", at=9.9))
    later = record("no broker at %s", "a", at=10)
    assert passes(later)
    assert later.getMessage() == "no broker at a (repeated 2 times before)"
    last = record("no broker at %s", "a", at=30)
    assert passes(last)
    assert last.getMessage() == "no broker at a"


def test_different_message_is_not_suppressed() -> None:
    passes = Repeats()

    assert passes(record("no broker at %s", "a"))
    assert passes(record("no broker at %s", "b"))
    assert passes(record("no broker at %s", "a", name="faststream"))
    error = record("no broker at %s", "a")
    error.levelno = logging.ERROR
    assert passes(error)


def test_message_with_a_traceback_is_always_written() -> None:
    passes = Repeats()
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        found = sys.exc_info()

    for _ in range(3):
        failed = record("failed")
        failed.exc_info = found
        assert passes(failed)


def test_number_of_remembered_messages_is_limited() -> None:
    passes = Repeats(max_messages=2)

    assert [passes(record(sentence)) for sentence in ("a", "b", "c", "c", "a")] == [
        True,
        True,
        True,
        False,
        True,
    ]
