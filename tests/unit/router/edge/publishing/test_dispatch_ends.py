"""Submissions whose producer is lost or whose deadline passes: each has one definite result."""

import asyncio
from collections.abc import Iterator

import pytest
from aiokafka.errors import (
    MessageSizeTooLargeError,
    ProducerFenced,
    UnknownError,
)
from structlog.testing import capture_logs

from tests.parts.edge.batches import TRIES, Bench, turns
from tests.parts.waiting import eventually

OTHER = b"a"
"""A key of another partition than that of `submit`."""


@pytest.fixture(autouse=True)
def _unlogged() -> Iterator[None]:
    with capture_logs():
        yield


def _values(bench: Bench) -> list[list[bytes]]:
    return [sent.batch.values for sent in bench.producer.held]


async def test_records_of_an_unclear_error_are_sent_alone_by_the_next_producer() -> None:
    bench = Bench()
    results = [bench.submit(b"1"), bench.submit(b"2")]
    first = bench.producer
    first.answer(first.held[0], UnknownError())
    await turns()
    between = [list(result.told) for result in results]
    second = bench.serve()
    alone = _values(bench)
    await bench.settle()

    assert between == [[], []]
    assert second is not first
    assert alone == [[b"1"]]
    assert all(result.kept for result in results)


async def test_what_a_lost_producer_held_is_sent_by_the_next_one() -> None:
    bench = Bench()
    held = [bench.submit(b"1"), bench.submit(b"2")]
    lost = bench.producer
    lost.take(lost.held[0])
    waiting = bench.submit(b"3")
    other = bench.submit(b"other", key=OTHER)
    lost.answer(next(sent for sent in lost.held if b"other" in sent.batch.values), ProducerFenced())
    await turns()
    bench.serve()
    await turns()
    # The old producer may still write what it holds: nothing of that partition overtakes it.
    before = _values(bench)
    bench.end(lost)
    await turns()
    after = _values(bench)
    await bench.settle()

    assert before == [[b"other"]]
    assert after == [[b"other"], [b"1", b"2", b"3"]]
    assert all(result.kept for result in [*held, waiting, other])


async def test_late_answer_of_an_ended_producer_changes_nothing() -> None:
    bench = Bench()
    result = bench.submit(b"1")
    lost = bench.producer
    (sent,) = lost.held
    bench.producers.replace(lost, "it is silent")
    bench.end(lost)
    lost.answer(sent)
    await turns()
    before = list(result.told)
    bench.serve()
    await bench.settle()

    assert before == []
    assert result.kept
    assert list(bench.log.values()) == [[b"1", b"1"]]


async def test_record_that_every_producer_fails_to_send_is_refused() -> None:
    bench = Bench()
    result = bench.submit(b"1")
    for _ in range(TRIES):
        assert result.told == []
        bench.producer.answer(bench.producer.held[0], ProducerFenced())
        await turns()
        bench.serve()

    (problem,) = result.told
    assert f"{TRIES} producers in a row failed" in str(problem)
    assert bench.failures("rejected") == 1


async def test_batch_that_the_producer_does_not_accept_fails_like_one_that_it_sent() -> None:
    bench = Bench()
    bench.producer.send_raises = MessageSizeTooLargeError()
    refused = bench.submit(b"1")
    await turns()
    bench.producer.send_raises = AssertionError("Unrecognized partition")
    missing = bench.submit(b"2", topic="payout")
    await turns()

    assert "MessageSizeTooLargeError" in str(refused.told)
    assert "UnknownTopicOrPartitionError" in str(missing.told)


async def test_deadline_ends_a_submission_and_a_held_record_may_still_be_written() -> None:
    bench = Bench()
    held = bench.submit(b"1", seconds=0.01)
    (sent,) = bench.producer.held
    bench.producer.take(sent)
    waiting = bench.submit(b"2", seconds=0.01)
    await eventually(lambda: held.told and waiting.told, pause=0.005)
    unhealthy = bench.trials.problems(0)
    bench.producer.answer(sent)
    await bench.settle()

    assert str(held.told) == str(waiting.told)
    assert "no acknowledgement in time" in str(held.told)
    assert unhealthy[0] is not None
    # What no producer held is not sent any more.
    assert list(bench.log.values()) == [[b"1"]]
    assert bench.failures("deadline") == 2


async def test_answer_in_time_cancels_the_deadline() -> None:
    bench = Bench()
    for number in range(300):
        bench.submit(b"%d" % number, seconds=3600)
    await bench.settle()
    left = len(bench.dispatch._deadlines)  # noqa: SLF001 - what is in memory
    first = bench.results[0].submission
    assert first is not None
    bench.dispatch._expire(first)  # noqa: SLF001 - as a timer that is too late

    assert all(result.kept for result in bench.results)
    assert left < 100
    assert bench.failures("deadline") == 0


async def test_records_given_up_are_not_sent_again_after_a_failure() -> None:
    bench = Bench()
    given_up, waiting = bench.submit(b"1"), bench.submit(b"2")
    assert given_up.submission is not None
    bench.dispatch.give_up(given_up.submission)
    bench.dispatch.give_up(given_up.submission)
    bench.producer.answer(bench.producer.held[0], ProducerFenced())
    await bench.settle()

    assert given_up.told == []
    assert waiting.kept
    assert list(bench.log.values()) == [[b"2"]]
    assert bench.failures("deadline") == 1


async def test_records_wait_for_the_partitions_of_their_topic() -> None:
    bench = Bench()
    bench.producer.known.clear()
    results = [bench.submit(b"1"), bench.submit(b"2")]
    await turns()
    before = _values(bench)
    bench.producer.known.set()
    await turns()
    after = _values(bench)
    await bench.settle()

    assert before == []
    assert after == [[b"1", b"2"]]
    assert all(result.kept for result in results)


async def test_producer_that_ends_without_metadata_leaves_its_records_to_the_next_one() -> None:
    bench = Bench()
    bench.producer.known.clear()
    result = bench.submit(b"1")
    await turns()
    lost = bench.producer
    bench.producers.replace(lost, "it is silent")
    bench.end(lost)
    bench.serve()
    await bench.settle()

    assert result.kept
    assert len(asyncio.all_tasks()) == 1


async def test_everything_has_a_result_after_the_end() -> None:
    bench = Bench()
    held = bench.submit(b"1")
    lost = bench.producer
    lost.take(lost.held[0])
    waiting = bench.submit(b"2", seconds=60)
    bench.producers.serving = None
    bench.end(lost)
    late = bench.submit(b"3")
    bench.dispatch.close()
    await turns()

    assert [len(each.told) for each in (held, waiting, late)] == [1, 1, 1]
    assert {str(told) for each in bench.results for told in each.told} == {
        "not_durable: no connection to the broker"
    }
    assert bench.failures("unavailable") == 3


async def test_submission_of_several_records_is_refused_once_if_no_producer_is_left() -> None:
    bench = Bench()
    bench.producers.serving, bench.producers.replacing = None, True
    result = bench.submit(b"1", b"2")
    bench.producers.replacing = False
    bench.dispatch.refuse_unavailable()

    assert len(result.told) == 1
    assert bench.failures("unavailable") == 1
