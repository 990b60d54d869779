"""Time from a webhook to its row in the ledger, with all processes on one machine.

The edge and the ledger run as their services do, before one Kafka and one PostgreSQL. The row is
there when its transaction is committed: PostgreSQL stores that time, so nothing polls the
database while it is measured.
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from router.configuration.settings import Settings, settings_from
from tests.benchmarks.comparison import PARTITIONS
from tests.benchmarks.running.clocks import cpu_seconds, kafka_clocks
from tests.benchmarks.running.database import Database, connected
from tests.benchmarks.running.deliveries import requests_of, store
from tests.benchmarks.running.generator import Order, percentile
from tests.benchmarks.running.rounds import CONNECTIONS, once, send
from tests.benchmarks.running.servers import (
    Place,
    edge_configuration,
    free_port,
    running,
    until_answered,
)
from tests.parts.edge.edge_server import configuration
from tests.parts.source import ROOT
from tests.parts.waiting import until

Say = Callable[[str], None]

_PATIENCE_SECONDS = 180.0


@dataclass(frozen=True)
class Plan:
    """How long each level is measured."""

    seconds: float = 10.0
    capacity_deliveries: int = 4000
    shares: Sequence[float] = (0.1, 0.5, 0.9)
    slow_rate: float = 20.0


@dataclass(frozen=True)
class Level:
    """Latencies in milliseconds at one rate, from the time a delivery was due.

    `answer` is until the edge answered, `row` until the row was committed.
    """

    name: str
    rate: float
    deliveries: int
    answer_p50: float
    answer_p99: float
    row_p50: float
    row_p99: float


def measure(bootstrap: str, database: Database, plan: Plan, say: Say) -> dict[str, object]:
    """Return the capacity in deliveries a second and the figures of each level."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _system(bootstrap, database, Path(folder)) as site,
    ):
        say("end to end: warming up")
        site.level("warm", plan.slow_rate, plan.seconds / 2)
        say("end to end: capacity")
        capacity, cpu = site.capacity(plan.capacity_deliveries)
        levels = [("20/s", plan.slow_rate)]
        levels += [(f"{share:.0%} of capacity", share * capacity) for share in plan.shares]
        found = []
        for name, rate in levels:
            say(f"end to end: {name}, {rate:.0f} deliveries a second")
            found.append(asdict(site.level(name, rate, plan.seconds)))
        return {"capacity": capacity, "cpu_microseconds": cpu, "levels": found}


@dataclass
class _Site:
    port: int
    folder: Path
    settings: Settings
    database_url: str
    clocks: Mapping[str, Callable[[], float]]
    """CPU seconds by process."""
    sent: int = 0

    def first_request(self) -> bytes:
        """Return a delivery for the test whether the edge is ready."""
        self.sent += 1
        return requests_of(self.settings, 1)[0]

    def capacity(self, deliveries: int) -> tuple[float, Mapping[str, float]]:
        """Return deliveries a second from the first one sent to the last row.

        Also returns the CPU of each process in microseconds per delivery.
        """
        path, first = self._requests(deliveries)
        before = {name: clock() for name, clock in self.clocks.items()}
        load = send(once(self.port, path))
        rows = self._rows(first, deliveries)
        cpu = {
            name: (clock() - before[name]) / deliveries * 1e6 for name, clock in self.clocks.items()
        }
        cpu["load generator"] = load.cpu_microseconds
        return len(rows) / (max(rows.values()) - load.began), cpu

    def level(self, name: str, rate: float, seconds: float) -> Level:
        """Send at a rate, wait for all rows, and return the latencies."""
        count = max(1, round(rate * seconds))
        path, first = self._requests(count)
        load = send(Order(self.port, str(path), CONNECTIONS, 0.0, rate))
        rows = self._rows(first, count)
        taken = sorted(at - load.began - number / rate for number, at in rows.items())
        answer_p50, answer_p99 = load.p50 / 1000, load.p99 / 1000
        row_p50, row_p99 = (percentile(taken, share) * 1000 for share in (0.5, 0.99))
        return Level(name, rate, count, answer_p50, answer_p99, row_p50, row_p99)

    def _requests(self, count: int) -> tuple[Path, int]:
        """Return a file of new deliveries, and the number of the first."""
        first, self.sent = self.sent, self.sent + count
        path = self.folder / "requests.json"
        return store(path, requests_of(self.settings, count, first)), first

    def _rows(self, first: int, count: int) -> Mapping[int, float]:
        """Wait until all rows are there, and return the time of each commit by number."""

        def complete() -> Mapping[int, float] | None:
            rows = asyncio.run(_committed(self.database_url, first, count))
            return rows if len(rows) == count else None

        return until(complete, f"{count} rows in the ledger", seconds=_PATIENCE_SECONDS)


async def _committed(url: str, first: int, count: int) -> Mapping[int, float]:
    query = """
        SELECT substr(reference, 3)::int AS number,
               extract(epoch FROM pg_xact_commit_timestamp(xmin)) AS at
        FROM ledger.event WHERE substr(reference, 3)::int BETWEEN $1 AND $2
    """
    async with connected(url) as connection:
        rows = await connection.fetch(query, first, first + count - 1)
    return {row["number"] - first: float(row["at"]) for row in rows}


@contextlib.contextmanager
def _system(bootstrap: str, database: Database, folder: Path) -> Iterator[_Site]:
    place = Place(free_port(), bootstrap, f"e{uuid.uuid4().hex[:6]}.", folder)
    path = folder / "payrouter.toml"
    path.write_text(_configuration(place, database), encoding="utf-8")
    _payrouter("topics", "apply", path=path)
    _payrouter("db", "upgrade", path=path)
    settings = settings_from(configuration(bootstrap, place.topics))
    with (folder / "log").open("wb") as log, contextlib.ExitStack() as stack:
        clocks = {"PostgreSQL": database.cpu_seconds, **kafka_clocks()}
        for words in (("edge",), ("consume", "ledger")):
            command = [sys.executable, "-m", "consumers", *words, "--config", str(path)]
            process = stack.enter_context(running(command, log.fileno()))
            clocks[f"payrouter {' '.join(words)}"] = partial(cpu_seconds, process.pid)
        site = _Site(place.port, folder, settings, database.url, clocks)
        until_answered(place.port, site.first_request(), seconds=_PATIENCE_SECONDS)
        yield site


def _configuration(place: Place, database: Database) -> str:
    tables = [
        *("[consumers.ledger]", "management_port = 0"),
        *("[database]", f'url = "{database.url}"'),
    ]
    edge = edge_configuration(place, provider="blockatm", partitions=PARTITIONS)
    return "\n".join([edge, *tables, ""])


def _payrouter(*words: str, path: Path) -> None:
    command = [sys.executable, "-m", "consumers", *words, "--config", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
