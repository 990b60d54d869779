"""Fifty poison records in a row stop `payrouter consume`, even after restarts, until released."""

import asyncio
import contextlib
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.ledger.service import SERVICE
from consumers.runtime.store.migrate import upgrade
from tests.parts.brokers import Broker
from tests.parts.dev_process import free_port
from tests.parts.leash import Leash
from tests.parts.runtime.commands import Payrouter
from tests.parts.runtime.counting import numbered
from tests.parts.runtime.members import Feed, feeding
from tests.parts.waiting import PATIENCE_SECONDS, eventually

POISON, BRAKE_AFTER = 50, 20


@dataclass(frozen=True)
class Machine:
    """Runs the ledger as a separate process."""

    feed: Feed
    payrouter: Payrouter
    folder: Path
    port: int

    @contextlib.asynccontextmanager
    async def consuming(self) -> AsyncIterator[None]:
        """Run the ledger until the block ends; it must exit with status 0."""
        with (self.folder / "log").open("ab") as log:
            command = (sys.executable, "-m", "consumers", "consume", "ledger")
            process = await asyncio.create_subprocess_exec(
                *command, cwd=self.folder, stdout=log, stderr=log
            )
        leash = Leash(process.pid)
        try:
            yield
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            leash.release()

    async def says(self, path: str, status: int, *words: str) -> None:
        """Wait until the management port returns this status and these words."""

        async def so() -> bool:
            answered, said = await asyncio.to_thread(self._get, path)
            return answered == status and all(word in said for word in words)

        await eventually(so, f"{path} answers {status} with {words}")

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            return 0, ""


@pytest.fixture
async def machine(
    broker: Broker,
    database_url: str,
    topics_prefix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Machine]:
    """Yield a machine with the ledger's configuration, topics and empty books."""
    engine = create_async_engine(database_url)
    try:
        await upgrade(engine, SERVICE)
        async with feeding(broker, engine, topics_prefix, SERVICE) as feed:
            payrouter, port = Payrouter(feed, tmp_path, monkeypatch), free_port()
            payrouter.configure(
                f'[consumers.ledger]\nmanagement_port = {port}\ngroup_id = "{feed.group}"'
            )
            # Ready are only those whose topics are all there.
            await payrouter("topics", "apply", "--alter")
            yield Machine(feed, payrouter, tmp_path, port)
    finally:
        await engine.dispose()


async def accounted(engine: AsyncEngine) -> tuple[int, int]:
    """Return how many events are booked and how many records are dead."""
    query = (
        "SELECT (SELECT count(*) FROM ledger.event),"
        " (SELECT count(*) FROM ledger.held WHERE state = 'dead')"
    )
    async with engine.connect() as connection:
        booked, dead = (await connection.execute(text(query))).one()
    return booked, dead


async def test_the_brake_holds_after_twenty_failures_and_a_restart_and_no_record_is_lost(
    machine: Machine,
) -> None:
    feed = machine.feed
    await feed.send(map(numbered, range(10)))
    for number in range(POISON):
        await feed.send_raw(b"no event %d" % number, key=b"%d" % number)
    await feed.send(map(numbered, range(10, 20)))
    async with machine.consuming():
        await is_braked(machine)
    async with machine.consuming():
        await is_braked(machine)
        for dead in (2 * BRAKE_AFTER, POISON):
            await machine.says("/readyz", 503, "payrouter brake clear ledger")
            assert (await machine.payrouter("brake", "clear", "ledger")).status == 0
            await _dead(feed, dead)
        await _dead(feed, POISON, booked=20)
        await machine.says("/readyz", 200)
        await machine.says("/metrics", 200, _held(machine, 0))
    assert await accounted(feed.engine) == (20, POISON)
    history = (await machine.payrouter("dlq", "history", "ledger", "--json")).json
    assert [done["what"] for done in history] == ["brake clear"] * 2


async def is_braked(machine: Machine) -> None:
    """Wait until the brake holds and is reported; no record after the last failure was passed."""
    await machine.says("/readyz", 503, "has been on since", "payrouter brake clear ledger")
    await machine.says("/healthz", 200)
    await machine.says("/metrics", 200, _held(machine, 1))
    assert await accounted(machine.feed.engine) == (10, BRAKE_AFTER)


def _held(machine: Machine, held: int) -> str:
    """Return the metrics line that shows whether the topic's brake holds."""
    labels = f'consumer="ledger",topic="{machine.feed.topic}"'
    return f"payrouter_brake_held{{{labels}}} {held:.1f}"


async def _dead(feed: Feed, dead: int, booked: int | None = None) -> None:
    async def so() -> bool:
        found = await accounted(feed.engine)
        return found[1] == dead and booked in {None, found[0]}

    await eventually(so, f"{dead} dead")
