"""Reports passed offsets to Kafka, for lag tools; nothing depends on them."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

COMMIT_SECONDS = 10.0
"""aiokafka's commit never gives up while the coordinator is away."""


class Reporter:
    """Commits offsets in the background, the newest of each partition."""

    def __init__(self) -> None:
        """Begin with nothing to report."""
        self._wanted: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None

    def passed(self, consumer: AIOKafkaConsumer, at: TopicPartition, next_offset: int) -> None:
        """Report a partition's next offset soon."""
        self._wanted[at] = next_offset
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._report(consumer))

    async def _report(self, consumer: AIOKafkaConsumer) -> None:
        while self._wanted:
            # `commit` refuses the offsets of all if one partition is no longer assigned.
            own, wanted = consumer.assignment(), self._wanted
            self._wanted = {}
            offsets = {at: offset for at, offset in wanted.items() if at in own}
            try:
                async with asyncio.timeout(COMMIT_SECONDS):
                    if offsets:
                        await consumer.commit(offsets)
            except (KafkaError, TimeoutError):
                # A rebalance, or the coordinator is away: the next record reports again.
                continue
