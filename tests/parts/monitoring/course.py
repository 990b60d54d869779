"""Record of a run: when each fault began, and what Prometheus reported afterwards."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.parts.monitoring.prometheus import Prometheus
from tests.parts.monitoring.questions import AlertRule, Span

PATIENCE_SECONDS = 60.0
"""How long an alert may take after its fault; sped up, the longest waits for half a minute."""


@dataclass
class Course:
    """Record of a run, written while it runs. It asserts nothing: the tests do."""

    prometheus: Prometheus
    step: float
    rules: Sequence[AlertRule]
    started: float = field(default_factory=time.time)
    settled: float = 0.0
    """Time at which Prometheus saw every process up and no alert fired."""
    ended: float = 0.0
    healthy: set[str] = field(default_factory=set)
    """Alerts that fired before the first fault."""
    began: dict[str, float] = field(default_factory=dict)
    """Start of the fault of each rule."""
    fired: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Answer of `/api/v1/alerts` when a rule was first seen firing after its fault."""
    missed: set[str] = field(default_factory=set)
    """Alerts that did not fire in time; they are not waited for again."""
    up: dict[str, str] = field(default_factory=dict)
    """Health of the targets before the first fault."""
    troubles: set[str] = field(default_factory=set)
    """Rules that failed to evaluate at least once, each with its error."""
    readings: dict[str, float] = field(default_factory=dict)

    @property
    def span(self) -> Span:
        """The whole run."""
        return Span(self.started, self.ended or time.time(), self.step)

    def fault(self, *alerts: str) -> None:
        """Record that the fault of these alerts, or of one rule of an alert, begins now."""
        for rule in self._rules(alerts):
            self.began[str(rule)] = time.time()

    def look(self) -> None:
        """Record the firing alerts and the rules that fail to evaluate."""
        self.troubles.update(self.prometheus.troubles())
        for alert in self.prometheus.firing():
            name = str(self._rule_of(alert["labels"]))
            if name in self.began:
                self.fired.setdefault(name, alert)

    def await_alerts(self, *alerts: str, but: Sequence[str] = ()) -> None:
        """Wait until these fire, or all whose faults have begun; record those that do not."""
        wanted = set(map(str, self._rules(alerts))) if alerts else set(self.began)
        wanted -= {*self.missed, *but}
        self.await_until(lambda: wanted <= set(self.fired))
        self.missed |= wanted - set(self.fired)

    def await_until(self, look: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Call `look` until it returns true or the time expires; record what fires until then."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.look()
            if look():
                return
            time.sleep(0.5)

    def is_silent_before(self, rule: AlertRule) -> bool:
        """Return whether a rule did not fire between the healthy start and its fault."""
        labels = {"alertname": rule.alert, "alertstate": "firing", **rule.labels}
        query = ", ".join(f'{name}="{value}"' for name, value in labels.items())
        began = self.began[str(rule)]
        return not self.prometheus.series(f"ALERTS{{{query}}}", self.settled, began, self.step)

    def _rules(self, names: Sequence[str]) -> list[AlertRule]:
        found = [rule for rule in self.rules if {rule.alert, str(rule)} & set(names)]
        assert {name.partition(" ")[0] for name in names} == {rule.alert for rule in found}, names
        return found

    def _rule_of(self, labels: Mapping[str, str]) -> AlertRule | None:
        """Return the rule of an alert: of those that match, the one with the most labels."""
        found = [rule for rule in self.rules if rule.is_of(labels)]
        return max(found, key=lambda rule: len(rule.labels), default=None)
