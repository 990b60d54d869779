"""Writes log lines to standard error without waiting for its reader.

Standard error is often shared with other processes, and so are the flags of its descriptor. So it
is not set to non-blocking; it is opened a second time, which gives this process flags of its own.
"""

import os
import select
import stat
import time
from typing import Protocol, TextIO


class Sink(Protocol):
    """Takes bytes."""

    encoding: str
    """Of the text."""

    def send(self, data: bytes) -> int:
        """Write what can be written at once, and return the number of bytes.

        Raises BlockingIOError if that is nothing, and OSError or ValueError if the data is lost.
        """

    def wait(self, seconds: float) -> None:
        """Wait at most so long until something can be written."""


def sink_of(stream: TextIO) -> Sink:
    """Return the sink that writes to the same place as a stream."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return _Stream(stream)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return _File(descriptor, stream.encoding)
    try:
        return _File(_opened_again(descriptor), stream.encoding)
    except OSError:
        # A socket, a pipe that another user made, or not Linux.
        return _Polled(descriptor, stream.encoding)


def _opened_again(descriptor: int) -> int:
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY
    return os.open(f"/proc/self/fd/{descriptor}", flags)


class _File:
    """A file, or a pipe or terminal that was opened as non-blocking."""

    def __init__(self, descriptor: int, encoding: str) -> None:
        self._descriptor, self.encoding = descriptor, encoding

    def send(self, data: bytes) -> int:
        return os.write(self._descriptor, data)

    def wait(self, seconds: float) -> None:
        _until_writable(self._descriptor, seconds)


class _Polled:
    """A socket, pipe or terminal that blocks, and so is polled before each write.

    A socket that can be written to has half of its buffer free. In a pipe it may be a single page,
    which another process could fill in between: then `send` waits.
    """

    def __init__(self, descriptor: int, encoding: str) -> None:
        self._descriptor, self.encoding = descriptor, encoding

    def send(self, data: bytes) -> int:
        if not _until_writable(self._descriptor, 0):
            raise BlockingIOError
        # There is room for as much; a longer write could wait.
        return os.write(self._descriptor, data[: select.PIPE_BUF])

    def wait(self, seconds: float) -> None:
        _until_writable(self._descriptor, seconds)


class _Stream:
    """A stream of Python without a descriptor."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self.encoding = stream, "utf-8"

    def send(self, data: bytes) -> int:
        self._stream.write(data.decode(self.encoding, "replace"))
        return len(data)

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


def _until_writable(descriptor: int, seconds: float) -> bool:
    polled = select.poll()
    polled.register(descriptor, select.POLLOUT)
    return bool(polled.poll(seconds * 1000))
