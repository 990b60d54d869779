"""Checks, before a record is sent, that it is not too large for its topic.

A topic refuses a record that is too large at every attempt, so the record is refused here: by the
limits that the broker reports, or, if it reports none, by the sizes that it refused before.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from router.broker.topics.record_size import batch_bytes
from router.contract.wire import OutgoingRecord

REMEMBERED_SECONDS = 60.0
"""How long a refused size is remembered: the topic's limit may be raised."""


@dataclass
class RecordRoom:
    """Size limits of records.

    `most` is the producer's own limit in bytes; `limit` returns that of a topic, given its full
    name: `max.message.bytes`, which may change at any time, or None if it is unknown.
    """

    most: int
    limit: Callable[[str], int | None] = lambda _topic: None
    clock: Callable[[], float] = time.monotonic
    _refused: dict[str, tuple[int, float]] = field(default_factory=dict)

    def problem(self, record: OutgoingRecord) -> str | None:
        """Return why a record is too large for its topic, None if it is not."""
        size = size_of(record)
        limit = self.limit(record.topic)
        if limit is not None and size > limit:
            return f"{size} bytes, topic {record.topic} accepts {limit}"
        if size > self.most:
            return f"{size} bytes, kafka.max_request_bytes is {self.most}"
        smallest, until = self._refused.get(record.topic, (0, 0.0))
        if limit is None and size >= smallest and self.clock() < until:
            return f"{size} bytes, topic {record.topic} has already refused {smallest}"
        return None

    def was_refused(self, record: OutgoingRecord) -> None:
        """Remember the size of a record that its topic refused as too large."""
        smallest, until = self._refused.get(record.topic, (0, 0.0))
        size, now = size_of(record), self.clock()
        if now < until:
            size = min(size, smallest)
        self._refused[record.topic] = size, now + REMEMBERED_SECONDS


def size_of(record: OutgoingRecord) -> int:
    """Return the size of a record in bytes, as the topic counts it."""
    return batch_bytes(record.key, record.value, record.headers)
