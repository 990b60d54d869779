"""Runs `payrouter` commands in order in one process, each as written in a message.

`python -m tests.parts.troubles.shell` reads a command per line of standard input and answers each
with a line of JSON: starting an interpreter for each of a hundred commands would take minutes.
"""

import asyncio
import io
import json
import shlex
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path

from consumers.cli import main
from tests.parts.leash import Leash

_LONGEST_LINE = 2**24


@dataclass(frozen=True)
class Said:
    """Output and exit status of a command."""

    status: int
    out: str
    err: str


@dataclass
class Shell:
    """A process that runs commands in a folder with a configuration."""

    process: Process
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, line: str) -> Said:
        """Run a command that must succeed, and return its output."""
        said = await self.tried(line)
        assert said.status == 0, f"{line}: {said.out}{said.err}"
        return said

    async def tried(self, line: str) -> Said:
        """Run a command that may fail.

        If the caller is cancelled, the answer is discarded; the next command gets its own answer.
        """
        await self.lock.acquire()
        answering = asyncio.create_task(self._answered(line))
        answering.add_done_callback(lambda _: self.lock.release())
        return await asyncio.shield(answering)

    async def _answered(self, line: str) -> Said:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n".encode())
        return Said(**json.loads(await self.process.stdout.readline()))


@asynccontextmanager
async def shell(folder: Path, environment: Mapping[str, str]) -> AsyncIterator[Shell]:
    """Run a shell; it does not outlive the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.parts.troubles.shell"),
        cwd=folder,
        env=environment,
        stdin=PIPE,
        stdout=PIPE,
        limit=_LONGEST_LINE,
    )
    leash = Leash(process.pid)
    try:
        yield Shell(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        leash.release()


def _run(line: str) -> Said:
    sys.argv = shlex.split(line)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    return Said(code if isinstance(code, int) else int(code is not None), *map(_text, (out, err)))


def _text(written: io.StringIO) -> str:
    return written.getvalue()


if __name__ == "__main__":
    for given in sys.stdin:
        sys.stdout.write(f"{json.dumps(asdict(_run(given)))}\n")
        sys.stdout.flush()
