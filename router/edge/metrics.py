"""The metrics of the edge. Label values are a closed set: no id is ever a label.

Every possible series is created at the start, so that rates exist from the first
delivery on and no request can add a series.

There may be a thousand endpoints, but there are few providers. So a metric has the label
`endpoint` only if an operator acts per endpoint, and then few other label values: about ten
series for each endpoint. Histograms and reasons are per provider.
"""

import math
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import get_args

from prometheus_client import CollectorRegistry

from router.contract.event import DESCRIPTIVE, EventType
from router.contract.topics import Topics
from router.edge.intake import PHASES, DeliveryPhase, Endpoint
from router.edge.outcomes import (
    ACCEPTED,
    FAILED,
    IGNORED,
    KEPT_FOR,
    OUTCOMES,
    REASONS,
    REFUSED,
    UNKNOWN,
    UNPROVED,
)
from router.edge.refused.sample import SampleResult
from router.errors import Reason
from router.providers import Asymmetric, Ignoring
from router.telemetry.declaring import MetricDeclarations
from router.telemetry.plain_metrics import PlainCount, PlainMetric

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_PHASE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, *_SECONDS)
_WITHOUT_REASON = frozenset({ACCEPTED, IGNORED})


class EdgeMetrics:
    """The edge's metrics in one registry, for these endpoints and topics."""

    def __init__(
        self,
        registry: CollectorRegistry,
        endpoints: Iterable[Endpoint] = (),
        topics: Topics | None = None,
    ) -> None:
        """Declare every metric and create its series at zero."""
        declare = MetricDeclarations(registry)
        self._declare_deliveries(declare)
        self._declare_verification(declare)
        self._declare_publishing(declare)
        self._declare_refused(declare)
        self._of_endpoints = [
            metric
            for metric in vars(self).values()
            if isinstance(metric, PlainMetric) and "endpoint" in metric.labelnames
        ]
        self._initialize(topics or Topics())
        self._providers: dict[str, ProviderMetrics] = {}
        self._endpoints: dict[str, EndpointMetrics] = {}
        self.follow(endpoints)

    def follow(self, endpoints: Iterable[Endpoint]) -> None:
        """Export series for these endpoints only.

        The counters of a removed endpoint remain usable for its open deliveries.
        """
        current = {each.name: each for each in endpoints}
        for name in self._endpoints.keys() - current.keys():
            self._remove(name)
        for name, each in current.items():
            self._follow(name, each)

    def _follow(self, name: str, endpoint: Endpoint) -> None:
        known = self._endpoints.get(name)
        provider = self._provider(endpoint.provider.name)
        if known is not None and known.live and known.provider is provider:
            known.add_keys(_fingerprints(endpoint))
        else:
            if known is not None:
                self._remove(name)
            known = EndpointMetrics(self, name, provider, _fingerprints(endpoint))
            self._endpoints[name] = known
        if isinstance(endpoint.provider, Ignoring):
            known.add_ignored(endpoint.provider.ignored)

    def _provider(self, name: str) -> "ProviderMetrics":
        if name not in self._providers:
            self._providers[name] = ProviderMetrics(self, name)
        return self._providers[name]

    def _remove(self, name: str) -> None:
        self._endpoints[name].live = False
        for metric in self._of_endpoints:
            metric.remove("endpoint", name)
        for gauge in (self.last_genuine, self.clock_skew):
            gauge.remove(name)

    def of(self, endpoint: str) -> "EndpointMetrics":
        """Return the series of one endpoint."""
        return self._endpoints[endpoint]

    def stranger(self, outcome: str, reason: str) -> None:
        """Count an answer to a delivery to an unknown endpoint."""
        for counter in self._strangers[outcome, reason]:
            counter.inc()

    def published(self, topic: str, kind: str, seconds: float) -> None:
        """Count a record that the broker acknowledged."""
        self._publish_durations[topic].observe(seconds)
        counter = self._published.get((topic, kind))
        # Missing only for a type that a provider of another distribution adds.
        (counter or self.events_published.labels(topic, kind)).inc()
        self._last_published = time.time()

    def phase(self, endpoint: str, phase: DeliveryPhase, seconds: float) -> None:
        """Record the duration of a phase that succeeded."""
        self._endpoints[endpoint].provider.phases[phase].observe(seconds)

    def genuine(self, endpoint: str, received_at: datetime, signed_at: datetime | None) -> None:
        """Record when a genuine delivery arrived, and how far its signed time differs."""
        self._endpoints[endpoint].genuine(received_at, signed_at)

    def unread(self, endpoint: str, fields: Iterable[str]) -> None:
        """Count descriptive fields of an event that could not be read."""
        series = self._endpoints[endpoint].provider.unread
        for name in fields:
            # A provider of another distribution may name a field that the event does not have.
            series.get(name, series[UNKNOWN]).inc()

    def _declare_deliveries(self, declare: MetricDeclarations) -> None:
        self.deliveries = declare.plain_counter(
            "payrouter_deliveries",
            "Deliveries answered. accepted: durable as events; quarantined: genuine and stored, but"
            " without effect; ignored: genuine, and listed in mapping.events to be ignored;"
            " refused: the sender is at fault; failed: the edge is at fault, so the gateway must"
            " send it again",
            "endpoint",
            "provider",
            "outcome",
        )
        self.delivery_reasons = declare.plain_counter(
            "payrouter_delivery_reasons",
            "Deliveries not accepted, by the reason that is also in the delivery's log line",
            "provider",
            "outcome",
            "reason",
        )
        self.ignored_events = declare.plain_counter(
            "payrouter_ignored_events",
            "Genuine deliveries without effect: mapping.events lists their event to be ignored",
            "endpoint",
            "event",
        )
        self.delivery_duration = declare.plain_histogram(
            "payrouter_delivery_duration_seconds",
            "From the head of a delivery to its answer. Good: accepted, quarantined or ignored"
            " within 1 s",
            "provider",
            "outcome",
            buckets=_SECONDS,
        )
        self.phase_duration = declare.plain_histogram(
            "payrouter_delivery_phase_duration_seconds",
            "Duration of one phase of a delivery, if it succeeded. read: its body; verify: its"
            " signature; normalize: to events; publish: until all its records are acknowledged",
            "provider",
            "phase",
            buckets=_PHASE_SECONDS,
        )
        self.unread_fields = declare.plain_counter(
            "payrouter_unread_fields",
            "Descriptive fields of events that could not be read and are null: the event names them"
            " in unread and holds the whole delivery in raw",
            "provider",
            "field",
        )
        self.in_flight = declare.gauge(
            "payrouter_deliveries_in_flight", "Deliveries being answered now"
        )
        self.in_flight_limit = declare.gauge(
            "payrouter_deliveries_in_flight_limit",
            "Most deliveries handled at the same time; those beyond are answered 503",
        )

    def _declare_verification(self, declare: MetricDeclarations) -> None:
        self.verification_failures = declare.plain_counter(
            "payrouter_verification_failures",
            "Deliveries that failed verification: signature, signed time or id is missing or wrong;"
            " payrouter_delivery_reasons_total has the reasons",
            "endpoint",
            "provider",
        )
        self.genuine_deliveries = declare.plain_counter(
            "payrouter_deliveries_genuine",
            "Deliveries proved genuine, with any outcome",
            "endpoint",
        )
        self.key_used = declare.plain_counter(
            "payrouter_key_used",
            "Genuine deliveries by the fingerprint of the key that matched: shows when a rotation"
            " is complete",
            "endpoint",
            "key",
        )
        self.last_genuine = declare.gauge(
            "payrouter_last_genuine_delivery_timestamp_seconds",
            "When the last genuine delivery arrived, unix time; 0 before the first since the start",
            "endpoint",
        )
        self.clock_skew = declare.gauge(
            "payrouter_gateway_clock_skew_seconds",
            "Time received minus time signed of the last genuine delivery with a signed time, even"
            " if outside the window. Positive: the gateway's clock is behind, or the delivery took"
            " long to arrive; NaN before the first",
            "endpoint",
        )

    def _declare_publishing(self, declare: MetricDeclarations) -> None:
        self.publish_duration = declare.plain_histogram(
            "payrouter_publish_duration_seconds",
            "From handing a record to the producer to the acknowledgement of all in-sync replicas",
            "topic",
            buckets=_SECONDS,
        )
        self.publish_failures = declare.counter(
            "payrouter_publish_failures",
            "Records without acknowledgement. deadline: none in time; rejected: the broker refused"
            " it; unavailable: there was no producer; endangered: its topic could lose it, so it"
            " was not sent; too_large: larger than its topic accepts, so it was not sent",
            "reason",
        )
        self.events_published = declare.plain_counter(
            "payrouter_events_published",
            "Records acknowledged by the broker, redeliveries included; the type is the event's, or"
            " quarantine.REASON",
            "topic",
            "type",
        )
        self.ready = declare.gauge("payrouter_edge_ready", "1 if the edge can publish events now")
        self.last_publish = declare.gauge(
            "payrouter_last_publish_timestamp_seconds",
            "When the broker last acknowledged a record, unix time; 0 before the first",
        )
        self._last_published = 0.0
        self.last_publish.set_function(lambda: self._last_published)
        self.producer_rebuilds = declare.counter(
            "payrouter_producer_rebuilds", "Producers replaced after a failure"
        )

    def _declare_refused(self, declare: MetricDeclarations) -> None:
        samples = declare.counter(
            "payrouter_refused_samples",
            "Refused deliveries of a known endpoint that qualify for a sample. kept: written to the"
            " topic refused; limited: beyond edge.refused_per_minute of their endpoint; dropped:"
            " the queue to the broker was full; failed: not acknowledged",
            "result",
        )
        self._refused = {result: samples.labels(result) for result in get_args(SampleResult)}

    def refused_sample(self, result: SampleResult) -> None:
        """Count the result of storing a sample of a refused delivery."""
        self._refused[result].inc()

    def _initialize(self, topics: Topics) -> None:
        self._strangers = {
            (outcome, reason.value): (
                self.deliveries.labels(UNKNOWN, UNKNOWN, outcome),
                self.delivery_reasons.labels(UNKNOWN, outcome, reason.value),
            )
            for outcome, reason in (
                (REFUSED, Reason.UNKNOWN_ENDPOINT),
                (FAILED, Reason.INTERNAL),
            )
        }
        for reason in ("deadline", "rejected", "unavailable", "endangered", "too_large"):
            self.publish_failures.labels(reason)
        types = [
            *((topics.name(event.family), event.value) for event in EventType),
            *((topics.quarantine, f"quarantine.{kept.value}") for kept in KEPT_FOR),
        ]
        self._published = {each: self.events_published.labels(*each) for each in types}
        self._publish_durations = {topic: self.publish_duration.labels(topic) for topic, _ in types}


