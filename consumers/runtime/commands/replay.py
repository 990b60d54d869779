"""Dead records go back among the parked at a measured pace, watched until they were tried."""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress as Bar
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.commands.held_admin import Progress, progress, record_operation, replay
from consumers.runtime.commands.one_consumer import operator
from consumers.runtime.configured import Consumer
from consumers.runtime.store.database import acting

_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Pace:
    """How many a second, how long to watch without progress, and whether to show it."""

    rate: float
    patience: float
    visible: bool


async def replay_paced(
    consumer: Consumer, numbers: Sequence[int], said: str, pace: Pace
) -> Mapping[str, int]:
    """Replay records and return what became of them; who did so is written down first."""
    async with acting(consumer.settings) as engine:
        async with engine.begin() as transaction:
            await record_operation(transaction, consumer.tables, operator(), "dlq replay", said)
        console = Console(file=sys.stderr)
        with Bar(console=console, disable=not pace.visible, transient=True) as bar:
            return await _replay(engine, consumer, numbers, pace, bar)


async def _replay(
    engine: AsyncEngine, consumer: Consumer, numbers: Sequence[int], pace: Pace, bar: Bar
) -> Mapping[str, int]:
    task = bar.add_task("replaying", total=len(numbers))
    began = time.monotonic()
    for place, number in enumerate(numbers):
        await asyncio.sleep(max(0.0, began + place / pace.rate - time.monotonic()))
        async with engine.begin() as transaction:
            await replay(transaction, consumer.tables, number)
        if place % max(1, int(pace.rate)) == 0:
            found = await _look(engine, consumer, numbers[: place + 1])
            bar.update(task, completed=place + 1 - found.waiting)
    found = await _look(engine, consumer, numbers)
    moved = time.monotonic()
    while found.waiting and time.monotonic() - moved < pace.patience:
        bar.update(task, completed=len(numbers) - found.waiting)
        await asyncio.sleep(_LOOK_SECONDS)
        before, found = found.waiting, await _look(engine, consumer, numbers)
        moved = time.monotonic() if found.waiting < before else moved
    return found.words


async def _look(engine: AsyncEngine, consumer: Consumer, numbers: Sequence[int]) -> Progress:
    async with engine.connect() as connection:
        return await progress(connection, consumer.tables, numbers)
