"""What is told of a run: when each fault began, and what Prometheus said of it afterwards."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.monitoring.prometheus import Prometheus
from tests.monitoring.questions import Span

PATIENCE_SECONDS = 60.0
"""How long an alert may take after its fault; sped up, the longest waits for half a minute."""


@dataclass
class Course:
    """A run, noted down while it is made. Nothing is judged here: the tests do that."""

    prometheus: Prometheus
    step: float
    started: float = field(default_factory=time.time)
    settled: float = 0.0
    """When everything ran and Prometheus knew it."""
    ended: float = 0.0
    healthy: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What fired before there was any fault."""
    began: dict[str, float] = field(default_factory=dict)
    """When the fault began that an alert is about."""
    fired: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What `/api/v1/alerts` said of an alert when it was first seen firing after its fault."""
    missed: set[str] = field(default_factory=set)
    """What was waited for in vain, and is not waited for again."""
    up: dict[str, str] = field(default_factory=dict)
    """How the targets were before there was any fault."""
    troubles: set[str] = field(default_factory=set)
    """Rules that could not be evaluated at some time, and why."""
    readings: dict[str, float] = field(default_factory=dict)

    @property
    def span(self) -> Span:
        """The whole run."""
        return Span(self.started, self.ended or time.time(), self.step)

    def fault(self, *alerts: str) -> None:
        """Note that the fault begins now that these are to tell of."""
        for alert in alerts:
            self.began[alert] = time.time()

    def look(self) -> None:
        """Note what is firing now, and what Prometheus cannot work out."""
        self.troubles.update(self.prometheus.troubles())
        for name, alert in self.prometheus.firing().items():
            if name in self.began:
                self.fired.setdefault(name, alert)

    def await_alerts(self, *alerts: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until these fire; what does not is left to its own test."""
        wanted = set(alerts or self.began) - self.missed
        self.await_until(lambda: wanted <= set(self.fired), seconds)
        self.missed |= wanted - set(self.fired)

    def await_until(self, look: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Look again and again, noting what fires meanwhile, for so long at most."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.look()
            if look():
                return
            time.sleep(0.5)

    def is_silent_before(self, alert: str) -> bool:
        """Tell whether an alert was not firing while all was well, nor then before its fault."""
        query = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
        return not self.prometheus.series(query, self.settled, self.began[alert], self.step)