class ProviderMetrics:
    """The series of one provider, shared by all of its endpoints."""

    def __init__(self, metrics: EdgeMetrics, name: str) -> None:
        """Create every series that a delivery of this provider can change."""
        self.name = name
        self._all_reasons = metrics.delivery_reasons
        self._reasons = {
            (outcome, reason): metrics.delivery_reasons.labels(name, outcome, reason)
            for outcome, reasons in REASONS.items()
            for reason in reasons
        }
        self._durations = {
            outcome: metrics.delivery_duration.labels(name, outcome) for outcome in OUTCOMES
        }
        self.phases = {phase: metrics.phase_duration.labels(name, phase) for phase in PHASES}
        self.unread = {
            field: metrics.unread_fields.labels(name, field) for field in (*DESCRIPTIVE, UNKNOWN)
        }

    def answered(self, outcome: str, reason: str, seconds: float) -> None:
        """Count the reason and the duration of an answer."""
        self._durations[outcome].observe(seconds)
        if outcome in _WITHOUT_REASON:
            return
        counter = self._reasons.get((outcome, reason))
        # A provider of another distribution may pair this outcome with another known reason.
        (counter or self._all_reasons.labels(self.name, outcome, reason)).inc()


class EndpointMetrics:
    """The series of one endpoint, created at the start and not looked up for every delivery."""

    def __init__(
        self, metrics: EdgeMetrics, name: str, provider: ProviderMetrics, keys: Iterable[str] = ()
    ) -> None:
        """Create every series that a delivery to this endpoint can change."""
        self.provider, self.live = provider, True
        self._used = metrics.key_used, name
        self._all_ignored = metrics.ignored_events
        self._all_answers = metrics.deliveries
        # Few endpoints ignore events: `add_ignored` creates the series of those.
        self._answers = {
            outcome: metrics.deliveries.labels(name, provider.name, outcome)
            for outcome in OUTCOMES
            if outcome != IGNORED
        }
        self._unproved = metrics.verification_failures.labels(name, provider.name)
        self._genuine = metrics.genuine_deliveries.labels(name)
        self._ignored: dict[str, PlainCount] = {}
        self._keys: dict[str, PlainCount] = {}
        self.add_keys((*keys, UNKNOWN))
        self._last_genuine: datetime | None = None
        self._skewed: tuple[datetime, datetime] | None = None
        # Computed at each scrape, since scrapes are rarer than deliveries.
        metrics.last_genuine.labels(name).set_function(self._genuine_at)
        metrics.clock_skew.labels(name).set_function(self._skew)

    def add_keys(self, keys: Iterable[str]) -> None:
        """Add a series for each of these keys."""
        used, name = self._used
        self._keys |= {key: used.labels(name, key) for key in keys}

    def add_ignored(self, words: Sequence[str]) -> None:
        """Add a series for each of these events, and one for the outcome."""
        _, name = self._used
        if words:
            self._answers[IGNORED] = self._all_answers.labels(name, self.provider.name, IGNORED)
        self._ignored |= {word: self._all_ignored.labels(name, word) for word in words}

    def ignored(self, word: str) -> None:
        """Count a delivery whose event the configuration ignores."""
        counter = self._ignored.get(word)
        if counter is not None:
            counter.inc()

    def answered(self, outcome: str, reason: str, key: str | None, seconds: float) -> None:
        """Count an answered delivery; `key` is the one that verified it, None if none did."""
        # Missing only for a provider of another distribution that lists no events to ignore.
        name = self._used[1]
        answers = self._answers.get(outcome)
        (answers or self._all_answers.labels(name, self.provider.name, outcome)).inc()
        self.provider.answered(outcome, reason, seconds)
        if reason in UNPROVED:
            self._unproved.inc()
        if key is not None:
            self._keys.get(key, self._keys[UNKNOWN]).inc()

    def genuine(self, received_at: datetime, signed_at: datetime | None) -> None:
        """Count a genuine delivery; record when it arrived and when it was signed."""
        self._genuine.inc()
        self._last_genuine = received_at
        if signed_at is not None:
            self._skewed = received_at, signed_at

    def _genuine_at(self) -> float:
        return 0.0 if self._last_genuine is None else self._last_genuine.timestamp()

    def _skew(self) -> float:
        if self._skewed is None:
            return math.nan
        received_at, signed_at = self._skewed
        return (received_at - signed_at).total_seconds()


def _fingerprints(endpoint: Endpoint) -> list[str]:
    public = endpoint.provider.public_keys if isinstance(endpoint.provider, Asymmetric) else ()
    return [key.fingerprint for key in (*endpoint.keys, *public)]
