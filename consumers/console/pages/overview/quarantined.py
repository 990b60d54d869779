"""How many genuine deliveries had no effect, counted once for all people who look."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.trace.kept_scan import KeptScan, scan_kept
from router.contract.quarantine import Quarantined

NEWEST: Final = 1000
"""How many of each partition's newest records are read."""

_FRESH_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 2.0
"""Longest wait of the first page for the broker."""


@dataclass
class QuarantineCount:
    """Counts the deliveries by account, at most once in ten seconds."""

    _by_account: dict[str, int] | None = None
    _read_at: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def by_account(self, settings: ConsumerSettings) -> dict[str, int] | None:
        """Return the counts, None if the broker does not answer."""
        async with self._lock:
            if not self._read_at or time.monotonic() - self._read_at > _FRESH_SECONDS:
                self._by_account = await _counted(settings)
                self._read_at = time.monotonic()
            return self._by_account


async def quarantined_count(visit: ConsoleVisit) -> int | None:
    """Return how many deliveries the person may see, None if that is unknown."""
    consumers = list(visit.sources.consumers.values())
    if not consumers:
        return None
    kept: QuarantineCount = visit.sources.kept.setdefault(__name__, QuarantineCount())
    found = await kept.by_account(consumers[0].settings)
    if found is None:
        return None
    accounts = visit.viewer.accounts
    return sum(n for account, n in found.items() if accounts is None or account in accounts)


async def _counted(settings: ConsumerSettings) -> dict[str, int] | None:
    scan = KeptScan(settings.topics.quarantine, NEWEST, Quarantined, lambda _: True)
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            scanned = await scan_kept(settings.kafka, scan)
    except TimeoutError:
        return None
    if scanned.problem is not None:
        return None
    # The same delivery may be stored more than once.
    account_of = {each.kept.id: each.kept.account for each in scanned.without_effect}
    counts: dict[str, int] = {}
    for account in account_of.values():
        counts[account] = counts.get(account, 0) + 1
    return counts
