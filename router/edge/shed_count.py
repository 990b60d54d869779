"""Logs requests refused under overload once a second: a line for each would cost too much."""

import asyncio
from dataclasses import dataclass, field

from router.telemetry.logs import Log

EVERY_SECONDS = 1.0


@dataclass
class ShedCount:
    """Count of refused requests per endpoint until the next log line."""

    _counts: dict[str, int] = field(default_factory=dict)

    def count(self, endpoint: str, log: Log) -> None:
        """Count a request; the log line follows within a second."""
        if not self._counts:
            asyncio.get_running_loop().call_later(EVERY_SECONDS, self._write, log)
        self._counts[endpoint] = self._counts.get(endpoint, 0) + 1

    def _write(self, log: Log) -> None:
        counts, self._counts = self._counts, {}
        for endpoint, count in counts.items():
            log.warning("deliveries_shed", endpoint=endpoint, count=count)
