"""What all connections of the edge share: budget, limits, and the decision to refuse at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from router.edge.http.admission import Admission
from router.edge.http.bounds import HttpBounds


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
    no verification. `delay()` returns how many seconds bytes read now may have waited.
    """

    admission: Admission
    bounds: HttpBounds
    observer: ConnectionObserver
    shed: Callable[[bytes, float], bool | None]
    arrived: Callable[[], None]
    delay: Callable[[], float]
