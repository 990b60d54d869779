"""The parent's side of the connection to one worker process: questions and their answers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from router.edge.workers.channel import Channel
from router.edge.workers.messages import (
    CannotStart,
    LastMetrics,
    NowServing,
    OwnMetrics,
    Reply,
    ToParent,
    ToWorker,
)


@dataclass
class Link:
    """Asks one process; keeps the last metrics that it reported."""

    channel: Channel[ToParent]
    on_serving: Callable[[], None]
    snapshot: bytes = b""
    problems: list[str] = field(default_factory=list)
    _open: dict[int, asyncio.Future[Reply | None]] = field(default_factory=dict)
    _numbers: "count[int]" = field(default_factory=count)
    _ended: bool = False

    async def follow(self) -> None:
        """Receive until the process closes its end."""
        while (message := await self.channel.receive()) is not None:
            self._take(message)
        self._ended = True
        for future in self._open.values():
            if not future.done():
                future.set_result(None)
        await self.channel.close()

    async def ask(self, question: Callable[[int], ToWorker], seconds: float) -> Reply | None:
        """Return the answer to a question, None if there is none in time."""
        if self._ended:
            return None
        number = next(self._numbers)
        future: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self._open[number] = future
        try:
            async with asyncio.timeout(seconds):
                await self.channel.send(question(number))
                return await future
        except (TimeoutError, ConnectionError):
            return None
        finally:
            del self._open[number]

    def _take(self, message: ToParent) -> None:
        match message:
            case NowServing():
                self.on_serving()
            case CannotStart(problems):
                self.problems = problems
            case LastMetrics(snapshot):
                self.snapshot = snapshot
            case _:
                self._answered(message)

    def _answered(self, reply: Reply) -> None:
        if isinstance(reply, OwnMetrics):
            # Kept even if it is late: the next scrape must not show less.
            self.snapshot = reply.snapshot
        future = self._open.get(reply.question)
        if future is not None and not future.done():
            future.set_result(reply)
