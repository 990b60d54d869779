"""Records fetched ahead of their turn: of several partitions, the oldest records come first.

Nothing orders records of different partitions, except their times. A consumer that is far behind
would otherwise apply one topic from its beginning to its end before the next: all orders before
the first payment. Kafka Streams reads in the same way.
"""

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from consumers.runtime.records import Arrived, Partition

_TIME: Final = attrgetter("timestamp")
_ARRIVED_TIME: Final = attrgetter("record.timestamp")


def in_time_order(arrived: Iterable[Sequence[Arrived]]) -> Sequence[Arrived]:
    """Merge the records of partitions by their times; each partition keeps its own order."""
    return list(heapq.merge(*arrived, key=_ARRIVED_TIME))


class FetchedAhead:
    """Records of the client by partition, until it is their turn.

    A record is taken once no older one can come: every other partition has records here, or is
    read to its end. A partition that has more, but returns nothing for `patience_seconds` while
    others wait, is left out until it returns records: a broker that is away must not stop the rest.
    """

    def __init__(self, patience_seconds: float, most: int) -> None:
        """Return at most so many records at once."""
        self._patience_seconds = patience_seconds
        self._most = most
        self._records: dict[Partition, list[Any]] = {}
        self._awaited_since: dict[Partition, float] = {}
        self._left_out: set[Partition] = set()

    def __contains__(self, partition: Partition) -> bool:
        """Return whether there are records of a partition."""
        return partition in self._records

    def add(self, fetched: Mapping[Partition, Sequence[Any]]) -> None:
        """Add the next records of partitions."""
        for partition, records in fetched.items():
            self._records.setdefault(partition, []).extend(records)
            self._left_out.discard(partition)

    def forget(self, partition: Partition) -> None:
        """Drop the records of a partition, which is read again from another offset."""
        self._records.pop(partition, None)
        self._left_out.discard(partition)

    def take(
        self, placed: Collection[Partition], unread: Collection[Partition], now: float
    ) -> Mapping[Partition, Sequence[Any]]:
        """Return the records of placed partitions whose turn it is, by partition.

        `unread` are the partitions whose logs have more records; `now` is monotonic, in seconds.
        """
        there = {each: self._records[each] for each in sorted(placed) if each in self._records}
        awaited = set(unread) - there.keys() - self._left_out if there else set()
        if self._must_wait(awaited, now) or not there:
            return {}
        # A partition's later records may be as old as the newest that is here.
        bounds = (max(map(_TIME, there[each])) for each in there if each in unread)
        taken = self._due(there, min(bounds, default=None))
        for partition, records in taken.items():
            left = there[partition][len(records) :]
            if left:
                self._records[partition] = left
            else:
                del self._records[partition]
        return taken

    def _must_wait(self, awaited: Iterable[Partition], now: float) -> bool:
        """Return whether to wait for any of these; leave out those awaited for too long."""
        since = {each: self._awaited_since.get(each, now) for each in awaited}
        late = {each for each in since if now - since[each] >= self._patience_seconds}
        self._left_out |= late
        self._awaited_since = {each: since[each] for each in since.keys() - late}
        return bool(self._awaited_since)

    def _due(
        self, there: Mapping[Partition, Sequence[Any]], upto: int | None
    ) -> dict[Partition, list[Any]]:
        """Return the oldest records up to a time, in milliseconds; None for any."""
        pairs = [[(each, record) for record in records] for each, records in there.items()]
        taken: dict[Partition, list[Any]] = {}
        ordered = heapq.merge(*pairs, key=lambda pair: pair[1].timestamp)
        for count, (partition, record) in enumerate(ordered):
            if count == self._most or (upto is not None and record.timestamp > upto):
                break
            taken.setdefault(partition, []).append(record)
        return taken
