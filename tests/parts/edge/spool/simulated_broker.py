"""A publisher without a broker: lanes per key, results and losses as the test decides."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from router.contract.wire import OutgoingRecord
from router.edge.publishing.submission import Done
from router.errors import NotDurable, Reason, RecordRefused


@dataclass(eq=False)
class Handed:
    """Records of one delivery at the publisher."""

    records: Sequence[OutgoingRecord]
    done: Done | None
    left: int


@dataclass
class LaneOfKey:
    """What the producer holds of a key, and what waits behind it."""

    held: list[tuple[Handed, OutgoingRecord]] = field(default_factory=list)
    waiting: list[tuple[Handed, OutgoingRecord]] = field(default_factory=list)


@dataclass
class SimulatedBroker:
    """Implements `DirectSubmit`; `log` is what the broker has written, in order."""

    log: list[bytes] = field(default_factory=list)
    lanes: dict[bytes, LaneOfKey] = field(default_factory=dict)
    unavailable: bool = False
    poison: set[bytes] = field(default_factory=set)
    """Values that the broker refuses for good."""

    def __call__(
        self, records: Sequence[OutgoingRecord], done: Done, deadline: float | None
    ) -> Handed:
        """Queue records; the result comes later."""
        del deadline
        handed = Handed(records, done, len(records))
        bad = any(record.value in self.poison for record in records)
        if bad or self.unavailable:
            problem: NotDurable = NotDurable(Reason.NOT_DURABLE, "no connection to the broker")
            if bad:
                problem = RecordRefused(Reason.NOT_DURABLE, "too large", for_good=True)
            asyncio.get_running_loop().call_soon(self._end, handed, problem)
            return handed
        for record in records:
            self.lanes.setdefault(record.key, LaneOfKey()).waiting.append((handed, record))
        return handed

    def give_up(self, handed: object) -> None:
        """Withdraw a delivery; what the producer holds of it may still be written."""
        assert isinstance(handed, Handed)
        handed.done = None
        self._drop(handed)

    def hold(self, key: bytes) -> None:
        """Let the producer take all that waits for a key, unless it holds some."""
        lane = self.lanes.get(key)
        if lane is not None and not lane.held:
            lane.held, lane.waiting = lane.waiting, []

    def acknowledge(self, key: bytes) -> None:
        """Write what the producer holds of a key, and report it."""
        for handed in self._written(key):
            handed.left -= 1
            if not handed.left:
                self._end(handed, None)

    def lose(self, key: bytes, *, written: bool) -> None:
        """Fail what the producer holds of a key: it is sent again, or forgotten if given up."""
        lane = self.lanes.get(key, LaneOfKey())
        held = list(lane.held)
        if written:
            self._written(key)
        lane.held = []
        lane.waiting = [each for each in held if each[0].done is not None] + lane.waiting

    def expire(self, number: int) -> None:
        """Let the deadline of one delivery pass."""
        waiting = self.pending()
        if waiting:
            handed = waiting[number % len(waiting)]
            done, handed.done = handed.done, None
            self._drop(handed)
            assert done is not None
            done(NotDurable(Reason.NOT_DURABLE, "no acknowledgement in time"))

    def crash(self, *, written: bool) -> None:
        """End the publisher's process; what the producer holds may have been sent before."""
        for key, lane in self.lanes.items():
            if written:
                self._written(key)
            lane.held, lane.waiting = [], []

    def pending(self) -> list[Handed]:
        """Return the deliveries without a result, in order."""
        lanes = self.lanes.values()
        entries = [handed for lane in lanes for handed, _ in (*lane.held, *lane.waiting)]
        return [each for each in dict.fromkeys(entries) if each.done is not None]

    def _written(self, key: bytes) -> list[Handed]:
        lane = self.lanes.get(key, LaneOfKey())
        held, lane.held = lane.held, []
        self.log += [record.value for _, record in held]
        return [handed for handed, _ in held]

    def _drop(self, handed: Handed) -> None:
        for lane in self.lanes.values():
            lane.waiting = [each for each in lane.waiting if each[0] is not handed]

    def _end(self, handed: Handed, problem: NotDurable | None) -> None:
        done, handed.done = handed.done, None
        if done is not None:
            done(problem)
