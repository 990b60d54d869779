"""Every metric of the edge, with its meaning. Label sets are closed: no id is ever a label."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from router.errors import Reason

ACCEPTED = "accepted"
QUARANTINED = "quarantined"
REFUSED = "refused"
FAILED = "failed"

UNKNOWN = "unknown"
"""The endpoint label of requests to no endpoint of ours."""

NO_REASON = "none"
"""The reason label of accepted deliveries."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class EdgeMetrics:
    """The edge's metrics in one registry; `endpoints` maps each endpoint to its provider."""

    def __init__(
        self, registry: CollectorRegistry, endpoints: dict[str, str] | None = None
    ) -> None:
        """Declare everything and set what can be known to zero."""
        self.deliveries = Counter(
            "payrouter_deliveries",
            "Deliveries answered. accepted: durable as events; quarantined: genuine, kept, without"
            " effect; refused: the sender is at fault; failed: we are, and it shall send again",
            ["endpoint", "provider", "outcome", "reason"],
            registry=registry,
        )
        self.delivery_duration = Histogram(
            "payrouter_delivery_duration_seconds",
            "From the first byte of a delivery to its answer",
            ["endpoint"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.publish_duration = Histogram(
            "payrouter_publish_duration_seconds",
            "From handing a record to the producer to the acknowledgement of all in-sync replicas",
            ["topic"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.publish_failures = Counter(
            "payrouter_publish_failures",
            "Records without acknowledgement. deadline: none in time; rejected: the broker refused"
            " it; unavailable: there was no producer",
            ["reason"],
            registry=registry,
        )
        self.events_published = Counter(
            "payrouter_events_published",
            "Events acknowledged by the broker, redeliveries included",
            ["topic", "type"],
            registry=registry,
        )
        self.key_used = Counter(
            "payrouter_key_used",
            "Genuine deliveries by the fingerprint of the key that matched: watch a rotation end",
            ["endpoint", "key"],
            registry=registry,
        )
        self.in_flight = Gauge(
            "payrouter_deliveries_in_flight", "Deliveries being answered now", registry=registry
        )
        self.ready = Gauge(
            "payrouter_edge_ready", "1 where the edge can keep an event now", registry=registry
        )
        self.last_publish = Gauge(
            "payrouter_last_publish_timestamp_seconds",
            "When the broker last acknowledged a record, unix time; 0 before the first",
            registry=registry,
        )
        self.producer_rebuilds = Counter(
            "payrouter_producer_rebuilds",
            "Producers replaced because they could not go on",
            registry=registry,
        )
        self._initialize(endpoints or {})

    def _initialize(self, endpoints: dict[str, str]) -> None:
        for reason in ("deadline", "rejected", "unavailable"):
            self.publish_failures.labels(reason)
        for endpoint, provider in endpoints.items():
            self.delivery_duration.labels(endpoint)
            self.deliveries.labels(endpoint, provider, ACCEPTED, NO_REASON)
            self._pairs(endpoint, provider, REFUSED, _REFUSALS)
            self._pairs(endpoint, provider, QUARANTINED, _QUARANTINES)
            self._pairs(endpoint, provider, FAILED, _FAILURES)

    def _pairs(self, endpoint: str, provider: str, outcome: str, reasons: Iterable[Reason]) -> None:
        for reason in reasons:
            self.deliveries.labels(endpoint, provider, outcome, reason.value)


_QUARANTINES = (
    Reason.UNKNOWN_EVENT,
    Reason.UNKNOWN_STATUS,
    Reason.FIELD_MISSING,
    Reason.FIELD_MALFORMED,
    Reason.AMOUNT_UNREPRESENTABLE,
    Reason.AMBIGUOUS,
)
_FAILURES = (Reason.NOT_DURABLE, Reason.OVERLOADED, Reason.INTERNAL)
_REFUSALS = tuple(reason for reason in Reason if reason not in {*_QUARANTINES, *_FAILURES})
