"""Consumer process started by a test: queried over its management port, signalled, frozen."""

import asyncio
import contextlib
import json
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from tests.parts.edge.raw_http import exchange, request
from tests.parts.leash import Leash
from tests.parts.waiting import PATIENCE_SECONDS, eventually


@dataclass
class Running:
    """A consumer process, its management port, and its output so far."""

    process: Process
    port: int
    lines: list[str] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)

    async def asked(self, path: str) -> tuple[int, str]:
        """Query the management port; return status 0 while there is no answer."""
        with contextlib.suppress(ConnectionError):
            answer = await exchange(self.port, request(path, method="GET", body=None))
            return answer.status, answer.body.decode()
        return 0, ""

    async def says(self, status: int, said: str, path: str = "/readyz") -> None:
        """Wait for a certain answer of the management port."""

        async def answered() -> bool:
            assert self.process.returncode is None, self.lines
            assert self.process.returncode is None, self.lines
            found, body = await self.asked(path)
            return found == status and said in body

        await eventually(answered, f"{status} {said} from {path}")

    async def measures(self, name: str, **labels: str) -> list[float]:
        """Return the values of a metric's series that have these labels."""
        _, text = await self.asked("/metrics")
        return [
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]

    async def reaches(self, moment: str) -> None:
        """Wait until the process prints that it has reached a moment."""
        await eventually(lambda: moment in self.reached, f"{moment} in {self.lines}")

    def freeze(self) -> None:
        """Stop the process at once (SIGSTOP); its connections stay open."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume the process (SIGCONT)."""
        self.process.send_signal(signal.SIGCONT)

    async def ended(self) -> int:
        """Wait for the process to exit and return its exit code."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()

    async def stop(self) -> int:
        """Signal the process to stop, wait for its exit and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        """Kill the process, as a power failure would."""
        self.process.kill()
        await self.ended()

    def logged(self) -> list[str]:
        """Return the names of its log events."""
        return [str(line["event"]) for line in self.log()]

    def log(self, event: str | None = None) -> list[dict[str, object]]:
        """Return its log entries, all or those of one event."""
        lines = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [line for line in lines if event in {None, line["event"]}]


@contextlib.asynccontextmanager
async def running(process: Process, port: int) -> AsyncIterator[Running]:
    """Read the output of a process, where a line of stdout is a moment; end it with the block.

    Both outputs are read if they are pipes.
    """
    leash = Leash(process.pid)
    consumer = Running(process, port)
    reading = [
        asyncio.create_task(_read(stream, lines))
        for stream, lines in ((process.stderr, consumer.lines), (process.stdout, consumer.reached))
        if stream is not None
    ]
    try:
        yield consumer
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await asyncio.gather(*reading)
        leash.release()


async def _read(stream: asyncio.StreamReader, lines: list[str]) -> None:
    async for line in stream:
        lines.append(line.decode().rstrip())  # noqa: PERF401 - each line at once
