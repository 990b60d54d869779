"""What all connections share, and what they tell the application about a request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from router.edge.http.admission import Admission
from router.edge.http.bounds import HttpBounds
from router.edge.http.direct import HoldRequest

VISIT = "payrouter.visit"
"""The key of the connection's Visit in an ASGI scope's `state`."""

FIRST_BYTE = "payrouter.first_byte"
"""The key, in an ASGI scope's `state`, of the time when the first byte of the request arrived, in
seconds of `time.monotonic`."""


class ConnectionObserver(Protocol):
    """Receives events of connections; cannot affect them."""

    def malformed(self, source: str, reason: str) -> None:
        """Record a request that is not acceptable HTTP."""

    def handshake_failed(self, source: str, reason: str) -> None:
        """Record a TLS handshake that failed or timed out."""


@dataclass(frozen=True)
class Door:
    """The objects that all connections share.

    `shed(target, first_byte_at)` returns whether a request must be refused at once because it
    cannot be answered in time; None if no endpoint has this target, so that it is refused anyway.
    `arrived()` counts a request that is not refused, once it has arrived whole: a head alone costs
    no verification. `delay()` returns how many seconds bytes read now may have waited. `hold`
    decides which plain requests are handled without the application.
    """

    admission: Admission
    bounds: HttpBounds
    observer: ConnectionObserver
    shed: Callable[[bytes, float], bool | None]
    arrived: Callable[[], None]
    delay: Callable[[], float]
    hold: HoldRequest = lambda _head: None
