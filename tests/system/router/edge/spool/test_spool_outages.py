"""Broker killed, frozen and black-holed under load, edge killed: nothing answered is missing."""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from router.contract.topics import Topics
from tests.parts.chaos.black_hole import BlackHole
from tests.parts.edge.edge_file import write_configuration
from tests.parts.edge.edge_server import make_topics, read_records
from tests.parts.edge.raw_http import exchange, request
from tests.parts.edge.spool.gateway import PatientGateway
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.leash import Leash
from tests.parts.ports import free_port
from tests.parts.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.chaos]

_DEADLINE_SECONDS = 2
_SLOW_MACHINE_SECONDS = 8.0


@dataclass
class _Edge:
    """An edge process that is killed and started again on its ports and its spool."""

    config: Path
    ports: tuple[int, int]
    process: Process | None = None
    leashes: list[Leash] = field(default_factory=list)

    async def start(self) -> None:
        command = [sys.executable, "-m", "consumers", "edge", "--config", str(self.config)]
        log = (self.config.parent / "edge.log").open("ab")
        self.process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stderr=log)
        log.close()
        self.leashes.append(Leash(self.process.pid))
        await eventually(self._ready, "a ready edge")

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()
        self.leashes.pop().release()

    def statuses(self) -> set[int]:
        """Return the statuses of all deliveries that an edge answered in time or failed."""
        lines = (self.config.parent / "edge.log").read_text().splitlines()
        # A killed process may leave an incomplete line.
        whole = [json.loads(line) for line in lines if line.endswith("}")]
        return {line["status"] for line in whole if line["event"] == "delivery"}

    async def metric(self, name: str) -> float:
        text = (await exchange(self.ports[1], request("/metrics", method="GET", body=None))).body
        lines = [line.split() for line in text.decode().splitlines()]
        return next(float(line[1]) for line in lines if line and line[0] == name)

    async def _ready(self) -> bool:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            asked = request("/readyz", method="GET", body=None)
            return (await exchange(self.ports[1], asked)).status == 200
        return False


@contextlib.asynccontextmanager
async def _spooled_edge(folder: Path, bootstrap: str, prefix: str) -> AsyncIterator[_Edge]:
    ports = free_port(), free_port()
    config = write_configuration(
        folder, ports, bootstrap, prefix, deadline_seconds=_DEADLINE_SECONDS
    )
    spool = f'\n[spool]\npath = "{folder / "spool"}"\nreserve_seconds = 1\n'
    config.write_text(config.read_text() + spool)
    edge = _Edge(config, ports)
    await edge.start()
    try:
        yield edge
    finally:
        await edge.kill()


@dataclass
class _Scene:
    kafka: ApacheKafka
    hole: BlackHole
    edge: _Edge
    seconds: float

    async def away(
        self, gone: Callable[[], object], back: Callable[[], object], kills: int
    ) -> None:
        """Take the broker away, kill the edge, and bring the broker back."""
        await asyncio.to_thread(gone)
        for _ in range(kills):
            await asyncio.sleep(self.seconds / (kills + 1))
            await self.edge.kill()
            await self.edge.start()
        await asyncio.sleep(self.seconds / (kills + 1))
        await asyncio.to_thread(back)
        await asyncio.sleep(self.seconds / 2)

    async def outages(self, kills: tuple[int, int, int]) -> None:
        loop = asyncio.get_running_loop()
        await self.away(self.kafka.kill, self.kafka.start, kills[0])
        await self.away(self.kafka.pause, self.kafka.resume, kills[1])
        await self.away(
            lambda: loop.call_soon_threadsafe(self.hole.open.clear),
            lambda: loop.call_soon_threadsafe(self.hole.open.set),
            kills[2],
        )


async def test_nothing_answered_is_missing_and_every_key_is_in_order(
    topics_prefix: str, tmp_path: Path, *, chaos_long: bool
) -> None:
    outside = free_port()
    advertised = {"advertised.listeners": f"PLAINTEXT://127.0.0.1:{outside}"}
    own_kafka = ApacheKafka(advertised)
    hole = BlackHole(int(own_kafka.bootstrap.rpartition(":")[2]))
    seconds, kills, rate = (12.0, (2, 2, 1), 200.0) if chaos_long else (1.5, (1, 1, 0), 60.0)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(own_kafka.destroy)
        await stack.enter_async_context(hole.listening(outside))
        await asyncio.to_thread(own_kafka.start)
        await make_topics(f"127.0.0.1:{outside}", topics_prefix)
        async with _spooled_edge(tmp_path, f"127.0.0.1:{outside}", topics_prefix) as edge:
            gateway = PatientGateway(edge.ports[0], rate)
            load = asyncio.create_task(gateway.run())
            await _Scene(own_kafka, hole, edge, seconds).outages(kills)
            gateway.stopped.set()
            await load
            await _until(edge, "payrouter_spool_waiting_records", 0)
            stored = await edge.metric("payrouter_spool_stored_records_total")
            records = await read_records(
                f"127.0.0.1:{outside}", [Topics(topics_prefix).name("payment")]
            )

    first: dict[str, list[str]] = {}
    for record in records:
        value = json.loads(record.value)
        seen = first.setdefault(value["reference"], [])
        if value["provider_reference"] not in seen:
            seen.append(value["provider_reference"])
    for sender, accepted in enumerate(gateway.accepted):
        written = first[f"order-{sender}"]
        assert [each for each in written if each in set(accepted)] == accepted
    assert stored > 0
    # A machine that is too slow for the load sheds some before they are read: they have no lines.
    assert edge.statuses() == {200}
    assert {answer.status for answer in gateway.answers} <= {200, 503, None}
    slowest = max(each.seconds for each in gateway.answers if each.status == 200)
    assert slowest < _DEADLINE_SECONDS + _SLOW_MACHINE_SECONDS


async def _until(edge: _Edge, metric: str, value: float) -> None:
    async def reached() -> bool:
        return await edge.metric(metric) == value

    await eventually(reached, f"{metric} is {value}")
