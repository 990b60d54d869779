"""Tracks records that a log withholds from its readers because of an open transaction.

A consumer reads only committed records before the last stable offset, which is the first record of
the oldest transaction that is neither committed nor aborted. All later records wait too, including
those of other producers.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from consumers.runtime.records import Partition
from router.broker.log.bounds import LogBounds

if TYPE_CHECKING:
    # A type only: the exporter never looks for a transaction.
    from router.broker.log.transactions import OpenTransaction


@dataclass(frozen=True)
class Withheld:
    """Records of one partition that cannot be read yet.

    `offset` is where reading stops, `records` the number of offsets from there to the end
    of the log, `since` the time of the first observation, by the clock of `Withholding`.
    """

    partition: Partition
    offset: int
    records: int
    since: float
    transaction: "OpenTransaction | None" = None
    """The transaction, if the broker reports it."""


class Withholding:
    """Records how long each partition has been withheld at its current stable offset.

    The time starts with the first observation: the timestamp of a record is set by its
    producer, and a mirrored record may be years old. Longer than `limit_seconds` is a
    problem. `bootstrap` names the brokers for the command that aborts a transaction.
    """

    def __init__(
        self,
        limit_seconds: float,
        bootstrap: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with nothing withheld."""
        self._limit_seconds = limit_seconds
        self._bootstrap = bootstrap
        self._clock = clock
        self._found: dict[Partition, Withheld] = {}

    def see(self, bounds: Mapping[Partition, LogBounds]) -> None:
        """Update from the bounds of logs; other partitions remain unchanged."""
        for partition, seen in bounds.items():
            known = self._found.pop(partition, None)
            if seen.stable >= seen.end:
                continue
            records = seen.end - seen.stable
            if known is None or known.offset != seen.stable:
                # A different transaction is the oldest now, and gets its own time limit.
                known = Withheld(partition, seen.stable, records, self._clock())
            self._found[partition] = replace(known, records=records)

    def set_transaction(self, found: Withheld, transaction: "OpenTransaction | None") -> None:
        """Set the transaction, if the partition is still withheld at the same offset."""
        known = self._found.get(found.partition)
        if known is not None and known.offset == found.offset:
            self._found[known.partition] = replace(known, transaction=transaction)

    def keep(self, partitions: Collection[Partition]) -> None:
        """Drop all other partitions."""
        self._found = {p: found for p, found in self._found.items() if p in partitions}

    def seconds(self, partition: Partition) -> float:
        """Return how long a partition has been withheld, in seconds; 0 if it is not."""
        found = self._found.get(partition)
        return 0.0 if found is None else self._clock() - found.since

    def troubles(self) -> Sequence[Withheld]:
        """Return the partitions that have been withheld for too long."""
        found = (each for _, each in sorted(self._found.items()))
        return [each for each in found if self.seconds(each.partition) >= self._limit_seconds]

    def command(self, found: Withheld) -> str:
        """Return the command that aborts a transaction, even if its producer is still active."""
        topic, number = found.partition
        return (
            f"kafka-transactions.sh --bootstrap-server {self._bootstrap} abort --topic {topic}"
            f" --partition {number} --start-offset {found.offset}"
        )

    def sentence(self, found: Withheld) -> str:
        """Describe the problem, its duration, and the command that fixes it."""
        producer = "" if found.transaction is None else f" ({found.transaction})"
        return (
            f"{found.partition}: an open transaction{producer} withholds {found.records} records"
            f" from offset {found.offset} on, for {self.seconds(found.partition):.0f} s. End it in"
            f" the producer; if the producer no longer runs: {self.command(found)}"
        )
