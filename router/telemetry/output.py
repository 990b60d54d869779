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

_Piece = tuple[bytes, int]
"""Bytes of whole lines that are written with one call, and how many lines they are."""

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
        self._turn: list[str] = []
        self._turn_size = 0
        self._pieces: deque[_Piece] = deque()
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
            self._end_turn()
            self._add(text, 1)
            self._send()

    def later(self, text: str) -> None:
        """Write whole lines together with others of this turn of the event loop, if there is one.

        They are written earlier if they would exceed one write, or if a line follows by `write`.
        """
        with self._lock:
            self._turn_size += len(text)
            if self._turn_size > _PIECE_BYTES:
                self._end_turn()
                self._turn_size = len(text)
                self._send()
            self._turn.append(text)
            self._send_after_this_turn()

    def flush(self) -> None:
        """Do nothing, since `write` leaves nothing that could be written."""

    def drain(self, seconds: float) -> bool:
        """Write all lines; return False if the reader does not take them within so long."""
        deadline = time.monotonic() + seconds
        while True:
            with self._lock:
                self._retry_at = 0.0
                self._end_turn()
                self._send()
                if not self._pieces:
                    return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._sink.wait(min(left, _RETRY_SECONDS))

    def _send_after_this_turn(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._turn_ended()
            return
        if self._scheduled_on is not loop:
            self._scheduled_on = loop
            loop.call_soon(self._turn_ended)

    def _turn_ended(self) -> None:
        with self._lock:
            self._scheduled_on = None
            self._end_turn()
            self._send()

    def _end_turn(self) -> None:
        """Make one piece of the lines of this turn."""
        if self._turn:
            lines, self._turn, self._turn_size = self._turn, [], 0
            self._add("".join(lines), len(lines))

    def _add(self, text: str, lines: int) -> None:
        data = text.encode(self._sink.encoding, "backslashreplace")
        if self._pieces and self._waiting_bytes + len(data) > self._most:
            self._lose(FULL, lines)
        else:
            self._pieces.append((data, lines))
            self._waiting_bytes += len(data)

    def _lose(self, reason: str, lines: int) -> None:
        self.dropped[reason] += lines
        self._unreported += lines

    def _send(self) -> None:
        """Write pieces until none is left or the reader has to read first."""
        if self._sending or (self._reader_awaited and time.monotonic() < self._retry_at):
            # If a destructor logs while this thread sends, the loop below writes its line.
            return
        self._sending = True
        try:
            while self._pieces:
                written = self._send_piece()
                if written and not self._pieces and self._unreported:
                    count, self._unreported = self._unreported, 0
                    self._report(count)
        except BlockingIOError:
            self._await_reader()
        finally:
            self._sending = False

    def _send_piece(self) -> bool:
        """Write the first piece, or what fits of it; return whether it was not lost."""
        data, lines = self._pieces[0]
        try:
            sent = self._sink.send(data)
        except BlockingIOError:
            raise
        except (OSError, ValueError):
            # A full disk or a closed pipe; it cannot be reported anywhere else.
            self._lose(FAILED, lines)
            sent, written = len(data), False
        else:
            written = True
        self._waiting_bytes -= sent
        if sent == len(data):
            self._pieces.popleft()
        else:
            self._pieces[0] = data[sent:], lines
        return written

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
                if not self._pieces:
                    self._reader_awaited = False
                    return
            # A slow reader does not make this a busy loop.
            time.sleep(_PAUSE_SECONDS)
