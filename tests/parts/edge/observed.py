"""An observer of the intake that records its calls."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from router.edge.intake import DeliveryPhase


@dataclass
class Observed:
    """The successful phases, in order, and the deliveries proved genuine."""

    phases: list[tuple[str, DeliveryPhase]] = field(default_factory=list)
    proved: list[tuple[str, datetime, datetime | None]] = field(default_factory=list)
    missed: list[tuple[str, str]] = field(default_factory=list)

    def phase(self, endpoint: str, phase: DeliveryPhase, seconds: float) -> None:
        """Record a phase."""
        assert seconds >= 0
        self.phases.append((endpoint, phase))

    def genuine(self, endpoint: str, received_at: datetime, signed_at: datetime | None) -> None:
        """Record a genuine delivery."""
        self.proved.append((endpoint, received_at, signed_at))

    def unread(self, endpoint: str, fields: Sequence[str]) -> None:
        """Record the fields that could not be read."""
        self.missed += [(endpoint, name) for name in fields]
