"""Load over kept-alive connections: `python -m tests.benchmarks.running.generator ORDER`.

A program of the standard library that works on bare sockets, so that it costs a few microseconds
per request, mostly in the kernel. ORDER is a JSON object with the fields of `Order`; the
result, the fields of `Load`, is printed as JSON.
"""

import contextlib
import json
import math
import re
import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

_RECEIVE_BYTES = 65536
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")
_WANTED = b"HTTP/1.1 200"


@dataclass(frozen=True)
class Order:
    """What to send.

    `requests` is a JSON file of the requests as strings of latin-1. With a rate, each is sent
    once at its time, on any free connection; without, each connection sends its next
    request after the answer, for `seconds`, over and over through the file.
    """

    port: int
    requests: str
    connections: int
    seconds: float
    rate: float | None = None


@dataclass(frozen=True)
class Load:
    """What was answered; latencies in microseconds from the time a request was due."""

    answered: int
    seconds: float
    p50: float
    p99: float
    cpu_microseconds: float
    """Of the generator, per answer."""
    began: float
    """Unix time at which the first request was due."""


class WrongAnswerError(Exception):
    """An answer was not 200, or there was none."""


@dataclass
class _Connection:
    socket: socket.socket
    due: float = 0.0
    got: bytes = b""


@dataclass
class _Run:
    requests: Sequence[bytes]
    rate: float | None
    deadline: float
    idle: deque[_Connection]
    selector: selectors.BaseSelector
    began: float
    sent: int = 0
    taken: list[float] = field(default_factory=list)

    def due(self) -> float | None:
        """Return when the next request is due, None if there is none."""
        if self.rate is None:
            now = time.perf_counter()
            return now if now < self.deadline else None
        if self.sent == len(self.requests):
            return None
        return self.began + self.sent / self.rate

    def send_due(self) -> None:
        """Send what is due, as far as there are free connections."""
        while self.idle:
            due = self.due()
            if due is None or due > time.perf_counter():
                return
            connection = self.idle.popleft()
            connection.due = due
            connection.socket.sendall(self.requests[self.sent % len(self.requests)])
            self.sent += 1

    def wait(self) -> None:
        """Receive answers until the next request is due."""
        due = self.due()
        pause = None
        if self.idle and due is not None:
            pause = max(0.0, due - time.perf_counter())
        for key, _ in self.selector.select(pause):
            self._receive(key.data)

    def _receive(self, connection: _Connection) -> None:
        received = connection.socket.recv(_RECEIVE_BYTES)
        connection.got += received
        if not received or not connection.got.startswith(_WANTED[: len(connection.got)]):
            raise WrongAnswerError(connection.got or "the connection was closed")
        if is_whole(connection.got):
            self.taken.append(time.perf_counter() - connection.due)
            connection.got = b""
            self.idle.append(connection)


def is_whole(answer: bytes) -> bool:
    """Return whether an answer, which has a content-length, has been received as a whole."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    found = _LENGTH.search(answer, 0, end + 2)
    if found is None:
        raise WrongAnswerError(answer)
    return len(answer) == end + 4 + int(found[1])


def run(order: Order, requests: Sequence[bytes]) -> Load:
    """Send the requests and wait for every answer. Raises WrongAnswerError."""
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        idle = deque(_connect(order.port, selector, stack) for _ in range(order.connections))
        spent, wall, began = time.process_time(), time.time(), time.perf_counter()
        work = _Run(requests, order.rate, began + order.seconds, idle, selector, began)
        while work.due() is not None or len(idle) < order.connections:
            work.send_due()
            work.wait()
        seconds = time.perf_counter() - began
        return _load(work.taken, seconds, time.process_time() - spent, wall)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that is at least as large as this share of the values."""
    return ordered[math.ceil(share * len(ordered)) - 1]


def _load(taken: list[float], seconds: float, spent: float, began: float) -> Load:
    taken.sort()
    p50, p99 = (percentile(taken, share) * 1e6 for share in (0.5, 0.99))
    return Load(len(taken), seconds, p50, p99, spent / len(taken) * 1e6, began)


def _connect(
    port: int, selector: selectors.BaseSelector, stack: contextlib.ExitStack
) -> _Connection:
    connected = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = _Connection(connected)
    selector.register(connected, selectors.EVENT_READ, connection)
    return connection


def main() -> None:
    """Run the order of the command line."""
    order = Order(**json.loads(sys.argv[1]))
    written: list[str] = json.loads(Path(order.requests).read_text(encoding="utf-8"))
    result = run(order, [text.encode("latin-1") for text in written])
    sys.stdout.write(json.dumps(asdict(result)) + "\n")


if __name__ == "__main__":
    main()
