"""The edge as an attacker sees it, and the result of the attack."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from tests.parts.attacks.connection import Connection, connected
from tests.parts.attacks.genuine import SOURCE

Sources = Literal["other", "same", "many"]
"""Another address than the genuine one, the genuine one itself, or one for each connection."""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Target:
    """Where to attack, and from where."""

    port: int
    management_port: int
    sources: Sources = "other"
    counts: Counter[str] = field(default_factory=Counter)
    """Connections opened, closed by the edge and failed; bytes sent; answers by status."""

    def source(self, number: int) -> str:
        """Return the loopback address of the attacker's connection with this number."""
        if self.sources == "many":
            return f"127.1.{number // 250}.{number % 250 + 1}"
        return SOURCE if self.sources == "same" else "127.0.0.2"

    @contextlib.asynccontextmanager
    async def stream(self, number: int) -> AsyncIterator[Stream]:
        """Open a connection and abort it in the end."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(self.source(number), 0)
        )
        self.counts["opened"] += 1
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    @contextlib.asynccontextmanager
    async def connection(self, number: int) -> AsyncIterator[Connection]:
        """Open a connection that reads answers, and abort it in the end."""
        async with connected(self.port, self.source(number)) as connection:
            self.counts["opened"] += 1
            yield connection


async def again(
    target: Target, attempt: Callable[[], Awaitable[None]], pause_seconds: float = 0.1
) -> None:
    """Attempt forever; reopen a connection that the edge closed after a pause."""
    while True:
        try:
            await attempt()
            target.counts["closed"] += 1
        except* OSError:
            target.counts["failed"] += 1
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # A task group that failed in the same moment has swallowed the cancellation.
            raise asyncio.CancelledError
        await asyncio.sleep(pause_seconds)


async def each(count: int, one: Callable[[int], Awaitable[None]]) -> None:
    """Run so many at the same time, numbered from zero."""
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(_awaited(one, number))


async def _awaited(one: Callable[[int], Awaitable[None]], number: int) -> None:
    await one(number)
