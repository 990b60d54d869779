"""The log line of a delivery: that of structlog, formatted without it.

Every delivery has one, and structlog needs several times as long for it.
"""

from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring_ascii as quoted

from router.edge.summary import Summary
from router.telemetry.logs import DirectJson, Log, Timestamp, direct_json, get_log

COMPONENT = "edge"


class DeliveryLog:
    """Writes the line of each delivery, by structlog unless the log of the process is JSON."""

    def __init__(self) -> None:
        """Look up how the log is configured at the first line, as structlog does."""
        self._log: Log = get_log(COMPONENT)
        self._direct: DirectJson | None = None
        self._timestamp = Timestamp()

    def answered(self, summary: Summary, status: int, seconds: float) -> None:
        """Write the line of a delivery that was answered with a status after so many seconds."""
        if self._direct is None:
            self._direct = direct_json()
        milliseconds = round(seconds * 1000, 1)
        if self._direct is None or not self._direct.in_force:
            self._by_structlog(summary, status, milliseconds)
        elif self._direct.wants("info"):
            line = json_line(summary, status, milliseconds, self._timestamp())
            self._direct.write(line)

    def _by_structlog(self, s: Summary, status: int, milliseconds: float) -> None:
        self._log.info(
            "delivery",
            endpoint=s.endpoint,
            provider=s.provider,
            source=s.source,
            outcome=s.outcome,
            reason=s.reason,
            detail=s.detail,
            status=status,
            events=s.events,
            milliseconds=milliseconds,
        )


def json_line(s: Summary, status: int, milliseconds: float, timestamp: str) -> str:
    """Format a line, to the byte as the log does for the same fields."""
    detail = "null" if s.detail is None else quoted(s.detail)
    return (
        f'{{"component": "{COMPONENT}", "endpoint": {quoted(s.endpoint)},'
        f' "provider": {quoted(s.provider)}, "source": {quoted(s.source)},'
        f' "outcome": {quoted(s.outcome)}, "reason": {quoted(s.reason)}, "detail": {detail},'
        f' "status": {status}, "events": [{_events(s.events)}], "milliseconds": {milliseconds},'
        f' "event": "delivery", "level": "info", "timestamp": "{timestamp}"}}'
    )


def _events(events: Sequence[Mapping[str, str]]) -> str:
    return ", ".join(
        [
            f'{{"id": {quoted(event["id"])}, "type": {quoted(event["type"])},'
            f' "reference": {quoted(event["reference"])}}}'
            for event in events
        ]
    )
