"""Takes a delivery on quarantine in after all: verified again, under its original identity."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from router.contract.event import Event
from router.contract.quarantine import Quarantined, Replayed
from router.contract.topics import Topics
from router.contract.wire import OutgoingRecord, encode_event, encode_replayed
from router.delivery import kept_delivery
from router.edge.intake import Clock, Endpoint, understood
from router.errors import NotDurable, NotUnderstood, RefusedDelivery, Unreadable
from router.quarantine.reader import Entry

_ADVICE = (
    "what the gateway signed does not change: look the payment up in its panel,"
    " and have it send the delivery again"
)

Publish = Callable[[Sequence[OutgoingRecord]], Awaitable[None]]


@dataclass(frozen=True)
class Verdict:
    """What today's version makes of a delivery; `problem` None: all of it is understood."""

    entry: Entry
    events: Sequence[Event] = ()
    problem: str | None = None

    def unpublished(self, why: str) -> "Verdict":
        """Return it as one that was not published, or not whole."""
        return Verdict(self.entry, (), f"not published: {why}")

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        events = [{"id": str(event.id), "type": event.type.value} for event in self.events]
        return {**self.entry.as_json(), "events": events, "problem": self.problem}


def judged(entry: Entry, endpoints: Mapping[str, Endpoint]) -> Verdict:
    """Verify what was kept with the keys of today and normalize it with the version of today.

    Its age does not count: an operator has looked. The events are those that
    it would have been at its arrival, `received_at` included. Where it came
    under several unsigned headers, those that make it understood count.
    """
    verdicts = [_judged(entry, kept, endpoints) for kept in (entry.kept, *entry.others)]
    return next((one for one in verdicts if one.problem is None), verdicts[0])


def _judged(entry: Entry, kept: Quarantined, endpoints: Mapping[str, Endpoint]) -> Verdict:
    endpoint = endpoints.get(kept.endpoint)
    if endpoint is None or endpoint.provider.name != kept.provider:
        return Verdict(entry, problem=f"there is no endpoint {kept.endpoint} of {kept.provider}")
    if endpoint.account != kept.account:
        detail = f"the account of {kept.endpoint} is {endpoint.account} now, it was {kept.account}"
        return Verdict(entry, problem=detail)
    delivery = kept_delivery(kept.raw, kept.endpoint, kept.account, kept.received_at)
    try:
        verified = endpoint.provider.verify(delivery, endpoint.keys)
        return Verdict(entry, understood(verified, endpoint, kept.mode))
    except Unreadable as problem:
        return Verdict(entry, problem.events, f"still cannot be read, {problem}; {_ADVICE}")
    except NotUnderstood as problem:
        return Verdict(entry, problem.events, f"still not understood, {problem}")
    except RefusedDelivery as problem:
        return Verdict(entry, problem=f"does not verify with the configuration of today, {problem}")


@dataclass(frozen=True)
class Replayer:
    """Publishes what was judged, and that it was."""

    publish: Publish
    topics: Topics
    clock: Clock
    traceparent: Callable[[], str]
    operator: str

    async def replay(self, verdict: Verdict) -> Verdict:
        """Publish the events, then the record that says so; return when both are durable.

        Where a topic refuses one, that is the problem of the verdict returned, and
        nothing says that it was replayed. Dying in between repeats the events at the
        next try, under their ids. Raises KafkaError or TimeoutError.
        """
        try:
            await self._publish(verdict)
        except NotDurable as problem:
            return verdict.unpublished(problem.detail)
        return verdict

    async def _publish(self, verdict: Verdict) -> None:
        trace = self.traceparent()
        await self.publish(
            [encode_event(e, self.topics.name(e.type.family), trace) for e in verdict.events]
        )
        if verdict.problem is not None:
            return
        kept = verdict.entry.kept
        replayed = Replayed(
            quarantined=kept.id,
            provider=kept.provider,
            endpoint=kept.endpoint,
            account=kept.account,
            events=tuple(event.id for event in verdict.events),
            at=self.clock(),
            by=self.operator,
        )
        await self.publish([encode_replayed(replayed, self.topics.quarantine, trace)])
