"""Compares what a delivery costs the edge in several versions of the project, by turns.

`python -m tests.benchmarks.edges FOLDER…` runs the edge of each folder, such as two worktrees, with
one Apache Kafka, and other servers if asked for. All run with this interpreter and its packages.
"""

import argparse
import contextlib
import logging
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.comparison import PARTITIONS, REQUESTS, make_topics
from tests.benchmarks.running.clocks import beside_server_core, require_linux
from tests.benchmarks.running.deliveries import plain_requests, store
from tests.benchmarks.running.rounds import Lane, Result, measure
from tests.benchmarks.running.servers import (
    Contender,
    Place,
    contenders,
    free_port,
    payrouter,
    started,
)
from tests.parts import brokers
from tests.parts.environment import Wishes


def main() -> None:
    """Measure and print the medians."""
    require_linux()
    asked = _arguments()
    # A topic that has just been made is not known to every client at once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    others = [each for each in contenders() if not each.missing()] if asked.others else []
    chosen = [*map(_version, asked.folders), *others]
    choice = brokers.choose(Wishes.take())
    say = partial(print, file=sys.stderr)
    with (
        beside_server_core(),
        brokers.started(choice) as broker,
        _running(chosen, broker.bootstrap) as lanes,
    ):
        for connections in asked.connections:
            results = measure(lanes, connections, asked.rounds, asked.seconds, say)
            Console().print(_table(connections, results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.edges")
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--others", action="store_true", help="measure the other servers too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, nargs="+", default=[32, 128])
    return parser.parse_args()


def _version(folder: Path) -> Contender:
    """Return the edge of a folder."""
    root, edge = folder.resolve(), payrouter(str(folder))

    def command(place: Place) -> Sequence[str]:
        python, *arguments = edge.command(place)
        # -P: otherwise the folder of this process would come before the measured one.
        return ["env", f"--chdir={root}", f"PYTHONPATH={root}", python, "-P", *arguments]

    return replace(edge, command=command)


@contextlib.contextmanager
def _running(chosen: Sequence[Contender], bootstrap: str) -> Iterator[list[Lane]]:
    made, prefix = plain_requests(REQUESTS), make_topics(bootstrap, PARTITIONS)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        requests = store(Path(folder) / "requests.json", made)
        lanes = []
        for contender in chosen:
            place = Place(free_port(), bootstrap, prefix, Path(folder))
            server = stack.enter_context(started(contender, place, made[0]))
            lanes.append(Lane(server.name, server, requests))
        yield lanes


def _table(connections: int, results: Sequence[Result]) -> Table:
    columns = ("CPU µs", "first = 1", "a second", "p50 ms", "p99 ms")
    table = Table(f"{connections} connections", *columns)
    first = results[0].cpu_microseconds.median
    for each in results:
        table.add_row(
            each.name,
            each.cpu_microseconds.text(),
            f"{each.cpu_microseconds.median / first:.2f}",
            each.per_second.text(),
            each.p50_microseconds.text(1000),
            each.p99_microseconds.text(1000),
        )
    return table


if __name__ == "__main__":
    main()
