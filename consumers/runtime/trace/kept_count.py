"""Counts deliveries that had no effect: on quarantine and not replayed, or refused."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.trace.kept_scan import KeptScan, Scanned, scan_kept
from router.contract.quarantine import Quarantined
from router.contract.refused import Refused

_Kept = TypeVar("_Kept", Quarantined, Refused)


@dataclass(frozen=True)
class KeptCount:
    """Number of deliveries; not all if `older` ones were not read, or after a `problem`."""

    deliveries: int
    older: bool
    problem: str | None

    def as_json(self) -> dict[str, object]:
        """Return the fields, as JSON values."""
        return {"deliveries": self.deliveries, "older": self.older, "problem": self.problem}


@dataclass(frozen=True)
class KeptCounts:
    """Both counts."""

    quarantined: KeptCount
    refused: KeptCount

    def sentences(self) -> Iterator[str]:
        """Yield a line for each that is not zero or not known."""
        yield from _sentence(
            "on quarantine without effect", self.quarantined, "payrouter quarantine list"
        )
        yield from _sentence("refused", self.refused, "payrouter refused list")


async def count_kept(
    settings: ConsumerSettings, newest: int, account: str | None = None
) -> KeptCounts:
    """Read the newest records of both topics; a broker that is away is the problem of both."""

    def wanted(kept: Quarantined | Refused) -> bool:
        return account in {None, kept.account}

    names = settings.topics
    quarantined, refused = await asyncio.gather(
        scan_kept(settings.kafka, KeptScan(names.quarantine, newest, Quarantined, wanted)),
        scan_kept(settings.kafka, KeptScan(names.refused, newest, Refused, wanted)),
    )
    return KeptCounts(_counted(quarantined), _counted(refused))


def _counted(scanned: Scanned[_Kept]) -> KeptCount:
    # The same delivery may be stored more than once.
    ids = {each.kept.id for each in scanned.without_effect}
    return KeptCount(len(ids), scanned.older, scanned.problem)


def _sentence(what: str, count: KeptCount, command: str) -> Iterator[str]:
    number = "delivery" if count.deliveries == 1 else "deliveries"
    if count.problem is not None:
        read = f"{count.deliveries} {number} {what} were read before it failed"
        yield f"not all deliveries {what} are known: {count.problem}; {read}"
    elif count.deliveries:
        least = "at least " if count.older else ""
        yield f"{least}{count.deliveries} {number} {what}: {command}"
