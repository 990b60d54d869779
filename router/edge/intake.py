"""Verifies and normalizes a delivery, and makes its records. Independent of HTTP and Kafka."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal, Protocol, get_args

from router.configuration.endpoint_settings import Mode, of_mode
from router.contract.event import Event
from router.contract.fast.records import encode_event
from router.contract.fields import text_of
from router.contract.quarantine import Quarantined, quarantine_id
from router.contract.topics import Topics
from router.contract.wire import OutgoingRecord, encode_quarantined
from router.delivery import Delivery, VerifiedDelivery
from router.edge.kept_before import KeptBefore
from router.edge.meaning import meaning
from router.errors import (
    IgnoredEvent,
    NotOurs,
    NotUnderstood,
    OutsideWindow,
    Reason,
    RefusedDelivery,
    Unauthentic,
)
from router.providers import Key, Provider, endpoint_target

Clock = Callable[[], datetime]
"""Returns the current time in UTC. Injected in the composition root; no setting freezes it."""

DeliveryPhase = Literal["read", "verify", "normalize", "publish"]
"""Phases of a delivery, in this order; the body is read before the intake."""

PHASES: Sequence[DeliveryPhase] = get_args(DeliveryPhase)


@dataclass(frozen=True)
class Endpoint:
    """A configured webhook URL with its provider, keys and limits."""

    name: str
    account: str
    provider: Provider
    keys: Sequence[Key]
    tolerance: timedelta | None
    deadline_seconds: float
    has_token: bool = False
    mode: Mode = "live"

    @cached_property
    def target(self) -> str:
        """The path of its URL, with `{token}` instead of the token."""
        return endpoint_target(self.name, has_token=self.has_token)


@dataclass(frozen=True)
class Received:
    """A durable delivery: its events, the reason for its quarantine, or both.

    One that the configuration ignores has neither; `ignored` is the gateway's word for it.
    """

    key: str
    events: Sequence[Event] = ()
    quarantined: NotUnderstood | None = None
    ignored: str | None = None


@dataclass(frozen=True)
class Prepared:
    """A proved delivery before it is durable: the records that make it so, and its result.

    `kept` is the delivery as quarantine stores it, if one of the records does that.
    """

    endpoint: Endpoint
    records: Sequence[OutgoingRecord]
    result: Received | RefusedDelivery
    kept: Quarantined | None = None


class Observer(Protocol):
    """Receives progress callbacks; cannot affect the outcome."""

    def phase(self, endpoint: str, phase: DeliveryPhase, seconds: float) -> None:
        """Record the duration of a phase that succeeded."""

    def genuine(self, endpoint: str, received_at: datetime, signed_at: datetime | None) -> None:
        """Record a delivery whose signature is verified, even if it is refused later."""

    def unread(self, endpoint: str, fields: Sequence[str]) -> None:
        """Record the descriptive fields of an event that could not be read, if any."""


@dataclass(frozen=True)
class Intake:
    """Receives deliveries: verifies and normalizes each one, which waits for nothing."""

    topics: Topics
    clock: Clock
    traceparent: Callable[[], str]
    may_keep_stale: Callable[[str], bool]
    observer: Observer
    kept_before: KeptBefore = field(default_factory=KeptBefore)

    def begin(
        self, delivery: Delivery, endpoint: Endpoint, proved: Callable[[], None] = lambda: None
    ) -> Prepared:
        """Return the records of a genuine delivery and its result, or raise RefusedDelivery.

        `proved` is called once the signature is verified, and may raise NotDurable.
        """
        verified = self._verify(delivery, endpoint)
        proved()
        outside = outside_window(verified, endpoint.tolerance, self.clock())
        if outside is not None:
            return self._outside_window(verified, endpoint, outside)
        try:
            events = self._normalize(verified, endpoint)
        except NotUnderstood as problem:
            return self._not_understood(verified, endpoint, problem)
        except IgnoredEvent as event:
            ignored = Received(verified.verification.key, ignored=event.word)
            return Prepared(endpoint, (), ignored)
        received = Received(verified.verification.key, events)
        return Prepared(endpoint, self._records(events), received)

    def durable(self, prepared: Prepared, seconds: float) -> Received:
        """Return the result of a delivery whose records have all become durable.

        `seconds` is how long that took. Raises RefusedDelivery if it is refused although stored.
        """
        if prepared.records:
            self.observer.phase(prepared.endpoint.name, "publish", seconds)
        if prepared.kept is not None:
            self.kept_before.remember(prepared.kept)
        if isinstance(prepared.result, RefusedDelivery):
            raise prepared.result
        return prepared.result

    def _verify(self, delivery: Delivery, endpoint: Endpoint) -> VerifiedDelivery:
        started = time.perf_counter()
        verified = endpoint.provider.verify(delivery, endpoint.keys)
        self.observer.phase(endpoint.name, "verify", time.perf_counter() - started)
        self.observer.genuine(endpoint.name, delivery.received_at, verified.signed_at)
        return verified

    def _normalize(self, verified: VerifiedDelivery, endpoint: Endpoint) -> Sequence[Event]:
        started = time.perf_counter()
        events = events_of(verified, endpoint)
        self.observer.phase(endpoint.name, "normalize", time.perf_counter() - started)
        return events

    def _records(self, events: Sequence[Event]) -> Sequence[OutgoingRecord]:
        trace = self.traceparent()
        for event in events:
            self.observer.unread(event.endpoint, event.unread)
        return [encode_event(event, self.topics.name(event.type.family), trace) for event in events]

    def _outside_window(
        self, verified: VerifiedDelivery, endpoint: Endpoint, problem: OutsideWindow
    ) -> Prepared:
        """Prepare a delivery to be refused once it is stored; raise `problem` if it is not."""
        kept = self._quarantined(verified, endpoint, problem.reason, problem.detail)
        if self._needs_writing(kept) and self.may_keep_stale(endpoint.name):
            return Prepared(endpoint, [self._record_of(kept)], problem, kept)
        raise problem

    def _not_understood(
        self, verified: VerifiedDelivery, endpoint: Endpoint, problem: NotUnderstood
    ) -> Prepared:
        """Prepare a delivery for quarantine, with its understood events.

        Deliveries about another merchant's money are refused beyond a rate
        limit, so that a sender cannot fill the topic with them. Their gateway
        sends them again, and they are accepted once the limit allows.
        """
        key = verified.verification.key
        received = Received(key, problem.events, quarantined=problem)
        kept = self._quarantined(verified, endpoint, problem.reason, problem.detail)
        if not self._needs_writing(kept):
            events = self._records(problem.events) if problem.events else ()
            return Prepared(endpoint, events, received)
        bound = f"{endpoint.name} {problem.reason}"
        if isinstance(problem, NotOurs) and not self.may_keep_stale(bound):
            raise Unauthentic(problem.reason, problem.detail)
        records = [*self._records(problem.events), self._record_of(kept)]
        return Prepared(endpoint, records, received, kept)

    def _needs_writing(self, kept: Quarantined) -> bool:
        return self.kept_before.needs_writing(kept, self.may_keep_stale)

    def _record_of(self, kept: Quarantined) -> OutgoingRecord:
        return encode_quarantined(kept, self.topics.quarantine, self.traceparent())

    def _quarantined(
        self, verified: VerifiedDelivery, endpoint: Endpoint, reason: Reason, detail: str
    ) -> Quarantined:
        name, account = endpoint.provider.name, endpoint.account
        return Quarantined(
            id=quarantine_id(name, account, reason.value, verified.digest),
            reason=reason.value,
            detail=text_of(detail),
            provider=name,
            endpoint=endpoint.name,
            account=account,
            mode=endpoint.mode,
            signed_at=verified.signed_at,
            received_at=verified.delivery.received_at,
            verification=verified.verification,
            raw=verified.raw(),
        )


def events_of(
    verified: VerifiedDelivery, endpoint: Endpoint, mode_at_arrival: Mode | None = None
) -> Sequence[Event]:
    """Return the events of a delivery: the only way from a delivery to events.

    `mode_at_arrival` is the endpoint's mode when the delivery arrived, None if it is
    unknown or cannot have changed. Raises NotUnderstood, also for money of the other mode,
    and IgnoredEvent.
    """
    try:
        events = meaning(endpoint.provider, verified)
    except NotUnderstood as problem:
        problem.events = of_mode(problem.events, endpoint.mode, mode_at_arrival)
        raise
    return of_mode(events, endpoint.mode, mode_at_arrival)


def outside_window(
    verified: VerifiedDelivery, tolerance: timedelta | None, now: datetime
) -> OutsideWindow | None:
    """Return why the signed time is outside the window, None if it is inside or not signed."""
    if verified.signed_at is None or tolerance is None:
        return None
    age = now - verified.signed_at
    if abs(age) <= tolerance:
        return None
    reason = Reason.STALE if age > tolerance else Reason.FUTURE
    distance = int(abs(age).total_seconds())
    bound = int(tolerance.total_seconds())
    detail = f"signed {distance} s {'ago' if reason is Reason.STALE else 'ahead'}, window {bound} s"
    return OutsideWindow(reason, detail, verified)
