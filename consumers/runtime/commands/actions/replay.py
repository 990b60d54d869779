"""Replays dead records at a given rate and watches until they were tried."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.commands.actions.held_admin import (
    ReplayProgress,
    progress,
    record_operation,
    replay,
)
from consumers.runtime.configured import Consumer
from consumers.runtime.store.database import acting
from router.terminal.operator_name import operator_name
from router.terminal.output import ProgressUpdate, progress_bar

_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Pace:
    """Records per second, seconds to wait without progress, and whether to show a bar."""

    rate: float
    patience: float
    visible: bool


async def replay_paced(
    consumer: Consumer, numbers: Sequence[int], detail: str, pace: Pace
) -> Mapping[str, int]:
    """Replay records and return how many had each outcome; records the operation first."""
    async with acting(consumer.settings) as engine:
        async with engine.begin() as transaction:
            await record_operation(
                transaction, consumer.tables, operator_name(), "dlq replay", detail
            )
        with progress_bar("replaying", visible=pace.visible) as update:
            return await _replay(engine, consumer, numbers, pace, update)


async def _replay(
    engine: AsyncEngine,
    consumer: Consumer,
    numbers: Sequence[int],
    pace: Pace,
    update: ProgressUpdate,
) -> Mapping[str, int]:
    total = len(numbers)
    began = time.monotonic()
    for place, number in enumerate(numbers):
        await asyncio.sleep(max(0.0, began + place / pace.rate - time.monotonic()))
        async with engine.begin() as transaction:
            await replay(transaction, consumer.tables, number)
        if place % max(1, int(pace.rate)) == 0:
            found = await _look(engine, consumer, numbers[: place + 1])
            update(place + 1 - found.waiting, total)
    found = await _look(engine, consumer, numbers)
    moved = time.monotonic()
    while found.waiting and time.monotonic() - moved < pace.patience:
        update(total - found.waiting, total)
        await asyncio.sleep(_LOOK_SECONDS)
        before, found = found.waiting, await _look(engine, consumer, numbers)
        moved = time.monotonic() if found.waiting < before else moved
    return found.outcomes


async def _look(engine: AsyncEngine, consumer: Consumer, numbers: Sequence[int]) -> ReplayProgress:
    async with engine.connect() as connection:
        return await progress(connection, consumer.tables, numbers)
