"""An edge behind its own HTTP connection, from the bytes of a request to those of its answer.

Without a socket and without Kafka: each record is durable in the next turn of the event loop.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from structlog.testing import capture_logs
from uvicorn.server import ServerState

from router.contract.wire import OutgoingRecord
from router.edge.app import EdgeProcess
from router.edge.bound import PerMinute
from router.edge.http.direct import HandleWhole
from router.edge.http.protocol import DeliveryProtocol
from router.edge.http.request_head import RequestHead
from router.edge.publishing.submission import Done
from router.telemetry.management import server_config
from tests.parts.edge.asgi import process_of

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PEER = "192.0.2.1"

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)\r\n")
_PER_MINUTE = 20
_OF_TIME = ("milliseconds",)
_NEVER_EQUAL = ("_sum", "_bucket", "_seconds", "_created")


@dataclass(frozen=True)
class Exchanged:
    """The answer to a request, with its records and its log lines, but for durations."""

    answer: bytes
    closed: bool
    records: tuple[OutgoingRecord, ...]
    log: tuple[dict[str, Any], ...]


class _Line(asyncio.Transport):
    """The connection's other end: collects what is written."""

    def __init__(self, port: int) -> None:
        super().__init__({"peername": (PEER, port), "sockname": ("192.0.2.2", 80)})
        self.written = b""
        self.closed = False
        self.answered, self.ended = asyncio.Event(), asyncio.Event()

    def write(self, data: Any) -> None:  # noqa: ANN401 - as asyncio's
        self.written += data
        head, _, body = self.written.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        if length is not None and len(body) == int(length[1]):
            self.answered.set()

    def close(self) -> None:
        self.closed = True
        self.answered.set()
        self.ended.set()

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Do nothing: requests come one by one."""

    def resume_reading(self) -> None:
        """Do nothing, as above."""

    def can_write_eof(self) -> bool:
        return False


@dataclass
class InMemoryEdge:
    """An edge that handles plain requests directly, or leaves all of them to the application."""

    process: EdgeProcess
    direct: bool
    taken: int = 0
    """Requests that were handled without the application."""
    records: list[OutgoingRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Put the connection in front of the edge, and a list behind it."""
        handler = self.process.app.handler
        handler.submit = self._submit
        # Equal requests have equal results only if neither time nor chance decides.
        handler.intake = replace(
            handler.intake,
            traceparent=lambda: TRACE,
            may_keep_stale=PerMinute(_PER_MINUTE, lambda: 0.0),
        )
        handler.refused.may_keep = PerMinute(_PER_MINUTE, lambda: 0.0)
        self._door = replace(self.process.door, hold=self._hold)
        self._config = server_config(self.process.app, lifespan="off", ws="none")
        self._config.load()
        self._ports = iter(range(1, 1 << 30))

    @classmethod
    def of(
        cls, values: dict[str, Any], clock: Callable[[], datetime], *, direct: bool
    ) -> "InMemoryEdge":
        """Make the edge of a configuration."""
        return cls(process_of(values, clock), direct)

    async def exchange(self, request: bytes) -> Exchanged:
        """Send a request on a new connection, and wait until it is answered."""
        line = _Line(next(self._ports))
        connection = DeliveryProtocol(self._config, ServerState(), {}, self._door)
        connection.connection_made(line)
        with capture_logs() as log:
            connection.data_received(request)
            async with asyncio.timeout(30):
                await line.answered.wait()
            connection.connection_lost(None)
            # The application's task, if there is one, ends.
            await asyncio.gather(*connection.tasks)
        records, self.records = tuple(self.records), []
        lines = tuple(
            {name: value for name, value in line.items() if name not in _OF_TIME} for line in log
        )
        return Exchanged(line.written, line.closed, records, lines)

    async def flood(self, data: bytes) -> bytes:
        """Send requests in one piece that end their connection; return all answers."""
        line = _Line(next(self._ports))
        connection = DeliveryProtocol(self._config, ServerState(), {}, self._door)
        connection.connection_made(line)
        connection.data_received(data)
        async with asyncio.timeout(30):
            await line.ended.wait()
        connection.connection_lost(None)
        return line.written

    def counted(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Return all metrics of the process, but for times."""
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self.process.registry.collect()
            for sample in family.samples
            if not sample.name.endswith(_NEVER_EQUAL)
        }

    def _hold(self, head: RequestHead) -> HandleWhole | None:
        handle = self.process.app.hold(head) if self.direct else None
        self.taken += handle is not None
        return handle

    def _submit(
        self, records: Sequence[OutgoingRecord], done: Done, _deadline: float | None
    ) -> None:
        self.records += records
        asyncio.get_running_loop().call_soon(done, None)
