"""What more consumer processes give: `python -m tests.benchmarks.instances [FOLDER…]`.

A backlog is drained by one process of `payrouter consume NAME` and by several of one group, by
turns, on all cores of the machine, which Kafka and PostgreSQL use too. Each FOLDER, such as a
worktree, is measured alike. Prints events a second, the CPU per event of all processes, of
PostgreSQL and of Kafka, and how many events there could be at most if nothing else used the cores:
a process of the consumer uses one core, however many transactions it has at once, and everything
together uses all of them.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from router.contract.topics import Topics
from tests.benchmarks.drained import PARTITIONS, Backlog, backlog_of
from tests.benchmarks.report.figures import rounded
from tests.benchmarks.running.clocks import cpu_seconds, kafka_clocks, machine, require_linux
from tests.benchmarks.running.database import Database, connected, started_database
from tests.benchmarks.running.servers import free_port
from tests.parts import brokers
from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.environment import Wishes
from tests.parts.leash import Leash
from tests.parts.source import ROOT
from tests.parts.waiting import eventually, until

_LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Way:
    """A number of processes with the code of a folder."""

    folder: Path
    processes: int

    def __str__(self) -> str:
        """Return its row's name."""
        return f"{self.folder.resolve().name}, {self.processes}"


@dataclass
class Site:
    """Kafka and an empty database, for one round of one way."""

    way: Way
    consumer: str
    bootstrap: str
    database: Database
    folder: Path
    prefix: str = field(default_factory=lambda: f"i{uuid.uuid4().hex[:6]}.")

    def configuration(self, port: int) -> Path:
        """Write the configuration of a process."""
        path = self.folder / f"{port}.toml"
        lines = [
            *("[kafka]", f'bootstrap_servers = "{self.bootstrap}"'),
            *("[topics]", f'prefix = "{self.prefix}"'),
            *("replication_factor = 1", "min_insync_replicas = 1"),
            f"partitions = {len(PARTITIONS['payment'])}",
            *("[log]", 'format = "json"'),
            *("[database]", f'url = "{self.database.url}"'),
            *(f"[consumers.{self.consumer}]", f"management_port = {port}"),
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def command(self, *words: str, path: Path) -> dict[str, Any]:
        """Return the arguments of a process of the way's folder."""
        environment = {**os.environ, "PYTHONPATH": str(self.way.folder.resolve())}
        command = [sys.executable, "-m", "consumers", *words, "--config", str(path)]
        return {"args": command, "env": environment, "cwd": self.way.folder}


def main() -> None:
    """Measure and print every round, and the medians."""
    require_linux()
    asked = _arguments()
    counts = sorted({1, asked.processes})
    ways = [Way(each, count) for each in asked.folders or [ROOT] for count in counts]
    found: dict[Way, list[Mapping[str, float]]] = {way: [] for way in ways}
    backlog = backlog_of("plain", asked.events, with_orders=False)
    with brokers.started(brokers.choose(Wishes.take())) as broker, started_database() as database:
        for number in range(asked.rounds):
            # The order turns, so that none is always the first.
            for way in ways[:: -1 if number % 2 else 1]:
                measured = _round(way, asked.consumer, backlog, broker.bootstrap, database)
                found[way].append(measured)
                Console().print(str(way), {name: round(each) for name, each in measured.items()})
    Console().print(machine(), _table(found))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.instances")
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=12_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--consumer", choices=["ledger", "notifications"], default="ledger")
    return parser.parse_args()


def _round(
    way: Way, consumer: str, backlog: Backlog, bootstrap: str, database: Database
) -> Mapping[str, float]:
    server = DatabaseServer(database.url, "benchmark")
    with fresh_database(server) as url, tempfile.TemporaryDirectory() as folder:
        site = Site(way, consumer, bootstrap, Database(url, database.pid), Path(folder))
        path = site.configuration(0)
        for words in (("topics", "apply"), ("db", "upgrade")):
            subprocess.run(**site.command(*words, path=path), check=True, stdout=subprocess.DEVNULL)
        with _consuming(site) as pids:
            return asyncio.run(_drained(site, backlog, pids))


@contextlib.contextmanager
def _consuming(site: Site) -> Iterator[Sequence[int]]:
    """Run the processes from the time at which all partitions are shared among them."""
    with (site.folder / "log").open("wb") as log, contextlib.ExitStack() as stack:
        ports = [free_port() for _ in range(site.way.processes)]
        pids = []
        for port in ports:
            command = site.command("consume", site.consumer, path=site.configuration(port))
            process = subprocess.Popen(**command, stdout=log, stderr=log)
            leash = Leash(process.pid)
            stack.callback(leash.release)
            stack.callback(process.wait)
            stack.callback(process.kill)
            pids.append(process.pid)
        until(partial(_shared, ports), "a member of the group in each process")
        yield pids


def _shared(ports: Sequence[int]) -> bool:
    """Return whether every process has the partitions it will keep, which takes a rebalance."""
    try:
        assigned = [_assigned(port) for port in ports]
    except OSError:
        return False
    return min(assigned) > 0 and max(assigned) - min(assigned) <= 2


def _assigned(port: int) -> float:
    """Return how many partitions a process has, 0 if it is not ready."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
        return float(answer.read().split()[0])


async def _drained(site: Site, backlog: Backlog, pids: Sequence[int]) -> Mapping[str, float]:
    """Publish the backlog while the processes are stopped, and measure until it is drained."""
    events, clocks = len(backlog.measured), _clocks(site, pids)
    async with connected(site.database.url) as connection:
        with _stopped(pids):
            await _publish(site, backlog)
            before = {name: clock() for name, clock in clocks.items()}
            began = time.perf_counter()
        passed = f"SELECT sum(next_offset) = {events} FROM {site.consumer}.fence"
        applied = await _seconds(connection, passed, began)
        sent = await _seconds(
            connection, f"SELECT NOT EXISTS (SELECT FROM {site.consumer}.outbox)", began
        )
    spent = {name: (clock() - before[name]) / events * 1e6 for name, clock in clocks.items()}
    rates = {"a second": events / applied, "published a second": events / sent}
    return {**rates, **spent, "at most a second": _at_most(len(pids), spent)}


@contextlib.contextmanager
def _stopped(pids: Sequence[int]) -> Iterator[None]:
    """Stop processes during the block; they stay members of their group."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


async def _seconds(connection: Any, query: str, began: float) -> float:  # noqa: ANN401 - asyncpg publishes no types
    """Wait until a query answers with true, and return the seconds since `began`."""
    looked = partial(connection.fetchval, query)
    await eventually(looked, query, seconds=_PATIENCE_SECONDS, pause=_LOOK_SECONDS)
    return time.perf_counter() - began


def _at_most(processes: int, spent: Mapping[str, float]) -> float:
    """Return how many events a second fit into the cores, from the CPU of each event."""
    cores = len(os.sched_getaffinity(0))
    return min(processes / spent["consumer µs"], cores / sum(spent.values())) * 1e6


def _clocks(site: Site, pids: Sequence[int]) -> dict[str, Callable[[], float]]:
    return {
        "consumer µs": lambda: sum(map(cpu_seconds, pids)),
        "PostgreSQL µs": site.database.cpu_seconds,
        "Kafka µs": lambda: sum(clock() for clock in kafka_clocks().values()),
    }


async def _publish(site: Site, backlog: Backlog) -> None:
    names = Topics(site.prefix)
    async with AIOKafkaProducer(
        bootstrap_servers=site.bootstrap, linger_ms=5, max_batch_size=256 * 1024
    ) as producer:
        for record in backlog.measured:
            topic, number = record.partition
            await producer.send(
                names.name(topic),
                record.value,
                record.key,
                partition=number,
                timestamp_ms=record.timestamp,
                headers=list(record.headers),
            )


def _table(found: Mapping[Way, Sequence[Mapping[str, float]]]) -> Table:
    names = list(next(iter(found.values()))[0])
    table = Table("median of folder, processes", *names)
    for way, rounds in found.items():
        medians = (median(each[name] for each in rounds) for name in names)
        table.add_row(str(way), *map(rounded, medians))
    return table


if __name__ == "__main__":
    main()
