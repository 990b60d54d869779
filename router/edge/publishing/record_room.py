"""Is there room for a record in its topic? Asked before it is sent.

A record that the topic finds too large would be refused each time. So it is refused here: with the
limits that the broker tells, and where it tells none, with what it refused before.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from router.broker.topics.record_size import batch_bytes
from router.contract.wire import OutgoingRecord

REMEMBERED_SECONDS = 60.0
"""How long a refused size is believed: the topic's limit may be raised."""


@dataclass
class RecordRoom:
    """`most` is the producer's own limit in bytes; `limit` returns a topic's, None if unknown.

    The topic is named in full; its limit is `max.message.bytes` and may change at any time.
    """

    most: int
    limit: Callable[[str], int | None] = lambda _topic: None
    clock: Callable[[], float] = time.monotonic
    _refused: dict[str, tuple[int, float]] = field(default_factory=dict)

    def problem(self, record: OutgoingRecord) -> str | None:
        """Return why a record cannot be written to its topic, None where it can."""
        size = size_of(record)
        limit = self.limit(record.topic)
        if limit is not None and size > limit:
            return f"{size} bytes, topic {record.topic} takes {limit}"
        if size > self.most:
            return f"{size} bytes, kafka.max_request_bytes is {self.most}"
        smallest, until = self._refused.get(record.topic, (0, 0.0))
        if limit is None and size >= smallest and self.clock() < until:
            return f"{size} bytes, topic {record.topic} has refused {smallest}"
        return None

    def was_refused(self, record: OutgoingRecord) -> None:
        """Remember the size of a record that its topic found too large."""
        smallest, until = self._refused.get(record.topic, (0, 0.0))
        size, now = size_of(record), self.clock()
        if now < until:
            size = min(size, smallest)
        self._refused[record.topic] = size, now + REMEMBERED_SECONDS


def size_of(record: OutgoingRecord) -> int:
    """Return the bytes of a record as the topic counts them."""
    return batch_bytes(record.key, record.value, record.headers)
