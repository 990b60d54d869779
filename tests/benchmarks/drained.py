"""Drains a consumer's backlog with the code of one folder, and prints the cost as JSON.

`python -m tests.benchmarks.versions` runs this file as a script, with `PYTHONPATH` naming the
folder: it imports only what every measured version of the project has.
"""

import asyncio
import gc
import importlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.apply.process import Applier
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.fate import Fate
from consumers.runtime.records import Decoded, Partition, Record
from consumers.runtime.service import ConsumerActions, Play, Service, Setup
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store.migrate import upgrade
from router.contract.event import event_id
from router.contract.order import Order
from router.contract.topics import ORDER, Topics
from router.contract.wire import OutgoingRecord, encode_event, encode_order
from router.terminal.processes import loop_factory
from tests.parts.connections import connection_to
from tests.parts.contract.events import event
from tests.parts.contract.orders import order

try:
    from consumers.runtime.store.engines import open_engine, open_upgrade_engine
except ModuleNotFoundError:  # an older version
    _older = importlib.import_module("consumers.runtime.store.database")
    open_engine, open_upgrade_engine = _older.open_engine, _older.open_upgrade_engine

BATCH = 500
PARTITIONS = {
    topic: [Partition(topic, number) for number in range(6)] for topic in ("payment", ORDER)
}
ACCOUNT = "shop-eu"
ARTICLES = [f"article-{number}" for number in range(20)]
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


@dataclass(frozen=True)
class Backlog:
    """Records that are applied before measuring, and those to measure."""

    earlier: Sequence[Record]
    measured: Sequence[Record]


async def drain(url: str, consumer: str, kind: str, events: int) -> dict[str, float]:
    """Return events a second, microseconds of CPU an event, and the share of plain batches.

    PostgreSQL has to run on this machine.
    """
    service: Service = importlib.import_module(f"consumers.{consumer}.service").SERVICE
    applier, engine = await _applier(url, service)
    server = await _first_process(engine)
    backlog = backlog_of(kind, events, with_orders=ORDER in service.topics)
    try:
        await _apply(applier, backlog.earlier)
        # The backlog is the broker's: the collector of a consumer's process never sees it.
        gc.freeze()
        before = Cost.now(server)
        fates, plain = await _apply(applier, backlog.measured)
        after = Cost.now(server)
    finally:
        await engine.dispose()
    repeats = events // 10 if kind == "duplicates" else 0
    assert fates == +Counter({Fate.APPLIED: events - repeats, Fate.DUPLICATE: repeats}), fates
    return {
        "events/s": events / (after.wall - before.wall),
        "Python µs": (after.python - before.python) / events * 1e6,
        "PostgreSQL µs": (after.postgres - before.postgres) / events * 1e6,
        "plain %": plain / -(-events // BATCH) * 100,
    }


async def _applier(url: str, service: Service) -> tuple[Applier, AsyncEngine]:
    settings = ConsumerSettings(
        service.name, connection_to(), SecretStr(url), Topics(), Tuning.model_validate({})
    )
    upgrading = open_upgrade_engine(settings)
    await upgrade(upgrading, service)
    await upgrading.dispose()
    engine = open_engine(settings)
    books = StoredBooks(engine, service, "benchmark")
    actions = service.actions(Setup(service.options(), Topics()))
    if actions.before_play is not None:
        await actions.before_play(engine, Play([ACCOUNT], ARTICLES))
    readers, shorter = actions.readers, _shorter(books, actions)
    return Applier(books, service, actions.handle, readers=readers, **shorter), engine


def _shorter(books: StoredBooks, actions: ConsumerActions) -> dict[str, Any]:
    """Return the consumer's shorter way of plain batches, if it has one in this version."""
    plain = getattr(actions, "plain", None)
    if plain is None:
        return {}
    batches = importlib.import_module("consumers.runtime.plain.batches")
    return {"shorter": batches.PlainBatches(books, plain)}


async def _apply(applier: Applier, records: Sequence[Record]) -> tuple[Counter[Fate], int]:
    """Decode and apply the records in batches, as the loop of a process does.

    Returns how many had each fate, and how many batches were plain.
    """
    begin = {each: 0 for partitions in PARTITIONS.values() for each in partitions}
    fences = dict(await applier.fences(begin))
    fates, plain = Counter[Fate](), 0
    for first in range(0, len(records), BATCH):
        arrived = [applier.decode(each) for each in records[first : first + BATCH]]
        decoded = [each for each in arrived if isinstance(each, Decoded)]
        assert len(decoded) == len(arrived)
        wanted = {each.record.partition for each in decoded}
        done = await applier.apply(decoded, {each: fences[each] for each in wanted})
        fences |= done.fences
        for (_, fate), count in done.outcomes.items():
            fates[fate] += count
        plain += getattr(done, "plain", False)
    return fates, plain


def backlog_of(kind: str, events: int, *, with_orders: bool) -> Backlog:
    """Return a backlog of this kind.

    `plain`: each event confirms a separate payment. `duplicates`: every tenth repeats the event of
    an earlier one. `updates`: each confirms a payment that was pending. `orders`: each places an
    order. `with_orders`: the order of each payment was placed before.
    """
    numbers = range(BATCH, BATCH + events)
    placed = [placing(number, number) for number in range(BATCH + events)] if with_orders else []
    first = [paying(number, number) for number in range(BATCH)]
    if kind == "orders":
        return Backlog(placed[:BATCH], placed[BATCH:])
    if kind == "updates":
        pending = [paying(number, number, "pending") for number in numbers]
        confirmed = [paying(number, number + events) for number in numbers]
        return Backlog([*placed, *first, *pending], confirmed)
    repeats = 10 if kind == "duplicates" else events + 1
    # An odd distance: the earlier event never repeats another one itself.
    earlier = {n: n - BATCH // 2 - 1 for n in numbers if (n - BATCH + 1) % repeats == 0}
    return Backlog([*placed, *first], [paying(earlier.get(n, n), n) for n in numbers])


def paying(number: int, place: int, status: str = "confirmed") -> Record:
    """Return a record about the payment of the order of this number, with a raw delivery.

    `place` is that of the record among all records of the topic.
    """
    happened = event(
        id=event_id("blockatm", ACCOUNT, str(number), status),
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
    trace = f"00-{number:032x}-{number:016x}-01"
    return _record(encode_event(happened, "payment", trace), place)


def placing(number: int, place: int) -> Record:
    """Return a record that places the order of this number, of two articles."""
    skus = {ARTICLES[number % 20], ARTICLES[number // 20 % 20]}
    return _record(encode_order(_order(number, sorted(skus)), ORDER), place)


def _order(number: int, skus: Sequence[str]) -> Order:
    return order(
        id=event_id("order", ACCOUNT, str(number)),
        reference=f"B-{number}",
        lines=[{"sku": sku, "quantity": 1} for sku in skus],
        total="100.50",
        customer={"id": f"C-{number}", "email": "payer@shop.example"},
    )


def _record(sent: OutgoingRecord, place: int) -> Record:
    partitions = PARTITIONS[sent.topic]
    partition, offset = partitions[place % len(partitions)], place // len(partitions)
    return Record(
        partition, offset, 1_700_000_000_000 + place, sent.key, sent.value, list(sent.headers)
    )


def main() -> None:
    """Measure; the arguments are the URL of an empty database, and those of `drain`."""
    url, consumer, kind, events = sys.argv[1:]
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        print(json.dumps(runner.run(drain(url, consumer, kind, int(events)))))  # noqa: T201


if __name__ == "__main__":
    main()
