"""Supervises a child process: restarts it if it ends."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence

from router.errors import ConfigurationError

STOP_SECONDS = 30.0
SHORT_LIFE_SECONDS = 5.0
"""A process that ends sooner has failed; it is restarted after a longer and longer pause."""

FIRST_PAUSE_SECONDS = 1.0

LONGEST_PAUSE_SECONDS = 15.0

LONGEST_LINE_BYTES = 1 << 20
"""A longer line of a child's log is cut."""

READ_OUT_SECONDS = 2.0
"""How long the rest of the log of a child that has ended is read."""


class Child:
    """A child process; once it has settled, it is restarted whenever it ends by itself.

    It has a separate process group, so that Ctrl-C reaches only the
    supervisor, and a standard input that ends when the supervisor does, so
    that no child outlives it.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        management: str,
        say: Callable[[str], None],
        log: Callable[[str], None] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Store the command; `start` runs it.

        `log` receives each line that the child writes to standard error; without it, the child
        shares our standard error. `environ` is the child's environment, by default our own.
        """
        self.name = name
        self.management = management
        self._argv = argv
        self._say = say
        self._log = log
        self._environ = environ
        self._log_reader: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False
        self._settled = False
        self._failed_start: int | None = None

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
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                self._say(f"{self.name} did not end within {STOP_SECONDS:.0f} s, killed")
                process.kill()
                await process.wait()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._read_out()

    async def _spawn(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=asyncio.subprocess.PIPE,
            stderr=None if self._log is None else asyncio.subprocess.PIPE,
            env=self._environ,
            limit=LONGEST_LINE_BYTES,
            start_new_session=True,
        )
        if self._log is not None and self._process.stderr is not None:
            self._log_reader = asyncio.create_task(_read_lines(self._process.stderr, self._log))

    async def _keep(self) -> None:
        pause = FIRST_PAUSE_SECONDS / 2
        while self._process is not None:
            born = time.monotonic()
            status = await self._process.wait()
            await self._read_out()
            if self._stopping:
                return
            if not self._settled:
                self._failed_start = status
                return
            short = time.monotonic() - born < SHORT_LIFE_SECONDS
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS) if short else FIRST_PAUSE_SECONDS
            self._say(f"{self.name} ended with status {status}; restarting in {pause:.0f} s")
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
