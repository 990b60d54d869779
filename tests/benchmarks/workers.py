"""What several workers give: `python -m tests.benchmarks.workers [WORKERS]`, by default 2.

An edge of one process and one with workers get the same load by turns, on all cores of the
machine, which Kafka and the load use too. Prints the CPU per delivery of all processes of each
edge, of Kafka and of the load, deliveries a second, and how many there could be at most if nothing
else used the cores: a worker uses one core, and everything together all of them.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.benchmarks.comparison import PARTITIONS, REQUESTS, make_topics
from tests.benchmarks.report.figures import Figure, rounded
from tests.benchmarks.running.clocks import (
    family_seconds,
    kafka_clocks,
    machine,
    memory_mib,
    require_linux,
)
from tests.benchmarks.running.deliveries import plain_requests, store
from tests.benchmarks.running.generator import Load, Order
from tests.benchmarks.running.rounds import send_beside
from tests.benchmarks.running.servers import (
    Place,
    edge_configuration,
    free_port,
    running,
    until_answered,
)
from tests.parts import brokers
from tests.parts.edge.workers import worker_pids
from tests.parts.environment import Wishes

ROUNDS: Final = 7
SECONDS: Final = 3.0
CONNECTIONS: Final = (64, 128)
GENERATORS: Final = 2
"""Programs that send at the same time: one alone would be as busy as an edge."""


Round = tuple[float, float, float, float, float]
"""CPU per delivery of edge, Kafka and load; deliveries a second; the slower generator's p99."""

_COLUMNS: Final = ("edge µs", "Kafka µs", "load µs", "a second", "p99 ms")


class _Edge:
    """A running edge."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.pid, self.port = process.pid, port

    def memory_mib(self) -> float:
        """Return the resident memory of all its processes; shared memory counts for each."""
        return sum(map(memory_mib, [self.pid, *worker_pids(self.pid).values()]))


def main() -> None:
    """Measure and print."""
    require_linux()
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    with (
        brokers.started(brokers.choose(Wishes.take())) as broker,
        tempfile.TemporaryDirectory() as name,
        contextlib.ExitStack() as stack,
    ):
        folder, prefix = Path(name), make_topics(broker.bootstrap, PARTITIONS)
        made = plain_requests(REQUESTS)
        requests = store(folder / "requests.json", made)
        edges = {
            count: stack.enter_context(
                _edge(Place(free_port(), broker.bootstrap, prefix, folder), count, made[0])
            )
            for count in (1, workers)
        }
        table = Table("connections", "workers", *_COLUMNS, "at most a second", "MiB")
        for connections in CONNECTIONS:
            _measure(edges, connections, requests, table)
    Console().print(machine(), table)


@contextlib.contextmanager
def _edge(place: Place, workers: int, request: bytes) -> Iterator[_Edge]:
    path = place.folder / f"edge-{workers}.toml"
    path.write_text(edge_configuration(place), encoding="utf-8")
    command = [sys.executable, "-m", "consumers", "edge", "--config", str(path)]
    log = place.folder / f"edge-{workers}.log"
    with (
        log.open("wb") as out,
        running([*command, f"--workers={workers}"], out.fileno()) as process,
    ):
        until_answered(place.port, request)
        # Also the workers that did not get that request.
        time.sleep(SECONDS)
        yield _Edge(process, place.port)


def _measure(edges: dict[int, _Edge], connections: int, requests: Path, table: Table) -> None:
    found: dict[int, list[Round]] = {count: [] for count in edges}
    for number in range(ROUNDS + 1):
        # The first round warms up; the order turns.
        for count in sorted(edges, reverse=bool(number % 2)):
            measured = _round(edges[count], connections, requests)
            if number:
                found[count].append(measured)
    for count, rounds in found.items():
        figures = [Figure.of(values) for values in zip(*rounds, strict=True)]
        at_most = _at_most(count, *(figure.median for figure in figures[:3]))
        memory = f"{edges[count].memory_mib():.0f}"
        texts = [figure.text() for figure in figures]
        table.add_row(str(connections), str(count), *texts, rounded(at_most), memory)


def _at_most(workers: int, edge: float, kafka: float, load: float) -> float:
    """Return how many deliveries a second fit into the cores, from the CPU of each."""
    cores = len(os.sched_getaffinity(0))
    return min(workers / edge, cores / (edge + kafka + load)) * 1e6


def _round(edge: _Edge, connections: int, requests: Path) -> Round:
    kafka = list(kafka_clocks().values())
    before, kafka_before = family_seconds(edge.pid), sum(clock() for clock in kafka)
    order = Order(edge.port, str(requests), connections // GENERATORS, SECONDS)
    loads = asyncio.run(_send(order))
    answered = sum(load.answered for load in loads)
    spent = family_seconds(edge.pid) - before
    return (
        spent / answered * 1e6,
        (sum(clock() for clock in kafka) - kafka_before) / answered * 1e6,
        sum(load.cpu_microseconds * load.answered for load in loads) / answered,
        answered / max(load.seconds for load in loads),
        max(load.p99 for load in loads) / 1000,
    )


async def _send(order: Order) -> list[Load]:
    return await asyncio.gather(*(send_beside(order) for _ in range(GENERATORS)))


if __name__ == "__main__":
    main()
