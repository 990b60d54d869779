"""A traffic generator in a separate process, so that its CPU time is not counted as the edge's.

The parent passes an order as JSON. The child prepares, prints `ready`, waits
for a line on standard input, runs, and prints its result as JSON.
"""

import asyncio
import contextlib
import json
import os
import resource
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from tests.parts.leash import Leash

ROOT = Path(__file__).resolve().parents[3]

Order = Mapping[str, Any]
Work = Callable[[], Coroutine[Any, Any, object]]

_START_SECONDS = 60.0


@dataclass(frozen=True)
class Child:
    """A traffic generator."""

    process: Process

    async def ready(self) -> None:
        """Wait until it has prepared."""
        assert self.process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            if await self.process.stdout.readline() != b"ready\n":
                message = "a traffic generator did not start"
                raise RuntimeError(message)

    async def run(self, patience_seconds: float) -> Any:  # noqa: ANN401 - JSON
        """Let it run and return its result."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        async with asyncio.timeout(patience_seconds):
            written, _ = await self.process.communicate()
        if self.process.returncode:
            message = f"a traffic generator ended with status {self.process.returncode}"
            raise RuntimeError(message)
        return json.loads(written)


@contextlib.asynccontextmanager
async def started(module: str, order: Order, core: int | None = None) -> AsyncIterator[Child]:
    """Start a module of this package and kill it in the end."""
    command = [sys.executable, "-m", f"tests.parts.attacks.{module}", json.dumps(order)]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, cwd=ROOT, limit=16 * 1024 * 1024
    )
    leash = Leash(process.pid)
    pin(process.pid, core)
    try:
        yield Child(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        leash.release()


def serve(prepare: Callable[[Order], Work]) -> None:
    """Run as the child: prepare, wait for the parent, run, print the result."""
    _raise_descriptor_limit()
    work = prepare(json.loads(sys.argv[1]))
    _print("ready")
    sys.stdin.readline()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(work())
    _print(json.dumps(result))


def pin(pid: int, core: int | None) -> None:
    """Keep a process on one core, on systems that can."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, {core})


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
