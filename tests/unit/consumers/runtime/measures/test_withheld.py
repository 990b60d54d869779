"""How long a log has been withheld, and when that is a problem."""

from typing import Any

from consumers.runtime.measures.withheld import Withholding
from consumers.runtime.records import Partition
from router.broker.log.bounds import LogBounds
from router.broker.log.transactions import OpenTransaction, begun_at

ONE, OTHER = Partition("payment", 0), Partition("payment", 1)


class _Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _withholding(clock: _Clock) -> Withholding:
    return Withholding(90, "kafka:9092", clock)


def test_transaction_is_a_problem_once_it_reaches_the_limit() -> None:
    clock = _Clock()
    withholding = _withholding(clock)
    withholding.see({ONE: LogBounds(0, 5, 7), OTHER: LogBounds(0, 7, 7)})
    clock.now += 89
    withholding.see({ONE: LogBounds(0, 5, 20)})
    assert withholding.troubles() == []
    clock.now += 1
    (found,) = withholding.troubles()
    assert (found.partition, found.offset, found.records) == (ONE, 5, 15)
    withholding.see({ONE: LogBounds(0, 20, 20)})
    assert withholding.troubles() == []
    assert withholding.seconds(ONE) == 0


def test_each_oldest_transaction_has_the_full_time_limit() -> None:
    clock = _Clock()
    withholding = _withholding(clock)
    for stable in range(100):
        withholding.see({ONE: LogBounds(0, stable, 200)})
        clock.now += 60
        assert withholding.troubles() == []
        assert withholding.seconds(ONE) == 60


def test_missing_answer_changes_nothing() -> None:
    clock = _Clock()
    withholding = _withholding(clock)
    withholding.see({ONE: LogBounds(0, 5, 7)})
    clock.now += 91
    withholding.see({})
    assert len(withholding.troubles()) == 1


def test_partition_of_another_process_is_dropped() -> None:
    clock = _Clock()
    withholding = _withholding(clock)
    withholding.see({ONE: LogBounds(0, 5, 7)})
    clock.now += 91
    withholding.keep([OTHER])
    assert withholding.troubles() == []


def test_sentence_names_partition_producer_and_command() -> None:
    clock = _Clock()
    withholding = _withholding(clock)
    withholding.see({ONE: LogBounds(0, 5, 7)})
    clock.now += 95
    withholding.set_transaction(withholding.troubles()[0], OpenTransaction(4000, 2, "mirror"))
    (found,) = withholding.troubles()
    assert withholding.sentence(found) == (
        "payment-0: an open transaction (transactional id mirror, producer 4000, epoch 2) withholds"
        " 2 records from offset 5 on, for 95 s. End it in the producer; if the producer no longer"
        " runs: kafka-transactions.sh --bootstrap-server kafka:9092 abort --topic payment"
        " --partition 0 --start-offset 5"
    )


def test_producer_of_the_transaction_at_the_offset_is_named() -> None:
    producers: list[Any] = [(1, 0, 9, 0, 0, -1, {}), (2, 3, 9, 0, 0, 5, {}), (3, 0, 9, 0, 0, 8, {})]
    answer: list[Any] = [("payment", [(0, 0, None, producers, {})], {})]
    assert begun_at(answer, 5) == OpenTransaction(2, 3)
    assert begun_at(answer, 6) is None
