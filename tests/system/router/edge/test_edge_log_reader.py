"""An edge whose log is not read: it answers deliveries, counts what it drops, and stops."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from router.providers._signing import unix_ms_text
from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import webhook
from tests.parts.edge.edge_file import write_configuration
from tests.parts.edge.edge_server import make_topics
from tests.parts.edge.raw_http import exchange, request
from tests.parts.leash import Leash
from tests.parts.ports import free_port
from tests.parts.providers.blockatm_deliveries import PAYMENT, body_of
from tests.parts.waiting import eventually

_MOST_BYTES = 20_000

_PROGRAM = f"""
import functools
from router.telemetry import logs
logs.configure_logging = functools.partial(logs.configure_logging, most_bytes={_MOST_BYTES})
from consumers.cli import main
main()
"""
"""The command `payrouter`; fewer lines wait, so that a test reaches the bound quickly."""


@dataclass
class _Edge:
    """A running edge, and the end of the pipe that its log goes to."""

    process: asyncio.subprocess.Process
    port: int
    management_port: int
    pipe: int
    posted: int = 0
    lines: list[dict[str, Any]] = field(default_factory=list)

    async def post(self) -> int:
        """Post a genuine delivery and return the status of its answer."""
        sent = webhook(body_of(PAYMENT), time=unix_ms_text(datetime.now(UTC)))
        self.posted += 1
        return (
            await exchange(self.port, request("/webhooks/shop", sent.headers, sent.body))
        ).status

    async def dropped(self) -> int:
        """Return the metric of the dropped lines."""
        text = await self._asked("/metrics")
        (count,) = re.findall(
            r'^payrouter_log_lines_dropped_total{reason="full"} (.+)$', text, re.MULTILINE
        )
        return int(float(count))

    async def ready(self) -> bool:
        """Return whether it can publish."""
        assert self.process.returncode is None
        with contextlib.suppress(ConnectionError):
            return "503" not in (await self._asked("/readyz", status=True))
        return False

    async def _asked(self, path: str, *, status: bool = False) -> str:
        answer = await exchange(self.management_port, request(path, method="GET", body=None))
        return str(answer.status) if status else answer.body.decode()

    async def read(self) -> None:
        """Read the log until it ends."""
        reader = asyncio.StreamReader()
        with os.fdopen(self.pipe, "rb") as pipe:
            loop = asyncio.get_running_loop()
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
            async for line in reader:
                if line.startswith(b"{"):
                    self.lines.append(json.loads(line))

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the lines read with this event."""
        return [line for line in self.lines if line["event"] == name]


@contextlib.asynccontextmanager
async def _edge(directory: Path, bootstrap: str, prefix: str = "") -> AsyncIterator[_Edge]:
    ports, (ours, theirs) = (free_port(), free_port()), os.pipe()
    _fill(theirs)
    command = [sys.executable, "-c", _PROGRAM, "edge", "--config"]
    config = str(write_configuration(directory, ports, bootstrap, prefix, deadline_seconds=20))
    process = await asyncio.create_subprocess_exec(*command, config, stderr=theirs, cwd=directory)
    os.close(theirs)
    leash = Leash(process.pid)
    try:
        yield _Edge(process, *ports, ours)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        leash.release()


def _fill(pipe: int) -> None:
    """Fill the pipe, so that not even the first line of the edge fits."""
    os.set_blocking(pipe, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, b"x" * 4095 + b"\n")
    os.set_blocking(pipe, True)


async def test_full_pipe_stops_no_delivery_and_what_it_cost_is_counted_and_logged(
    broker: Broker, topics_prefix: str, tmp_path: Path
) -> None:
    await make_topics(broker.bootstrap, topics_prefix)
    async with _edge(tmp_path, broker.bootstrap, topics_prefix) as edge:
        await eventually(edge.ready, "a ready edge")

        async def dropped() -> bool:
            assert await edge.post() == 200
            return await edge.dropped() > 0

        await eventually(dropped, "a dropped line", pause=0)
        before = await edge.dropped()
        assert [await edge.post() for _ in range(10)] == [200] * 10
        lost = await edge.dropped()
        assert lost == before + 10

        reading = asyncio.create_task(edge.read())
        await eventually(lambda: edge.events("log_lines_dropped"), "the number of dropped lines")
        assert await edge.post() == 200
        edge.process.send_signal(signal.SIGTERM)
        await reading

    assert [line["count"] for line in edge.events("log_lines_dropped")] == [lost]
    assert len(edge.events("delivery")) == edge.posted - lost
    told = [line["event"] for line in edge.lines]
    behind = told[told.index("log_lines_dropped") + 1 :]
    assert behind == ["delivery", "edge_stopping", "edge_stopped"]


async def test_edge_whose_log_is_not_read_stops_on_a_signal(tmp_path: Path) -> None:
    async with _edge(tmp_path, "127.0.0.1:1") as edge:
        # Without a broker there is nothing to wait for but the port.
        async def answered() -> bool:
            with contextlib.suppress(ConnectionError):
                return await edge.post() == 503
            return False

        await eventually(answered, "an answer of the edge")
        edge.process.send_signal(signal.SIGTERM)
        code = await edge.process.wait()
        os.close(edge.pipe)

    assert code == 0
