"""Batches of submissions: order, and isolation of refused records."""

import asyncio
from collections.abc import Iterator

import pytest
from aiokafka.errors import (
    TopicAuthorizationFailedError,
)
from structlog.testing import capture_logs

from router.contract.wire import OutgoingRecord
from tests.parts.edge.batches import BAD, CAPACITY, LARGE, UNENCODABLE, Bench, turns

OTHER = b"a"
"""A key of another partition than that of `submit`."""


@pytest.fixture(autouse=True)
def _unlogged() -> Iterator[None]:
    with capture_logs():
        yield


def _values(bench: Bench) -> list[list[bytes]]:
    return [sent.batch.values for sent in bench.producer.held]


async def test_records_of_many_submissions_share_a_batch_and_its_answer() -> None:
    bench = Bench()
    results = [bench.submit(b"%d" % n) for n in range(CAPACITY)]
    (sent,) = bench.producer.held
    bench.producer.answer(sent)
    await turns()

    assert sent.batch.values == [b"0", b"1", b"2", b"3"]
    assert all(result.kept for result in results)


async def test_records_that_arrive_while_a_batch_is_sent_leave_together() -> None:
    bench = Bench()
    bench.submit(b"1")
    (first,) = bench.producer.held
    bench.producer.take(first)
    later = [bench.submit(b"2"), bench.submit(b"3")]
    before = _values(bench)
    bench.producer.answer(first)
    await turns()

    assert before == [[b"1"]]
    assert _values(bench) == [[b"2", b"3"]]
    assert not any(result.told for result in later)


async def test_partitions_do_not_wait_for_each_other() -> None:
    bench = Bench()
    for number in range(12):
        bench.submit(b"%d" % number, key=b"%d" % number)
    frozen, *others = bench.producer.held
    for sent in others:
        bench.producer.answer(sent)
    await turns()
    more = [bench.submit(b"more", key=b"%d" % number) for number in range(12)]
    for sent in [each for each in bench.producer.held if each is not frozen]:
        bench.producer.answer(sent)
    await turns()

    assert len(others) == 2
    waiting = [result for result in [*bench.results[:12], *more] if not result.told]
    assert {result.values[0] for result in waiting} >= set(frozen.batch.values)
    assert 0 < sum(result.kept for result in more) < 12


async def test_submission_succeeds_only_with_its_last_record() -> None:
    bench = Bench()
    result = bench.submit(*(b"%d" % n for n in range(CAPACITY + 1)))
    (first,) = bench.producer.held
    bench.producer.answer(first)
    await turns()
    half = list(result.told)
    await bench.settle()

    assert half == []
    assert result.kept


async def test_refused_record_fails_alone_and_changes_no_order() -> None:
    bench = Bench()
    bench.submit(b"1")
    bad = bench.submit(BAD)
    bench.submit(b"2")
    bench.producer.answer(bench.producer.held[0])
    late = bench.submit(b"3")
    await bench.settle()

    assert list(bench.log.values()) == [[b"1", b"2", b"3"]]
    assert [result.kept for result in bench.results] == [True, False, True, True]
    (problem,) = bad.told
    assert str(problem) == "not_durable: topic payment: MessageSizeTooLargeError"
    assert late.kept
    assert bench.failures("rejected") == 1


async def test_refused_record_ends_its_submission_and_its_other_records_are_not_sent() -> None:
    bench = Bench()
    result = bench.submit(BAD, *(b"%d" % n for n in range(CAPACITY)))
    await bench.settle()

    assert len(result.told) == 1
    assert not result.kept
    assert bench.log == {}
    assert bench.failures("rejected") == 1


async def test_refusing_topic_fails_all_records_of_the_batch_at_once() -> None:
    bench = Bench()
    results = [bench.submit(b"%d" % n) for n in range(3)]
    (sent,) = bench.producer.held
    bench.producer.answer(sent, TopicAuthorizationFailedError())
    await turns()

    assert [len(result.told) for result in results] == [1, 1, 1]
    assert bench.producer.held == []
    assert bench.failures("rejected") == 3
    assert "topic payment: TopicAuthorizationFailedError" in str(bench.trials.problems(0))


async def test_submission_from_a_callback_queues_behind_what_is_sent_again() -> None:
    bench = Bench()
    bench.submit(BAD, then=lambda: bench.submit(b"3"))
    bench.submit(b"1")
    bench.submit(b"2")
    await bench.settle()

    assert list(bench.log.values()) == [[b"1", b"2", b"3"]]


async def test_submission_from_a_callback_does_not_join_a_batch_that_has_failed() -> None:
    bench = Bench()
    bench.producer.send_raises = TopicAuthorizationFailedError()

    def submit() -> None:
        bench.producer.send_raises = None
        bench.submit(b"2")

    bench.submit(b"1", then=submit)
    await bench.settle()

    assert [result.kept for result in bench.results] == [False, True]


async def test_small_record_does_not_overtake_a_large_one_that_found_no_room() -> None:
    bench = Bench()
    for value in (b"1", LARGE, b"2"):
        bench.submit(value)
    await bench.settle()

    assert list(bench.log.values()) == [[b"1", LARGE, b"2"]]


async def test_record_that_cannot_be_encoded_is_refused_alone() -> None:
    bench = Bench()
    bench.submit(b"1")
    bench.producer.take(bench.producer.held[0])
    for value in (b"2", UNENCODABLE, b"3"):
        bench.submit(value)
    await bench.settle()
    only = bench.submit(UNENCODABLE)
    after = bench.submit(b"4")
    joined = bench.submit(UNENCODABLE)
    await bench.settle()

    assert [result.kept for result in bench.results] == [
        True,
        True,
        False,
        True,
        False,
        True,
        False,
    ]
    assert str(only.told) == str(joined.told)
    assert "topic payment: TypeError" in str(only.told)
    assert after.kept
    assert list(bench.log.values()) == [[b"1", b"2", b"3", b"4"]]


async def test_record_that_cannot_be_counted_succeeds_and_holds_up_no_other() -> None:
    bench = Bench()
    uncountable = [OutgoingRecord("payment", b"k", b"1", [("no_type", b"x")])]
    told: list[object] = []
    bench.dispatch.submit(uncountable, told.append, 1, None)
    others = [bench.submit(b"2"), bench.submit(b"3")]
    await bench.settle()
    later = bench.submit(b"4")
    await bench.settle()

    assert told == [None]
    assert all(result.kept for result in [*others, later])


async def test_callback_that_raises_affects_no_other_submission() -> None:
    bench = Bench()
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: reported.append(context["exception"])
    )
    error = RuntimeError("of the caller")

    def raises() -> None:
        raise error

    bench.submit(b"1", then=raises)
    after = bench.submit(b"2")
    await bench.settle()

    assert after.kept
    assert reported == [error]
