"""Logs refused requests once a second under overload: a line for each would cost more than they."""

import asyncio
from dataclasses import dataclass, field

from router.telemetry.logs import Log

EVERY_SECONDS = 1.0


@dataclass
class ShedCount:
    """Counts requests per endpoint until the next line."""

    _counts: dict[str, int] = field(default_factory=dict)

    def count(self, endpoint: str, log: Log) -> None:
        """Count a request; the line follows within a second."""
        if not self._counts:
            asyncio.get_running_loop().call_later(EVERY_SECONDS, self._write, log)
        self._counts[endpoint] = self._counts.get(endpoint, 0) + 1

    def _write(self, log: Log) -> None:
        counts, self._counts = self._counts, {}
        for endpoint, count in counts.items():
            log.warning("deliveries_shed", endpoint=endpoint, count=count)
