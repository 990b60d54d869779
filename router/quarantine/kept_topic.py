"""Reads quarantine or refused, without a group and without changing anything."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from router.broker.connection import KafkaConnection
from router.broker.topic_reader import opened_topic
from router.contract.quarantine import Quarantined
from router.contract.refused import Refused

ReadProgress = Callable[[int, int], None]
"""Receives how many records were read, and of how many."""

KeptRecord = tuple[bytes | None, Any]
"""Value and headers of a record."""


@dataclass(frozen=True)
class KeptFilter:
    """Filter of deliveries; None and empty match all."""

    ids: Sequence[str] = ()
    reason: str | None = None
    provider: str | None = None
    endpoint: str | None = None
    since: datetime | None = None
    source: str | None = None

    def of_source(self, source: str | None) -> "KeptFilter":
        """Return the same filter for deliveries from this address."""
        return replace(self, source=source)

    def fits(self, kept: Quarantined | Refused) -> bool:
        """Return whether a delivery matches; an id may be abbreviated to its beginning."""
        pairs = (
            (self.reason, kept.reason),
            (self.provider, kept.provider),
            (self.endpoint, kept.endpoint),
            (self.source, kept.source if isinstance(kept, Refused) else None),
        )
        named = not self.ids or any(str(kept.id).startswith(each.lower()) for each in self.ids)
        young = self.since is None or kept.received_at >= self.since
        return named and young and all(want in {None, has} for want, has in pairs)


async def read_topic(
    kafka: KafkaConnection, topic: str, since: datetime | None, progress: ReadProgress
) -> Sequence[KeptRecord]:
    """Read a topic from its beginning, or from `since`, to its end at the time of the call.

    Raises TopicMissing; the read never makes the broker create the topic.
    """
    records: list[KeptRecord] = []
    async with opened_topic(kafka, topic) as reader:
        first = await reader.since(since)
        total = sum(max(end - first[part], 0) for part, end in reader.end.items())
        async for fetched in reader.fetched(first):
            records += [(record.value, record.headers) for record in fetched]
            progress(len(records), total)
    return records
