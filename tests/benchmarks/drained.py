"""Drains a backlog of payments with the code of one folder, and prints the cost as JSON.

`python -m tests.benchmarks.versions` runs this file as a script, with `PYTHONPATH` naming the
folder: it imports only what every measured version of the project has.
"""

import asyncio
import gc
import importlib.util
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.handler import handle
from consumers.ledger.service import SERVICE
from consumers.runtime.apply.process import Applier
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.records import Decoded, Partition, Record
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store.database import open_engine, open_upgrade_engine
from consumers.runtime.store.migrate import upgrade
from router.contract.event import event_id
from router.contract.topics import Topics
from router.contract.wire import encode_event
from router.terminal.processes import loop_factory
from tests.parts.connections import connection_to
from tests.parts.contract.events import event

BATCH = 500
PARTITIONS = [Partition("payment", number) for number in range(6)]
_TICK = os.sysconf("SC_CLK_TCK")
_BODY = json.dumps({"id": 8210003616, "status": "SUCCESS", "symbol": "USDT", "note": "x" * 250})


@dataclass(frozen=True)
class Cost:
    """Seconds: of the wall clock, of this process's CPU, of that of PostgreSQL's processes."""

    wall: float
    python: float
    postgres: float

    @classmethod
    def now(cls, server: int) -> "Cost":
        """Read the clocks; `server` is the id of PostgreSQL's first process."""
        return cls(time.perf_counter(), time.process_time(), cpu_seconds(server))


def cpu_seconds(server: int) -> float:
    """Return the CPU seconds of a PostgreSQL server: of its processes, and of those that ended."""
    ticks = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            ticks += _ticks(folder, server)
    return ticks / _TICK


def _ticks(folder: Path, server: int) -> int:
    try:
        stat = _stat(folder)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    user, system, ended_user, ended_system = map(int, stat[11:15])
    if folder.name == str(server):
        return user + system + ended_user + ended_system
    return user + system if stat[1] == str(server) else 0


def _stat(folder: Path) -> Sequence[str]:
    """Return the items of a process's status after its name: state, parent and so on."""
    return (folder / "stat").read_text(encoding="utf-8").rpartition(") ")[2].split()


async def _first_process(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        own = await connection.scalar(select(func.pg_backend_pid()))
    return int(_stat(Path("/proc", str(own)))[1])


async def drain(url: str, events: int, kind: str = "plain") -> dict[str, float]:
    """Return events a second, and microseconds of CPU an event in Python and PostgreSQL.

    PostgreSQL has to run on this machine.
    """
    applier, engine = await _applier(url)
    server = await _first_process(engine)
    earlier, records = backlog(kind, events)
    try:
        await _apply(applier, earlier)
        # The backlog is the broker's: the collector of a consumer's process never sees it.
        gc.freeze()
        before = Cost.now(server)
        await _apply(applier, records)
        after = Cost.now(server)
    finally:
        await engine.dispose()
    return {
        "events/s": events / (after.wall - before.wall),
        "Python µs": (after.python - before.python) / events * 1e6,
        "PostgreSQL µs": (after.postgres - before.postgres) / events * 1e6,
    }


async def _applier(url: str) -> tuple[Applier, AsyncEngine]:
    settings = ConsumerSettings(
        "ledger", connection_to(), SecretStr(url), Topics(), Tuning.model_validate({})
    )
    upgrading = open_upgrade_engine(settings)
    await upgrade(upgrading, SERVICE)
    await upgrading.dispose()
    engine = open_engine(settings)
    books = StoredBooks(engine, SERVICE, "benchmark")
    return Applier(books, SERVICE, handle, **_shorter(books)), engine


def _shorter(books: StoredBooks) -> dict[str, Any]:
    """Return the shorter way of plain batches, if this version has one."""
    if importlib.util.find_spec("consumers.runtime.plain") is None:
        return {}
    batches = importlib.import_module("consumers.runtime.plain.batches")
    plain = importlib.import_module("consumers.ledger.plain.handling").handle_plainly
    return {"shorter": batches.PlainBatches(books, plain)}


async def _apply(applier: Applier, records: Sequence[Record]) -> None:
    """Decode and apply the records in batches, as the loop of a process does."""
    fences = await applier.fences(dict.fromkeys(PARTITIONS, 0))
    for first in range(0, len(records), BATCH):
        arrived = [applier.decode(each) for each in records[first : first + BATCH]]
        decoded = [each for each in arrived if isinstance(each, Decoded)]
        assert len(decoded) == len(arrived)
        fences = (await applier.apply(decoded, fences)).fences


def backlog(kind: str, events: int) -> tuple[list[Record], list[Record]]:
    """Return records to apply before measuring, and those to measure.

    `plain`: each is a separate payment. `duplicates`: every tenth repeats the event of an earlier
    one. `updates`: each confirms a payment that was pending.
    """
    if kind == "updates":
        pending = [record(number, number, "pending") for number in range(events)]
        return pending, [record(number, number + events) for number in range(events)]
    numbers = range(BATCH, BATCH + events)
    if kind == "duplicates":
        numbered = ((n - BATCH // 2 if n % 10 == 0 else n, n) for n in numbers)
        return [record(n, n) for n in range(BATCH)], [record(*each) for each in numbered]
    return [record(n, n) for n in range(BATCH)], [record(n, n) for n in numbers]


def record(number: int, place: int, status: str = "confirmed") -> Record:
    """Return a record of the payment of this number, with a raw delivery.

    `place` is that of the record among all records of the topic.
    """
    happened = event(
        id=event_id("blockatm", "shop-eu", str(number), status),
        type=f"payment.{status}",
        reference=f"B-{number}",
        provider_reference=str(number),
        amount="100.50",
        currency="USDT",
        network="Ethereum",
        chain_id="1",
        tx_hash=f"0x{number:064x}",
        customer={"id": f"C-{number}", "email": "payer@shop.example"},
        raw={
            "method": "POST",
            "target": "/webhooks/blockatm-main",
            "headers": {"blockatm-request-time": "1743060268000"},
            "body": _BODY,
            "body_encoding": "utf-8",
        },
    )
    sent = encode_event(happened, "payment", f"00-{number:032x}-{number:016x}-01")
    partition = PARTITIONS[place % len(PARTITIONS)]
    offset = place // len(PARTITIONS)
    return Record(
        partition, offset, 1_700_000_000_000 + place, sent.key, sent.value, list(sent.headers)
    )


def main() -> None:
    """Measure; the arguments are the URL of an empty database, a number of events and a kind."""
    url, events, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        print(json.dumps(runner.run(drain(url, events, kind))))  # noqa: T201


if __name__ == "__main__":
    main()
