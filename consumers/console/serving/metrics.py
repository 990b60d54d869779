"""Metrics of the console's requests."""

from dataclasses import dataclass
from typing import Final, Self

from prometheus_client import CollectorRegistry, Counter, Histogram

from router.telemetry.declaring import MetricDeclarations

OUTCOMES: Final = ("answered", "refused", "failed")
REFUSALS: Final = (
    *("unknown", "role", "read_only", "input", "csrf", "not_signed_in", "host", "too_large"),
    *("session", "sign_in", "too_many_sign_ins", "proxy"),
)
_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


@dataclass(frozen=True)
class ConsoleMetrics:
    """Counters of a console process."""

    requests: Counter
    refused: Counter
    seconds: Histogram

    @classmethod
    def declared(cls, registry: CollectorRegistry) -> Self:
        """Declare the metrics with every series."""
        declare = MetricDeclarations(registry)
        made = cls(
            declare.counter(
                "payrouter_console_requests",
                "Requests to the console by outcome: answered, refused to someone, or failed",
                "outcome",
            ),
            declare.counter(
                "payrouter_console_refused",
                "Requests and sign-ins that the console refused, by reason",
                "reason",
            ),
            declare.histogram(
                "payrouter_console_request_seconds",
                "Duration of a request to the console, without downloads",
                buckets=_BUCKETS,
            ),
        )
        for outcome in OUTCOMES:
            made.requests.labels(outcome)
        for reason in REFUSALS:
            made.refused.labels(reason)
        return made
