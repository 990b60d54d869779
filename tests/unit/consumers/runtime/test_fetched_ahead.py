"""Records of several partitions are taken in the order of their times, and none is lost."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.runtime.fetched_ahead import FetchedAhead, in_time_order
from consumers.runtime.records import Partition, Record, Undecodable

ORDER, PAYMENT = Partition("order", 0), Partition("payment", 0)
PARTITIONS = (ORDER, PAYMENT, Partition("payment", 1))


class Fetched(NamedTuple):
    """A record as the client returns it, as far as its order is concerned."""

    partition: Partition
    offset: int
    timestamp: int


def records(partition: Partition, *times: int) -> list[Fetched]:
    return [Fetched(partition, offset, time) for offset, time in enumerate(times)]


@dataclass
class Logs:
    """Logs that are read through `FetchedAhead`, with as many records per fetch as drawn."""

    logs: Mapping[Partition, Sequence[Fetched]]
    most: int
    ahead: FetchedAhead = field(init=False)
    position: dict[Partition, int] = field(default_factory=dict)
    taken: list[Fetched] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start at the beginning of each log."""
        self.ahead = FetchedAhead(patience_seconds=1, most=self.most)
        self.position = dict.fromkeys(self.logs, 0)

    @property
    def unread(self) -> list[Partition]:
        """The partitions whose logs have more records."""
        return [each for each, log in self.logs.items() if self.position[each] < len(log)]

    def turn(self, partition: Partition, many: int) -> None:
        """Fetch from one partition, if it has no records yet, and take what is due."""
        if partition not in self.ahead and many:
            first = self.position[partition]
            found = self.logs[partition][first : first + many]
            self.position[partition] += len(found)
            self.ahead.add({partition: found} if found else {})
        due = self.ahead.take(list(self.logs), self.unread, now=0)
        assert sum(map(len, due.values())) <= self.most
        self.taken += in_order(due)

    def to_end(self) -> None:
        """Read everything; every round over all partitions takes or fetches something."""
        while len(self.taken) < sum(map(len, self.logs.values())):
            before = (len(self.taken), dict(self.position))
            for partition in self.logs:
                self.turn(partition, 2)
            assert before != (len(self.taken), self.position)


def in_order(due: Mapping[Partition, Sequence[Fetched]]) -> list[Fetched]:
    arrived = [
        [Undecodable(Record(p, each.offset, each.timestamp, None, None, ()), "") for each in own]
        for p, own in due.items()
    ]
    merged = in_time_order(arrived)
    return [Fetched(r.partition, r.offset, r.timestamp) for r in (each.record for each in merged)]


TIMES = st.lists(st.integers(-1, 9), max_size=8)
TURNS = st.lists(st.tuples(st.sampled_from(PARTITIONS), st.integers(0, 3)), max_size=20)


def read(times: Sequence[Sequence[int]], turns: Sequence[tuple[Partition, int]], most: int) -> Logs:
    pairs = zip(PARTITIONS, times, strict=True)
    logs = Logs({each: records(each, *own) for each, own in pairs}, most)
    for partition, many in turns:
        logs.turn(partition, many)
    logs.to_end()
    return logs


@given(st.tuples(TIMES, TIMES, TIMES), TURNS, st.integers(1, 4))
@settings(deadline=None)
def test_logs_whose_times_rise_are_merged_by_time(
    times: Sequence[Sequence[int]], turns: Sequence[tuple[Partition, int]], most: int
) -> None:
    logs = read([sorted(own) for own in times], turns, most)
    assert [each.timestamp for each in logs.taken] == sorted(itertools.chain(*times))


@given(st.tuples(TIMES, TIMES, TIMES), TURNS, st.integers(1, 4))
@settings(deadline=None)
def test_every_record_is_taken_once_in_the_order_of_its_partition(
    times: Sequence[Sequence[int]], turns: Sequence[tuple[Partition, int]], most: int
) -> None:
    logs = read(times, turns, most)
    for partition, log in logs.logs.items():
        assert [each for each in logs.taken if each.partition == partition] == log


def test_a_record_waits_for_a_partition_that_may_have_an_older_one() -> None:
    ahead = FetchedAhead(patience_seconds=1, most=9)
    ahead.add({PAYMENT: records(PAYMENT, 5)})
    assert ahead.take([ORDER, PAYMENT], [ORDER], now=0) == {}
    ahead.add({ORDER: records(ORDER, 3, 7)})
    due = ahead.take([ORDER, PAYMENT], [], now=0)
    assert [each.timestamp for each in in_order(due)] == [3, 5, 7]


def test_what_may_follow_in_a_partition_bounds_the_others() -> None:
    ahead = FetchedAhead(patience_seconds=1, most=9)
    ahead.add({ORDER: records(ORDER, 3, 7), PAYMENT: records(PAYMENT, 5, 9)})
    due = ahead.take([ORDER, PAYMENT], [ORDER], now=0)
    assert [each.timestamp for each in in_order(due)] == [3, 5, 7]
    assert PAYMENT in ahead
    assert ORDER not in ahead


def test_a_partition_that_returns_nothing_is_waited_for_only_so_long() -> None:
    ahead = FetchedAhead(patience_seconds=1, most=9)
    # While nothing waits, the time does not count.
    assert ahead.take([ORDER, PAYMENT], [ORDER], now=5) == {}
    for number, now in enumerate((10.0, 10.9)):
        ahead.add({PAYMENT: records(PAYMENT, number)})
        assert ahead.take([ORDER, PAYMENT], [ORDER], now=now) == {}
    assert list(ahead.take([ORDER, PAYMENT], [ORDER], now=11)) == [PAYMENT]
    # It is left out until it returns records; then it is waited for as before.
    assert ahead.take([ORDER, PAYMENT], [ORDER], now=20) == {}
    ahead.add({PAYMENT: records(PAYMENT, 3)})
    assert list(ahead.take([ORDER, PAYMENT], [ORDER], now=30)) == [PAYMENT]
    ahead.add({ORDER: records(ORDER, 4)})
    assert list(ahead.take([ORDER, PAYMENT], [], now=31)) == [ORDER]
    ahead.add({PAYMENT: records(PAYMENT, 5)})
    assert ahead.take([ORDER, PAYMENT], [ORDER], now=32) == {}


def test_a_partition_that_was_left_out_is_waited_for_again_after_a_seek() -> None:
    ahead = FetchedAhead(patience_seconds=1, most=9)
    ahead.add({PAYMENT: records(PAYMENT, 3)})
    ahead.take([ORDER, PAYMENT], [ORDER], now=0)
    assert ahead.take([ORDER, PAYMENT], [ORDER], now=1)
    ahead.forget(ORDER)
    ahead.add({PAYMENT: records(PAYMENT, 4)})
    assert ahead.take([ORDER, PAYMENT], [ORDER], now=2) == {}


def test_records_of_a_partition_that_is_not_placed_stay() -> None:
    ahead = FetchedAhead(patience_seconds=1, most=9)
    ahead.add({ORDER: records(ORDER, 3), PAYMENT: records(PAYMENT, 5)})
    assert list(ahead.take([PAYMENT], [], now=0)) == [PAYMENT]
    assert list(ahead.take([ORDER, PAYMENT], [], now=0)) == [ORDER]


def test_records_from_before_a_seek_are_forgotten() -> None:
    ahead = FetchedAhead(patience_seconds=1, most=9)
    ahead.add({ORDER: records(ORDER, 3)})
    ahead.forget(ORDER)
    assert ORDER not in ahead
    assert ahead.take([ORDER], [], now=0) == {}
