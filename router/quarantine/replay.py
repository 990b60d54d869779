"""Replays deliveries on quarantine: verifies them again and publishes their original events."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from router.contract.event import Event
from router.contract.quarantine import Quarantined, Replayed
from router.contract.topics import Topics
from router.contract.wire import OutgoingRecord, encode_event, encode_replayed
from router.delivery import kept_delivery
from router.edge.intake import Clock, Endpoint, events_of
from router.errors import IgnoredEvent, NotDurable, NotUnderstood, RefusedDelivery, Unreadable
from router.quarantine.reader import QuarantineEntry

_ADVICE = (
    "the signed bytes cannot change: look up the payment in the gateway's panel,"
    " and have it send the delivery again"
)

PublishReplay = Callable[[Sequence[OutgoingRecord]], Awaitable[None]]


@dataclass(frozen=True)
class ReplayVerdict:
    """The events that a replay publishes; `problem` is None if the whole delivery is understood."""

    entry: QuarantineEntry
    events: Sequence[Event] = ()
    problem: str | None = None

    def unpublished(self, why: str) -> "ReplayVerdict":
        """Return the verdict after its events were not, or not all, published."""
        return ReplayVerdict(self.entry, (), f"not published: {why}")

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as a JSON object."""
        events = [{"id": str(event.id), "type": event.type.value} for event in self.events]
        return {**self.entry.as_json(), "events": events, "problem": self.problem}


def replay_verdict(entry: QuarantineEntry, endpoints: Mapping[str, Endpoint]) -> ReplayVerdict:
    """Verify a stored delivery with the current keys and normalize it with the current version.

    Its age does not matter, since an operator has approved it. The events are
    those that it would have had at its arrival, `received_at` included. If it
    is stored with several sets of unsigned headers, one that makes it
    understood is used.
    """
    verdicts = [_verdict_on(entry, kept, endpoints) for kept in (entry.kept, *entry.others)]
    return next((one for one in verdicts if one.problem is None), verdicts[0])


def _verdict_on(
    entry: QuarantineEntry, kept: Quarantined, endpoints: Mapping[str, Endpoint]
) -> ReplayVerdict:
    endpoint = endpoints.get(kept.endpoint)
    if endpoint is None or endpoint.provider.name != kept.provider:
        detail = f"there is no endpoint {kept.endpoint} of {kept.provider}"
        return ReplayVerdict(entry, problem=detail)
    if endpoint.account != kept.account:
        detail = f"the account of {kept.endpoint} is {endpoint.account} now, it was {kept.account}"
        return ReplayVerdict(entry, problem=detail)
    return _verified_again(entry, kept, endpoint)


def _verified_again(entry: QuarantineEntry, kept: Quarantined, endpoint: Endpoint) -> ReplayVerdict:
    delivery = kept_delivery(kept.raw, kept.endpoint, kept.account, kept.received_at)
    try:
        verified = endpoint.provider.verify(delivery, endpoint.keys)
        return ReplayVerdict(entry, events_of(verified, endpoint, kept.mode))
    except Unreadable as problem:
        return ReplayVerdict(entry, problem.events, f"still cannot be read, {problem}; {_ADVICE}")
    except NotUnderstood as problem:
        return ReplayVerdict(entry, problem.events, f"still not understood, {problem}")
    except IgnoredEvent:
        # The configuration lists it since: there is nothing to publish, and it is done.
        return ReplayVerdict(entry)
    except RefusedDelivery as problem:
        detail = f"does not verify with the current configuration, {problem}"
        return ReplayVerdict(entry, problem=detail)


@dataclass(frozen=True)
class ReplayPlan:
    """What a replay would publish, and the deliveries that were replayed before."""

    verdicts: Sequence[ReplayVerdict]
    before: Sequence[QuarantineEntry]


def replay_plan(
    entries: Sequence[QuarantineEntry],
    endpoints: Mapping[str, Endpoint],
    most: int,
    *,
    again: bool = False,
) -> ReplayPlan:
    """Plan a replay of the first of these deliveries, with `again` also of those replayed before.

    `most` is the number of deliveries to replay.
    """
    before = [entry for entry in entries if entry.replayed is not None and not again]
    chosen = [entry for entry in entries if entry.replayed is None or again][:most]
    return ReplayPlan([replay_verdict(entry, endpoints) for entry in chosen], before)


@dataclass(frozen=True)
class Replayer:
    """Publishes the events of a verdict, then a record of the replay."""

    publish: PublishReplay
    topics: Topics
    clock: Clock
    traceparent: Callable[[], str]
    operator: str

    async def replay(self, verdict: ReplayVerdict) -> ReplayVerdict:
        """Publish the events, then a record of the replay; return when both are durable.

        If a topic refuses an event, the returned verdict has that problem, and no
        replay is recorded. After a crash in between, the next attempt publishes the
        events again, with the same ids. Raises KafkaError or TimeoutError.
        """
        try:
            await self._publish(verdict)
        except NotDurable as problem:
            return verdict.unpublished(problem.detail)
        return verdict

    async def _publish(self, verdict: ReplayVerdict) -> None:
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
