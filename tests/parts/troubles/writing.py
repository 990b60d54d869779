"""Writes records like another producer: with any codec, or in a transaction that stays open."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Final

from confluent_kafka import KafkaError, Message, Producer

from tests.parts.troubles.tales import Told

CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
SECONDS: Final = 120.0
"""Time-out for a broker, long enough for a restart."""


def quiet(bootstrap: str) -> dict[str, str | int]:
    """Return connection options of a client that does not log an absent broker."""
    return {"bootstrap.servers": bootstrap, "log_level": 0}


async def write(
    bootstrap: str, told: Iterable[Told], partition: int | None = None, codec: str = "none"
) -> None:
    """Write records to their topics and wait for all acknowledgements."""
    own = Producer({**quiet(bootstrap), "acks": "all", "compression.type": codec})
    refused = _produced(own, told, partition)
    await _flushed(own)
    assert refused == []


@contextlib.asynccontextmanager
async def open_transaction(
    bootstrap: str, identity: str, told: Iterable[Told], partition: int
) -> AsyncIterator[Producer]:
    """Write in a transaction that stays open while the block runs; abort it afterwards.

    Another transaction with the same id, or the broker, may end it before.
    """
    own = Producer(
        {
            **quiet(bootstrap),
            "transactional.id": identity,
            "transaction.timeout.ms": 600_000,
        }
    )
    await asyncio.to_thread(own.init_transactions, SECONDS)
    own.begin_transaction()
    refused = _produced(own, told, partition)
    await _flushed(own)
    assert refused == []
    try:
        yield own
    finally:
        await asyncio.to_thread(own.abort_transaction, SECONDS)


def _produced(own: Producer, told: Iterable[Told], partition: int | None) -> list[str]:
    refused: list[str] = []

    def acknowledged(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            refused.append(str(error))

    where = -1 if partition is None else partition
    for each in told:
        out = each.out
        own.produce(
            out.topic,
            value=out.value,
            key=out.key,
            headers=list(out.headers),
            on_delivery=acknowledged,
            partition=where,
        )
    return refused


async def _flushed(own: Producer) -> None:
    left = await asyncio.to_thread(own.flush, SECONDS)
    assert left == 0, f"{left} records were not acknowledged"
