"""Records that a log withholds from its readers, behind an open transaction of somebody else.

A consumer reads committed records only, and none behind the last stable offset:
the first record of the oldest transaction that is neither committed nor aborted.
Everything behind it waits too, whoever wrote it.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from consumers.runtime.records import Partition
from router.broker.log.bounds import LogBounds
from router.broker.log.transactions import OpenTransaction


@dataclass(frozen=True)
class Withheld:
    """Records of one partition that nobody can read yet.

    `offset` is where reading stops, `records` the offsets from there to the end
    of the log, `since` when it was first seen on the clock of its `Withholding`.
    """

    partition: Partition
    offset: int
    records: int
    since: float
    transaction: OpenTransaction | None = None
    """Whose it is, where the broker says."""


class Withholding:
    """Remembers since when each partition has been withheld at the offset where it is now.

    The time counts from when it was first seen here: the timestamp of a record is
    its producer's word, and a mirrored record may be years old. `limit_seconds`
    is how long that may last before it is trouble, `bootstrap` the brokers that
    a command is to name.
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
        """Take over a look at the logs; what it does not answer for stays as it was."""
        for partition, seen in bounds.items():
            known = self._found.pop(partition, None)
            if seen.stable >= seen.end:
                continue
            records = seen.end - seen.stable
            if known is None or known.offset != seen.stable:
                # Another transaction is the oldest now: each may take its time.
                known = Withheld(partition, seen.stable, records, self._clock())
            self._found[partition] = replace(known, records=records)

    def belongs_to(self, found: Withheld, transaction: OpenTransaction | None) -> None:
        """Note whose transaction it is, if it still is the one."""
        known = self._found.get(found.partition)
        if known is not None and known.offset == found.offset:
            self._found[known.partition] = replace(known, transaction=transaction)

    def keep(self, partitions: Collection[Partition]) -> None:
        """Forget every other partition."""
        self._found = {p: found for p, found in self._found.items() if p in partitions}

    def seconds(self, partition: Partition) -> float:
        """Return how long a partition has been withheld; 0 where it is not."""
        found = self._found.get(partition)
        return 0.0 if found is None else self._clock() - found.since

    def troubles(self) -> Sequence[Withheld]:
        """Return what has been withheld for too long."""
        found = (each for _, each in sorted(self._found.items()))
        return [each for each in found if self.seconds(each.partition) >= self._limit_seconds]

    def command(self, found: Withheld) -> str:
        """Return the command that aborts a transaction, whatever its producer does."""
        topic, number = found.partition
        return (
            f"kafka-transactions.sh --bootstrap-server {self._bootstrap} abort --topic {topic}"
            f" --partition {number} --start-offset {found.offset}"
        )

    def sentence(self, found: Withheld) -> str:
        """Say what is wrong, for how long, and the command that mends it."""
        whose = "" if found.transaction is None else f" ({found.transaction})"
        return (
            f"{found.partition}: an open transaction{whose} withholds {found.records} records from"
            f" offset {found.offset} on, for {self.seconds(found.partition):.0f} s. End it where it"
            f" was begun; if its producer is gone: {self.command(found)}"
        )
