"""Log lines and metrics of connections: malformed requests, handshakes, who had to give way."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from router.edge.http.admission import STAGES_THAT_GIVE_WAY, Admission, Visit
from router.edge.http.bounds import REASONS
from router.telemetry.logs import Log

HANDSHAKE_FAILURES = ("timed_out", "failed")


class ConnectionWatch:
    """Writes a line with the source and counts; implements `router.edge.http.protocol.Observer`."""

    def __init__(self, registry: CollectorRegistry, log: Log) -> None:
        """Declare the metrics, every series from the start."""
        self._log = log
        self._registry = registry
        self._malformed = Counter(
            "payrouter_malformed_requests",
            "Requests that are not acceptable HTTP, answered 400 or 431 and closed",
            ["reason"],
            registry=registry,
        )
        self._handshakes = Counter(
            "payrouter_tls_handshake_failures",
            "TLS handshakes that failed or took too long",
            ["reason"],
            registry=registry,
        )
        self._gave_way = Counter(
            "payrouter_connections_gave_way",
            "Connections closed because the budget for unproved requests was full. spare: no"
            " request was arriving; arriving: a head, a body or a handshake was",
            ["stage"],
            registry=registry,
        )
        self._initialize()

    def measure(self, admission: Admission) -> None:
        """Export what an admission holds and may hold."""
        self._gauge(
            "connections", "Connections whose request is not proved genuine yet"
        ).set_function(lambda: admission.count)
        self._gauge("connections_limit", "Most of these connections").set(admission.most)
        self._gauge("bytes", "Bytes received of requests not proved genuine yet").set_function(
            lambda: admission.bytes
        )
        self._gauge("bytes_limit", "Most of these bytes").set(admission.most_bytes)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(f"payrouter_unproved_{name}", meaning, registry=self._registry)

    def malformed(self, source: str, reason: str) -> None:
        """Note a request that is not acceptable HTTP."""
        self._malformed.labels(reason).inc()
        self._log.info("malformed_request", source=source, reason=reason)

    def handshake_failed(self, source: str, reason: str) -> None:
        """Note a TLS handshake that failed or took too long."""
        self._handshakes.labels(reason).inc()
        self._log.info("tls_handshake_failed", source=source, reason=reason)

    def gave_way(self, visit: Visit) -> None:
        """Note a connection that is closed in favour of others."""
        self._gave_way.labels(visit.stage.value).inc()
        self._log.warning("connection_gave_way", source=visit.source, stage=visit.stage.value)

    def _initialize(self) -> None:
        for reason in REASONS:
            self._malformed.labels(reason)
        for reason in HANDSHAKE_FAILURES:
            self._handshakes.labels(reason)
        for stage in STAGES_THAT_GIVE_WAY:
            self._gave_way.labels(stage.value)
