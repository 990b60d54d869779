"""An observer of the intake that remembers what it was told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from router.edge.intake import Phase


@dataclass
class Observed:
    """The phases that ended well, in order, and the deliveries proved genuine."""

    phases: list[tuple[str, Phase]] = field(default_factory=list)
    proved: list[tuple[str, datetime, datetime | None]] = field(default_factory=list)
    missed: list[tuple[str, str]] = field(default_factory=list)

    def phase(self, endpoint: str, phase: Phase, seconds: float) -> None:
        """Remember a phase."""
        assert seconds >= 0
        self.phases.append((endpoint, phase))

    def genuine(self, endpoint: str, received_at: datetime, signed_at: datetime | None) -> None:
        """Remember a genuine delivery."""
        self.proved.append((endpoint, received_at, signed_at))

    def unread(self, endpoint: str, fields: Sequence[str]) -> None:
        """Remember the fields that could not be read."""
        self.missed += [(endpoint, name) for name in fields]
