"""What is told of a run: when each fault began, and what Prometheus said of it afterwards."""

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
    """A run, noted down while it is made. Nothing is judged here: the tests do that."""

    prometheus: Prometheus
    step: float
    rules: Sequence[AlertRule]
    started: float = field(default_factory=time.time)
    settled: float = 0.0
    """When everything ran and Prometheus knew it."""
    ended: float = 0.0
    healthy: set[str] = field(default_factory=set)
    """What fired before there was any fault."""
    began: dict[str, float] = field(default_factory=dict)
    """When the fault began that a rule is about."""
    fired: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What `/api/v1/alerts` said of it when it was first seen firing after its fault."""
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
        """Note that the fault begins now that these are to tell of: alerts, or one rule of them."""
        for rule in self._rules(alerts):
            self.began[str(rule)] = time.time()

    def look(self) -> None:
        """Note what is firing now, and what Prometheus cannot work out."""
        self.troubles.update(self.prometheus.troubles())
        for alert in self.prometheus.firing():
            name = str(self._rule_of(alert["labels"]))
            if name in self.began:
                self.fired.setdefault(name, alert)

    def await_alerts(self, *alerts: str, but: Sequence[str] = ()) -> None:
        """Wait until these fire, or all whose faults have begun; what does not is noted down."""
        wanted = set(map(str, self._rules(alerts))) if alerts else set(self.began)
        wanted -= {*self.missed, *but}
        self.await_until(lambda: wanted <= set(self.fired))
        self.missed |= wanted - set(self.fired)

    def await_until(self, look: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Look again and again, noting what fires meanwhile, for so long at most."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.look()
            if look():
                return
            time.sleep(0.5)

    def is_silent_before(self, rule: AlertRule) -> bool:
        """Tell whether a rule was not firing while all was well, nor then before its fault."""
        labels = {"alertname": rule.alert, "alertstate": "firing", **rule.labels}
        query = ", ".join(f'{name}="{value}"' for name, value in labels.items())
        began = self.began[str(rule)]
        return not self.prometheus.series(f"ALERTS{{{query}}}", self.settled, began, self.step)

    def _rules(self, names: Sequence[str]) -> list[AlertRule]:
        found = [rule for rule in self.rules if {rule.alert, str(rule)} & set(names)]
        assert {name.partition(" ")[0] for name in names} == {rule.alert for rule in found}, names
        return found

    def _rule_of(self, labels: Mapping[str, str]) -> AlertRule | None:
        """Return the rule that an alert is of: the one that says most of its labels."""
        found = [rule for rule in self.rules if rule.is_of(labels)]
        return max(found, key=lambda rule: len(rule.labels), default=None)
