"""Replaces aiokafka's producer, as the relay uses it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

from aiokafka.errors import (
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
)

from tests.simulation.broker.logs import Entry, EntryKind, Headers, ModelBroker

LARGE = b"large"
"""Key prefix of records that the broker refuses as too large."""

_ROOM = 2
"""How many records fit into a batch."""


@dataclass
class ModelBatch:
    """A batch of records."""

    records: list[tuple[bytes | None, bytes | None, Headers]] = field(default_factory=list)

    def append(
        self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: Headers
    ) -> object | None:
        """Append a record; None if there is no room."""
        assert timestamp is None
        if len(self.records) == _ROOM:
            return None
        self.records.append((key, value, headers))
        return self

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class ModelProducer:
    """A producer that loses nothing and keeps the order, as far as the broker answers."""

    broker: ModelBroker
    gate: Callable[[], Awaitable[None]]
    pause_briefly: Callable[[], Awaitable[None]]

    async def start(self) -> None:
        """Connect."""
        await self.gate()
        self._require_broker()

    async def stop(self) -> None:
        """Disconnect."""

    async def partitions_for(self, topic: str) -> Collection[int]:
        """Return the only partition of a topic."""
        assert topic
        await self.gate()
        self._require_broker()
        return {0}

    def create_batch(self) -> ModelBatch:
        """Return an empty batch."""
        return ModelBatch()

    async def send_batch(
        self, batch: ModelBatch, topic: str, *, partition: int
    ) -> "asyncio.Future[None]":
        """Append a batch, and return a future of its acknowledgement."""
        assert partition == 0
        await self.gate()
        await self.pause_briefly()
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        error = self._append(batch, topic)
        if error is None:
            answer.set_result(None)
        else:
            answer.set_exception(error)
        return answer

    def _append(self, batch: ModelBatch, topic: str) -> Exception | None:
        if self.broker.is_away:
            return _failed(KafkaTimeoutError, "no broker")
        if any(key is not None and key.startswith(LARGE) for key, _, _ in batch.records):
            return _failed(MessageSizeTooLargeError, "too large")
        if self.broker.batches_refused:
            self.broker.batches_refused -= 1
            return _failed(NotLeaderForPartitionError, "no leader")
        log = self.broker.sent.setdefault(topic, [])
        for key, value, headers in batch.records:
            log.append(Entry(len(log), 0, EntryKind.RECORD, key, value, headers))
        if self.broker.acknowledgements_lost:
            self.broker.acknowledgements_lost -= 1
            return _failed(KafkaTimeoutError, "no acknowledgement")
        return None

    def _require_broker(self) -> None:
        if self.broker.is_away:
            message = "no broker"
            raise KafkaTimeoutError(message)


def _failed(kind: type[Exception], text: str) -> Exception:
    return kind(text)
