"""Writes the log lines of a process in their order, and never waits for their reader.

A reader that stops, such as a hanging log collector, must not stop deliveries. Lines that cannot
be written are kept up to a bound; those beyond it are dropped and counted.
"""

import asyncio
import contextlib
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from router.telemetry.sinks import Sink

MOST_BYTES: Final = 8 * 1024 * 1024
"""Bytes of lines that are kept for a reader: a few seconds at some thousand lines a second."""

FULL: Final = "full"
FAILED: Final = "failed"

_PIECE_BYTES = select.PIPE_BUF
"""Bytes of one write, if no line is longer: processes that share a pipe do not mix their lines."""

_RETRY_SECONDS = 0.1
_PAUSE_SECONDS = 0.01


class LogOutput:
    """Writes lines to a sink; for all threads, and for destructors and signal handlers too."""

    def __init__(
        self,
        sink: Sink,
        report: Callable[[int], None] = lambda _count: None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Write to this sink; `report` gets the number of dropped lines, and may log it."""
        self.dropped = {FULL: 0, FAILED: 0}
        self._sink, self._report, self._most = sink, report, most_bytes
        self._lines: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._unreported = 0
        self._lock = threading.RLock()
        self._sending = False
        self._scheduled_on: asyncio.AbstractEventLoop | None = None
        self._reader_awaited = False
        self._retry_at = 0.0

    def write(self, text: str) -> None:
        """Write one or more whole lines now, or once the reader has read."""
        with self._lock:
            self._add(text)
            self._send()

    def later(self, text: str) -> None:
        """Write whole lines together with others of this turn of the event loop, if there is one.

        They are written earlier if they would exceed one write, or if a line follows by `write`.
        """
        with self._lock:
            if self._waiting_bytes + len(text) > _PIECE_BYTES:
                self._send()
            self._add(text)
            loop = _running_loop()
            if loop is None:
                self._send()
            elif self._scheduled_on is not loop:
                self._scheduled_on = loop
                loop.call_soon(self._turn_ended)

    def flush(self) -> None:
        """Do nothing, since `write` leaves nothing that could be written."""

    def drain(self, seconds: float) -> bool:
        """Write all lines; return False if the reader does not take them within so long."""
        deadline = time.monotonic() + seconds
        while True:
            with self._lock:
                self._retry_at = 0.0
                self._send()
                if not self._lines:
                    return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._sink.wait(min(left, _RETRY_SECONDS))

    def _turn_ended(self) -> None:
        with self._lock:
            self._scheduled_on = None
            self._send()

    def _add(self, text: str) -> None:
        line = text.encode(self._sink.encoding, "backslashreplace")
        if self._lines and self._waiting_bytes + len(line) > self._most:
            self._lose(FULL, 1)
        else:
            self._lines.append(line)
            self._waiting_bytes += len(line)

    def _lose(self, reason: str, count: int) -> None:
        self.dropped[reason] += count
        self._unreported += count

    def _send(self) -> None:
        """Write lines until none is left or the reader has to read first."""
        if self._sending or (self._reader_awaited and time.monotonic() < self._retry_at):
            # A destructor that runs while this thread sends may log: the loop below goes on.
            return
        self._sending = True
        try:
            while self._lines:
                written = self._send_piece()
                if written and not self._lines and self._unreported:
                    count, self._unreported = self._unreported, 0
                    self._report(count)
        except BlockingIOError:
            self._await_reader()
        finally:
            self._sending = False

    def _send_piece(self) -> bool:
        """Write the next lines with one call; return whether they were not lost."""
        # By index, since a destructor may add a line at any time.
        count, size = 1, len(self._lines[0])
        while count < len(self._lines) and size + len(self._lines[count]) <= _PIECE_BYTES:
            size += len(self._lines[count])
            count += 1
        try:
            sent = self._sink.send(b"".join(self._lines[index] for index in range(count)))
        except BlockingIOError:
            raise
        except (OSError, ValueError):
            # A full disk or a closed pipe; it cannot be reported anywhere else.
            self._lose(FAILED, count)
            self._forget(size)
            return False
        self._forget(sent)
        return True

    def _forget(self, size: int) -> None:
        """Remove so many bytes from the front."""
        self._waiting_bytes -= size
        while size:
            line = self._lines.popleft()
            if len(line) > size:
                self._lines.appendleft(line[size:])
            size = max(0, size - len(line))

    def _await_reader(self) -> None:
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        if self._reader_awaited:
            return
        thread = threading.Thread(target=self._write_when_read, daemon=True, name="log")
        # Without a thread, each further line tries again.
        with contextlib.suppress(RuntimeError):
            thread.start()
            self._reader_awaited = True

    def _write_when_read(self) -> None:
        while True:
            self._sink.wait(1)
            with self._lock:
                self._retry_at = 0.0
                self._send()
                if not self._lines:
                    self._reader_awaited = False
                    return
            # A slow reader does not make this a busy loop.
            time.sleep(_PAUSE_SECONDS)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
