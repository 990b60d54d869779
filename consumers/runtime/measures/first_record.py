"""When the first record at a place of a log was written, looked at once while the place stands.

Offsets alone do not say whether anything waits: the last offset of a log may
be the marker of a transaction, which nobody reads and no fence passes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumers.runtime.apply.failures import describe
from consumers.runtime.records import NO_TIMESTAMP, Partition
from router.broker.adapter.private import Asker
from router.broker.adapter.requests import READ_UNCOMMITTED
from router.broker.log.bounds import LogBounds
from router.broker.log.raw_fetch import ONE_BATCH, fetch_raw
from router.broker.log.reread import RereadRecords, reread_records

NOTHING = math.inf
"""The time of the first record where there is none: markers of transactions alone, say."""

_BEGAN = slice(27, 35)
"""Where a batch says when its first record was written, in milliseconds."""

Place = tuple[Partition, int]


@dataclass(frozen=True)
class _Seen:
    """What was found at an offset: a time, or that there is no record before `reach`."""

    since: float | None
    reach: int


@dataclass
class FirstRecords:
    """Looks at the first record from each place on; a place that stands is looked at once.

    Call `turn` before each round: what was not asked for in the last one is forgotten.
    """

    answer_seconds: float
    problems: list[str] = field(default_factory=list)
    """What could not be read in this round."""
    _seen: dict[Place, _Seen] = field(default_factory=dict)
    _known: Mapping[Place, _Seen] = field(default_factory=dict)
    _withheld: dict[Place, float | None] = field(default_factory=dict)
    _withheld_known: Mapping[Place, float | None] = field(default_factory=dict)

    def turn(self) -> None:
        """Begin a round."""
        self.problems = []
        self._known, self._seen = self._seen, {}
        self._withheld_known, self._withheld = self._withheld, {}

    def forget(self, partition: Partition) -> None:
        """Forget all of a partition: its log was recreated."""
        self._known = {place: seen for place, seen in self._known.items() if place[0] != partition}
        self._seen = {place: seen for place, seen in self._seen.items() if place[0] != partition}
        self._withheld = {p: seen for p, seen in self._withheld.items() if p[0] != partition}
        self._withheld_known = {
            p: seen for p, seen in self._withheld_known.items() if p[0] != partition
        }

    async def both(
        self,
        asker: Asker,
        place: Place,
        bounds: LogBounds,
    ) -> tuple[float | None, float | None]:
        """Return when the first record from a place on was written, and the first readable one.

        In Unix seconds; NOTHING where there is none, None where it is not known.
        """
        readable = await self.readable(asker, place, bounds.stable)
        if readable != NOTHING or bounds.stable >= bounds.end:
            return readable, readable
        partition, offset = place
        return await self.withheld(asker, (partition, max(offset, bounds.stable))), readable

    async def readable(self, asker: Asker, place: Place, stable: int) -> float | None:
        """Return when the first record below the last stable offset was written, in Unix seconds.

        NOTHING where there is none; None where it is not known.
        """
        if place[1] >= stable:
            return NOTHING
        seen = self._seen.get(place) or self._known.get(place) or _Seen(None, place[1])
        if seen.since is None and seen.reach < stable:
            seen = await self._look(asker, place[0], seen.reach)
        self._seen[place] = seen
        return NOTHING if seen.since is None and seen.reach >= stable else seen.since

    async def withheld(self, asker: Asker, place: Place) -> float | None:
        """Return when the record at a last stable offset was written, which nobody can read yet."""
        if place not in self._withheld:
            known = self._withheld_known.get(place)
            self._withheld[place] = await self._peek(asker, place) if known is None else known
        return self._withheld[place]

    async def _look(self, asker: Asker, partition: Partition, offset: int) -> _Seen:
        tp = TopicPartition(*partition)
        try:
            found = await reread_records(asker, tp, offset, most=1, asked_bytes=ONE_BATCH)
        except (KafkaError, OSError, TimeoutError) as error:
            self._failed(partition, offset, error)
            return _Seen(None, offset)
        return _Seen(_time_of(found), found.next_offset)

    async def _peek(self, asker: Asker, place: Place) -> float | None:
        try:
            raw = await fetch_raw(
                asker,
                TopicPartition(*place[0]),
                place[1],
                asked_bytes=ONE_BATCH,
                seconds=self.answer_seconds,
                isolation=READ_UNCOMMITTED,
            )
        except (KafkaError, OSError, TimeoutError) as error:
            self._failed(*place, error)
            return None
        began = int.from_bytes(raw.data[_BEGAN], "big", signed=True)
        return None if len(raw.data) < _BEGAN.stop or began == NO_TIMESTAMP else began / 1000

    def _failed(self, partition: Partition, offset: int, error: Exception) -> None:
        self.problems.append(f"the record at {partition} offset {offset}: {describe(error)}")


def _time_of(found: RereadRecords) -> float | None:
    """Return the time of the first record, or of the batch it stands in, where it has one."""
    if found.records:
        timestamp: int = found.records[0].timestamp
    elif found.problem is not None and found.began is not None:
        timestamp = found.began
    else:
        return None
    return None if timestamp == NO_TIMESTAMP else timestamp / 1000
