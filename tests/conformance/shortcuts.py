"""The two ways from a verified delivery to its records: with the shortcuts, and without any.

Each answer of a shortcut is compared at once with that of the general way.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self, TypeVar

import pytest
from pydantic import ValidationError

from router.contract import strict_json
from router.contract.event import Event
from router.contract.fast import bodies, events, records
from router.contract.strict_json import JsonValue, StrictJsonError
from router.contract.wire import OutgoingRecord, first_problem
from router.delivery import VerifiedDelivery
from router.edge.intake import Endpoint, events_of
from router.errors import IgnoredEvent, NotUnderstood
from router.providers import _reading

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

_READ, _MAKE, _WRITE = bodies.read_object, events.plain_event, records.encoded
_SPELLED = (*sorted(records.AMOUNTS), "occurred_at", "received_at")
"""Fields whose equal values may differ: in their digits, or in their zone."""

_Answer = TypeVar("_Answer")
Encode = Callable[[Event, str, str], OutgoingRecord]


@dataclass(frozen=True)
class Outcome:
    """What a delivery becomes: its records, and why it is not or not wholly understood."""

    problem: tuple[str, ...]
    events: Sequence[Event]
    records: Sequence[OutgoingRecord]


@dataclass
class Shortcuts:
    """Counts the calls of each shortcut, and those that it answered.

    `differing` has what it answered otherwise than the general way. A provider would make a reason
    of quarantine of an error that is raised here.
    """

    asked: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    differing: list[str] = field(default_factory=list)
    _left_out: bool = field(default=False, init=False)

    @contextmanager
    def watched(self) -> Iterator[Self]:
        """Count and compare; once for many deliveries, since replacing functions takes long."""
        with _replaced(self._body, self._event, self._record):
            yield self

    def outcomes(self, verified: VerifiedDelivery, endpoint: Endpoint) -> tuple[Outcome, Outcome]:
        """Return the outcome with the shortcuts, and the one without any, while watched."""
        self._left_out = False
        ours = _outcome(verified, endpoint)
        self._left_out = True
        return ours, _outcome(verified, endpoint)

    def _body(self, data: bytes) -> dict[str, JsonValue] | None:
        if self._left_out:
            return None
        members = self._noted("body", _READ(data))
        if members is not None and repr(members) != _strictly_read(data):
            self.differing.append(repr(data))
        return members

    def _event(self, facts: Mapping[str, object]) -> Event | None:
        if self._left_out:
            return None
        event = self._noted("event", _MAKE(facts))
        if event is not None and exactly(event) != validated(facts):
            self.differing.append(repr(facts))
        return event

    def _record(self, event: Event) -> bytes | None:
        return None if self._left_out else self._noted("record", _WRITE(event))

    def _noted(self, name: str, answer: _Answer) -> _Answer:
        self.asked[name] += 1
        self.taken[name] += answer is not None
        return answer

    def without_answer(self, name: str) -> int:
        """Return the number of calls that a shortcut left to the general way."""
        return self.asked[name] - self.taken[name]


@contextmanager
def general_way() -> Iterator[None]:
    """Leave all bodies, events and records to the strict parser and to pydantic."""
    with _replaced(lambda _: None, lambda _: None, lambda _: None):
        yield


def _strictly_read(data: bytes) -> str:
    """Return the members as text, in which a Decimal has all its digits, or the refusal."""
    try:
        return repr(strict_json.parse_object(data))
    except StrictJsonError as error:
        return str(error)


def validated(facts: Mapping[str, object]) -> Sequence[object]:
    """Return the event that pydantic makes, or its refusal."""
    try:
        return exactly(Event.model_validate(facts))
    except ValidationError as error:
        return first_problem(error)


def exactly(event: Event) -> Sequence[object]:
    """Return what is equal for two events only if nothing can tell them apart."""
    values = vars(event)
    spelled = [str(values[name]) for name in _SPELLED]
    return (*values, *map(type, values.values()), *spelled, values, event.model_fields_set)


@contextmanager
def _replaced(
    read: Callable[[bytes], dict[str, JsonValue] | None],
    make: Callable[[Mapping[str, object]], Event | None],
    write: Callable[[Event], bytes | None],
) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bodies, "read_object", read)
        patch.setattr(_reading, "plain_event", make)
        patch.setattr(records, "encoded", write)
        yield


def _outcome(verified: VerifiedDelivery, endpoint: Endpoint) -> Outcome:
    problem: tuple[str, ...] = ()
    try:
        found = events_of(verified, endpoint)
    except NotUnderstood as error:
        problem, found = (type(error).__name__, error.reason, error.detail), error.events
    except IgnoredEvent as error:
        problem, found = (type(error).__name__, error.word), ()
    made = [records.encode_event(event, f"t.{event.type.family}", TRACE) for event in found]
    return Outcome(problem, tuple(found), tuple(made))
