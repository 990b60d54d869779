"""Supervises a child process: restarts it if it ends."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from router.background import end
from router.errors import ConfigurationError

READ_OUT_SECONDS = 2.0
"""How long the rest of the log of a child that has ended is read."""


@dataclass(frozen=True)
class ChildLimits:
    """Time-outs and pauses of a child, and the longest line of its log."""

    stop_seconds: float = 30.0
    short_life_seconds: float = 5.0
    """A process that ends sooner has failed; it is restarted after a longer and longer pause."""
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 15.0
    longest_line_bytes: int = 1 << 20
    """A longer line of the log is cut."""


@dataclass
class Child:
    """A child process; once it has settled, it is restarted whenever it ends by itself.

    It has a separate process group, so that Ctrl-C reaches only the
    supervisor, and a standard input that ends when the supervisor does, so
    that no child outlives it.
    """

    name: str
    argv: Sequence[str]
    management: str
    say: Callable[[str], None]
    log: Callable[[str], None] | None = None
    """Receives each line that the child writes to standard error; without it, they share it."""
    environ: Mapping[str, str] | None = field(default=None, repr=False)
    """The child's environment, by default our own."""
    limits: ChildLimits = field(default_factory=ChildLimits)
    _log_reader: asyncio.Task[None] | None = field(default=None, init=False)
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)
    _keeper: asyncio.Task[None] | None = field(default=None, init=False)
    _stopping: bool = field(default=False, init=False)
    _settled: bool = field(default=False, init=False)
    _failed_start: int | None = field(default=None, init=False)

    @property
    def pid(self) -> int | None:
        """The process id, None if it is not running."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process and supervise it."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())

    def settled(self) -> None:
        """Record that the process works: from now on it is restarted if it ends."""
        self._settled = True

    def check_started(self) -> None:
        """Raise ConfigurationError if it ended before it settled; its own error is on stderr."""
        if self._failed_start is not None:
            message = f"{self.name} ended with status {self._failed_start}"
            raise ConfigurationError(message)

    async def stop(self) -> None:
        """Send SIGTERM, wait, and kill the process if it takes too long."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), self.limits.stop_seconds)
            except TimeoutError:
                seconds = self.limits.stop_seconds
                self.say(f"{self.name} did not end within {seconds:.0f} s, killed")
                process.kill()
                await process.wait()
        if self._keeper is not None:
            await end(self._keeper)
        await self._read_out()

    async def _spawn(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self.argv,
            stdin=asyncio.subprocess.PIPE,
            stderr=None if self.log is None else asyncio.subprocess.PIPE,
            env=self.environ,
            limit=self.limits.longest_line_bytes,
            start_new_session=True,
        )
        if self.log is not None and self._process.stderr is not None:
            self._log_reader = asyncio.create_task(_read_lines(self._process.stderr, self.log))

    async def _keep(self) -> None:
        limits = self.limits
        pause = limits.first_pause_seconds / 2
        while self._process is not None:
            born = time.monotonic()
            status = await self._process.wait()
            await self._read_out()
            if self._stopping:
                return
            if not self._settled:
                self._failed_start = status
                return
            short = time.monotonic() - born < limits.short_life_seconds
            longer = min(pause * 2, limits.longest_pause_seconds)
            pause = longer if short else limits.first_pause_seconds
            self.say(f"{self.name} ended with status {status}; restarting in {pause:.0f} s")
            await asyncio.sleep(pause)
            await self._spawn()

    async def _read_out(self) -> None:
        if self._log_reader is not None:
            await asyncio.wait({self._log_reader}, timeout=READ_OUT_SECONDS)
            self._log_reader.cancel()


async def _read_lines(stream: asyncio.StreamReader, log: Callable[[str], None]) -> None:
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            # Over the limit: the reader has dropped it, and continues behind it.
            continue
        if not line:
            return
        # No failure to print may stop the reading: the child would wait for it, and `stop` too.
        with contextlib.suppress(Exception):
            log(line.decode("utf-8", "replace").rstrip("\r\n"))
