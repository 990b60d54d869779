"""The outcome of one delivery: its HTTP answer and its one log line."""

from typing import TYPE_CHECKING

from router.edge import outcomes as labels
from router.edge.gate import Gate
from router.edge.http.answers import Response
from router.edge.intake import Received
from router.errors import Reason, RefusedDelivery

if TYPE_CHECKING:
    from router.delivery import Delivery

_RETRY_AFTER_SECONDS = b"5"
_BODIES = {
    400: b"bad request\n",
    401: b"unauthorized\n",
    403: b"forbidden\n",
    404: b"not found\n",
    405: b"method not allowed\n",
    408: b"request timeout\n",
    413: b"content too large\n",
    431: b"request header fields too large\n",
    503: b"not kept, send again\n",
}


class Summary:
    """Fields of the log line of one delivery, filled while it is handled."""

    def __init__(self, gate: Gate | None, source: str) -> None:
        """Start with the endpoint and the source address."""
        self.gate = gate
        self.source = source
        self.delivery: Delivery | None = None
        self.endpoint = gate.endpoint.name if gate else labels.UNKNOWN
        self.provider = gate.endpoint.provider.name if gate else labels.UNKNOWN
        self.outcome, self.reason = labels.ACCEPTED, labels.NO_REASON
        self.detail: str | None = None
        self.key: str | None = None
        self.ignored: str | None = None
        self.events: list[dict[str, str]] = []
        self.whole = False

    def kept(self, received: Received) -> Response:
        """Return the success answer that the gateway expects."""
        self.key = received.key
        if received.quarantined is not None:
            self.outcome = labels.QUARANTINED
            self.reason = received.quarantined.reason.value
            self.detail = received.quarantined.detail
        if received.ignored is not None:
            self.outcome, self.detail = labels.IGNORED, received.ignored
            self.ignored = received.ignored
        self.events = [
            {"id": str(event.id), "type": str(event.type), "reference": event.reference or ""}
            for event in received.events
        ]
        assert self.gate is not None  # noqa: S101 - only known endpoints accept deliveries
        return self.gate.accepted

    def refused(self, problem: RefusedDelivery) -> Response:
        """Return the answer to a refused delivery; 503 asks the sender to send it again."""
        self.outcome = labels.FAILED if problem.resend else labels.REFUSED
        self.reason, self.detail = problem.reason.value, problem.detail
        headers: tuple[tuple[bytes, bytes], ...] = ()
        if problem.resend:
            headers = ((b"retry-after", _RETRY_AFTER_SECONDS),)
        if problem.reason is Reason.METHOD and self.gate is not None:
            allowed = ", ".join(sorted(self.gate.endpoint.provider.methods))
            headers = ((b"allow", allowed.encode()),)
        return Response(
            problem.status,
            _BODIES.get(problem.status, b"refused\n"),
            headers=headers,
            closes=not self.whole,
        )
