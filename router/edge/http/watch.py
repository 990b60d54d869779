"""Log lines and metrics of connections: malformed requests, failed handshakes, closed ones."""

from prometheus_client import CollectorRegistry

from router.edge.http.admission import STAGES_THAT_GIVE_WAY, Admission, Visit
from router.edge.http.bounds import REASONS
from router.telemetry.declaring import MetricDeclarations
from router.telemetry.logs import Log

HANDSHAKE_FAILURES = ("timed_out", "failed")


class ConnectionWatch:
    """Logs and counts connection events; a `router.edge.http.door.ConnectionObserver`."""

    def __init__(self, registry: CollectorRegistry, log: Log) -> None:
        """Declare the metrics and create every series."""
        self._log = log
        self._declare = declare = MetricDeclarations(registry)
        self._malformed = declare.counter(
            "payrouter_malformed_requests",
            "Requests that are not acceptable HTTP, answered 400 or 431 before the connection"
            " was closed",
            "reason",
        )
        self._handshakes = declare.counter(
            "payrouter_tls_handshake_failures",
            "TLS handshakes that failed or took too long",
            "reason",
        )
        self._gave_way = declare.counter(
            "payrouter_connections_gave_way",
            "Connections closed because the budget for unverified requests was full. spare: no"
            " request was arriving; arriving: a head, a body or a handshake was",
            "stage",
        )
        self._initialize()

    def measure(self, admission: Admission) -> None:
        """Export the use and the limits of an admission budget."""
        self._declare.gauge(
            "payrouter_unproved_connections", "Connections whose request is not yet proved genuine"
        ).set_function(lambda: admission.count)
        self._declare.gauge(
            "payrouter_unproved_connections_limit", "Highest number of these connections"
        ).set(admission.most)
        self._declare.gauge(
            "payrouter_unproved_bytes", "Bytes received of requests not yet proved genuine"
        ).set_function(lambda: admission.bytes)
        self._declare.gauge("payrouter_unproved_bytes_limit", "Highest number of these bytes").set(
            admission.most_bytes
        )

    def malformed(self, source: str, reason: str) -> None:
        """Log and count a request that is not acceptable HTTP."""
        self._malformed.labels(reason).inc()
        self._log.info("malformed_request", source=source, reason=reason)

    def handshake_failed(self, source: str, reason: str) -> None:
        """Log and count a TLS handshake that failed or timed out."""
        self._handshakes.labels(reason).inc()
        self._log.info("tls_handshake_failed", source=source, reason=reason)

    def gave_way(self, visit: Visit) -> None:
        """Log and count a connection that is closed in favour of others."""
        self._gave_way.labels(visit.stage.value).inc()
        self._log.warning("connection_gave_way", source=visit.source, stage=visit.stage.value)

    def _initialize(self) -> None:
        for reason in REASONS:
            self._malformed.labels(reason)
        for reason in HANDSHAKE_FAILURES:
            self._handshakes.labels(reason)
        for stage in STAGES_THAT_GIVE_WAY:
            self._gave_way.labels(stage.value)
