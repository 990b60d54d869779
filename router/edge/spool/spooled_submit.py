"""Publishes deliveries, or stores them in the spool if the broker does not acknowledge in time.

The place of a delivery among those of its keys is taken at its arrival. If one goes to the spool,
all of its keys that wait for the broker go with it, in the order of their arrival, and later ones
follow until the spool holds none of these keys.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from router.contract.wire import OutgoingRecord
from router.edge.publishing.deadlines import DeadlineQueue
from router.edge.publishing.submission import Done
from router.edge.spool.book import RecordKey
from router.edge.spool.spool import Spool
from router.errors import NotDurable, Reason, RecordRefused

LEAST_SHARE = 0.5
"""Least share of the time left that the broker has before the spool is used."""


class DirectSubmit(Protocol):
    """Gives records to the broker; returns what `give_up` takes. Raises NotDurable."""

    def __call__(
        self, records: Sequence[OutgoingRecord], done: Done, deadline: float | None
    ) -> object:
        """See `KafkaPublisher.submit`."""


class WaitingDelivery:
    """A delivery that waits for the broker."""

    __slots__ = ("deadline", "done", "keys", "number", "records", "submission")

    def __init__(
        self, number: int, records: Sequence[OutgoingRecord], done: Done, deadline: float | None
    ) -> None:
        """Start before it is submitted; numbers rise in the order of arrival."""
        self.number = number
        self.records = records
        self.done = done
        self.deadline = deadline
        self.keys = keys_of(records)
        self.submission: object = None


@dataclass
class SpooledSubmit:
    """Implements `Submit` with a spool behind the broker.

    `give_up` withdraws a submission without a result. `reserve_seconds` of a delivery's time are
    left for the disk. `loop_time` is the event loop's clock.
    """

    submit: DirectSubmit
    give_up: Callable[[object], None]
    spool: Spool
    reserve_seconds: float
    loop_time: Callable[[], float]
    deadlines: DeadlineQueue = field(default_factory=DeadlineQueue)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _waiting: dict[RecordKey, dict[WaitingDelivery, None]] = field(default_factory=dict)
    _away: set[str] = field(default_factory=set)

    def __call__(
        self, records: Sequence[OutgoingRecord], done: Done, deadline: float | None
    ) -> object:
        """Publish or store; call `done` later. Raises NotDurable if neither is possible."""
        delivery = WaitingDelivery(next(self._numbers), records, done, deadline)
        behind = any(map(self.spool.book.holds, delivery.keys))
        if behind or any(map(self._is_away, delivery.keys)):
            problem = self.spool.problem()
            if problem is None:
                self._store(delivery)
                return None
            if behind:
                # Past the records of its key that wait, it would be out of order.
                raise NotDurable(Reason.NOT_DURABLE, problem)
        self._submit(delivery)
        return None

    def broker_answered(self, topic: str) -> None:
        """Publish deliveries to a topic directly again."""
        self._away.discard(topic)

    def _is_away(self, key: RecordKey) -> bool:
        # Only while something is tried again: otherwise nothing would end it.
        return key[0] in self._away and self.spool.book.waiting_for(key[0]) > 0

    def _submit(self, delivery: WaitingDelivery) -> None:
        for key in delivery.keys:
            self._waiting.setdefault(key, {})[delivery] = None
        answered = partial(self._answered, delivery)
        try:
            delivery.submission = self.submit(delivery.records, answered, self._turn(delivery))
        except NotDurable as problem:
            self._failed(delivery, problem, raised=True)

    def _turn(self, delivery: WaitingDelivery) -> float | None:
        """Return until when the broker has time; all of it if the spool could not help."""
        deadline = delivery.deadline
        if deadline is None or self.spool.problem() is not None:
            return deadline
        left = deadline - self.loop_time()
        return deadline - min(self.reserve_seconds, left * (1 - LEAST_SHARE))

    def _answered(self, delivery: WaitingDelivery, problem: NotDurable | None) -> None:
        if problem is None:
            self._forget(delivery)
            delivery.done(None)
        else:
            self._failed(delivery, problem, raised=False)

    def _failed(self, delivery: WaitingDelivery, problem: NotDurable, *, raised: bool) -> None:
        """Store a delivery that the broker did not take, with all that wait for its keys."""
        if not isinstance(problem, RecordRefused):
            self._away.update(topic for topic, _ in delivery.keys)
        full = self.spool.problem()
        if full is not None:
            self._forget(delivery)
            refusal = NotDurable(problem.reason, f"{problem.detail}; {full}")
            if raised:
                raise refusal
            delivery.done(refusal)
            return
        self._store(delivery)

    def _store(self, delivery: WaitingDelivery) -> None:
        """Store a delivery with all that wait for its keys: those before it and those behind."""
        falling = self._connected(delivery)
        for each in falling:
            self._forget(each)
            if each is not delivery:
                self.give_up(each.submission)
        for each in falling:
            self._fall(each)

    def _connected(self, delivery: WaitingDelivery) -> list[WaitingDelivery]:
        """Return all that share a key with a delivery, directly or through others, in order."""
        found, open_ = {delivery}, [delivery]
        while open_:
            for key in open_.pop().keys:
                new = [each for each in self._waiting.get(key, ()) if each not in found]
                found.update(new)
                open_ += new
        return sorted(found, key=lambda each: each.number)

    def _fall(self, delivery: WaitingDelivery) -> None:
        answer = _Answer(delivery.done)
        if delivery.deadline is not None:
            expire = partial(answer, "not on the spool's disk in time")
            answer.cancel = self.deadlines.add(delivery.deadline, expire).cancel
        self.spool.store(delivery.records, answer)

    def _forget(self, delivery: WaitingDelivery) -> None:
        for key in delivery.keys:
            waiting = self._waiting.get(key, {})
            waiting.pop(delivery, None)
            if not waiting:
                self._waiting.pop(key, None)


class _Answer:
    """Passes the first result on: from the disk, or at the deadline."""

    def __init__(self, done: Done) -> None:
        self._done: Done | None = done
        self.cancel: Callable[[], None] = lambda: None

    def __call__(self, problem: str | None) -> None:
        done, self._done = self._done, None
        if done is not None:
            self.cancel()
            done(None if problem is None else NotDurable(Reason.NOT_DURABLE, problem))


def keys_of(records: Sequence[OutgoingRecord]) -> Sequence[RecordKey]:
    """Return the keys of a delivery's records, each once, in order."""
    return list(dict.fromkeys((record.topic, record.key) for record in records))
