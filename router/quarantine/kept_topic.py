"""Reads a topic of kept deliveries, quarantine or refused, without a group and changing nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from router.broker.connection import KafkaConnection
from router.broker.topic_reader import opened_topic
from router.contract.quarantine import Quarantined
from router.contract.refused import Refused

Progress = Callable[[int, int], None]
"""Receives how many records were read, and of how many."""

Record = tuple[bytes | None, Any]
"""Value and headers of a record."""


@dataclass(frozen=True)
class Wanted:
    """Which deliveries are asked for; None and nothing ask for all."""

    ids: Sequence[str] = ()
    reason: str | None = None
    provider: str | None = None
    endpoint: str | None = None
    since: datetime | None = None
    source: str | None = None

    def of_source(self, source: str | None) -> "Wanted":
        """Return the same, sent from this address."""
        return replace(self, source=source)

    def fits(self, kept: Quarantined | Refused) -> bool:
        """Tell whether it is one of them; an id may be given by its beginning."""
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
    kafka: KafkaConnection, topic: str, since: datetime | None, progress: Progress
) -> Sequence[Record]:
    """Read a topic from its beginning, or from `since`, to its end at the time of the call.

    Raises TopicMissing; the read never makes the broker create the topic.
    """
    records: list[Record] = []
    async with opened_topic(kafka, topic) as reader:
        first = await reader.since(since)
        total = sum(max(end - first[part], 0) for part, end in reader.end.items())
        async for fetched in reader.fetched(first):
            records += [(record.value, record.headers) for record in fetched]
            progress(len(records), total)
    return records
