"""What a spool costs and gives: `python -m tests.benchmarks.spooled`.

Three edges get the same load by turns, on the same core: without a spool, with one, and with one
whose broker is away. Prints deliveries a second, and their ratio to those without a spool. The
spools are below the folder in TMPDIR: choose a real disk, since `fsync` costs nothing in memory.
"""

import logging
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.benchmarks.comparison import PARTITIONS, REQUESTS, make_topics
from tests.benchmarks.running.clocks import beside_server_core, require_linux
from tests.benchmarks.running.deliveries import plain_requests, store
from tests.benchmarks.running.rounds import Lane, Result, measure
from tests.benchmarks.running.servers import Place, free_port, payrouter, started
from tests.parts import brokers
from tests.parts.environment import Wishes

ROUNDS: Final = 5
SECONDS: Final = 2.0
CONNECTIONS: Final = (32, 128)

NOBODY: Final = "127.0.0.1:9"
"""Nothing listens there."""


def main() -> None:
    """Measure and print the medians."""
    require_linux()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    say = partial(print, file=sys.stderr)
    with (
        beside_server_core(),
        brokers.started(brokers.choose(Wishes.take())) as broker,
        tempfile.TemporaryDirectory() as folder,
        ExitStack() as stack,
    ):
        lanes = _lanes(broker.bootstrap, Path(folder), stack)
        for connections in CONNECTIONS:
            Console().print(_table(connections, measure(lanes, connections, ROUNDS, SECONDS, say)))


def _lanes(bootstrap: str, folder: Path, stack: ExitStack) -> list[Lane]:
    made, prefix = plain_requests(REQUESTS), make_topics(bootstrap, PARTITIONS)
    requests = store(folder / "requests.json", made)
    lanes = []
    for name, servers in (("off", bootstrap), ("on", bootstrap), ("on, broker away", NOBODY)):
        edge = payrouter(name)
        place = Place(free_port(), servers, prefix, folder)
        spool = (
            () if name == "off" else (f"PAYROUTER_SPOOL__PATH={folder / name.replace(' ', '')}",)
        )
        command = ["env", *spool, *edge.command(place)]
        contender = replace(edge, command=partial(_given, command))
        server = stack.enter_context(started(contender, place, made[0]))
        lanes.append(Lane(server.name, server, requests))
    return lanes


def _given(command: list[str], _place: Place) -> list[str]:
    return command


def _table(connections: int, results: Iterable[Result]) -> Table:
    first, *_ = found = list(results)
    columns = ("a second", "off = 1", "p50 ms", "p99 ms", "CPU µs")
    table = Table(f"spool, {connections} connections", *columns)
    for each in found:
        ratio = each.per_second.median / first.per_second.median
        table.add_row(
            each.name,
            each.per_second.text(),
            f"{ratio:.2f}",
            each.p50_microseconds.text(1000),
            each.p99_microseconds.text(1000),
            each.cpu_microseconds.text(),
        )
    return table


if __name__ == "__main__":
    main()
