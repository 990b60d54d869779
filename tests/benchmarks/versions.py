"""Compares what a consumer costs in several versions of the project, by turns.

`python -m tests.benchmarks.versions FOLDER…` drains a backlog with the code of each folder, such
as two worktrees, on one PostgreSQL and with this interpreter. `--consumer` chooses the consumer,
`--kind` what the backlog has, see `drained.backlog_of`. Compare the CPU: events a second
also depend on what else the machine does.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.parts import databases
from tests.parts.databases import DatabaseServer
from tests.parts.environment import Wishes

_CPU = ("Python µs", "PostgreSQL µs")
_SCRIPT = Path(__file__).with_name("drained.py")


def main() -> None:
    """Measure and print every round, and the medians."""
    asked = _arguments()
    results: dict[Path, list[dict[str, float]]] = {folder: [] for folder in asked.folders}
    with databases.server_of(Wishes.take().database_url) as server:
        for _ in range(asked.rounds):
            for folder in asked.folders:
                found = _drain(server, folder, asked)
                results[folder].append(found)
                Console().print(folder, {name: round(value) for name, value in found.items()})
    Console().print(_table(results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.versions")
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--consumer", default="ledger")
    kinds = ("plain", "duplicates", "updates", "orders")
    parser.add_argument("--kind", choices=kinds, default="plain")
    return parser.parse_args()


def _drain(server: DatabaseServer, folder: Path, asked: argparse.Namespace) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPATH": str(folder.resolve())}
    with databases.fresh_database(server) as url:
        # -P: otherwise the folder of the script would come before the measured one.
        script = [sys.executable, "-P", str(_SCRIPT)]
        command = [*script, url, asked.consumer, asked.kind, str(asked.events)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _table(results: dict[Path, list[dict[str, float]]]) -> Table:
    first = next(iter(results.values()))
    names = list(first[0])
    table = Table("median of", *names, "events per CPU second, first = 1")
    for folder, rounds in results.items():
        values = [f"{_median(rounds, [name]):.0f}" for name in names]
        ratio = _median(first, _CPU) / _median(rounds, _CPU)
        table.add_row(str(folder), *values, f"{ratio:.2f}")
    return table


def _median(rounds: Sequence[dict[str, float]], names: Sequence[str]) -> float:
    return median(sum(each[name] for name in names) for each in rounds)


main()
