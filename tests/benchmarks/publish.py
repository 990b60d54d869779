"""CPU time of the edge for each published record: this checkout and another one by turns.

`python -m tests.benchmarks.publish --other PATH` compares with the checkout at PATH, on the same
Kafka. Each measurement is a separate process, which imports `router` from its checkout.
"""

import argparse
import json
import os
import subprocess
import sys
import uuid
from asyncio import run
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.benchmarks import publishing
from tests.parts import brokers
from tests.parts.environment import Wishes
from tests.parts.source import ROOT

Found = dict[tuple[str, int], list[tuple[float, float]]]
"""Microseconds of CPU and records a second of every round, by name and number of submitters."""


def main() -> None:
    """Measure and print medians."""
    options = _options()
    runs = [("this, async", ROOT, "async"), ("this, submit", ROOT, "submit")]
    if options.other is not None:
        runs.insert(0, ("other, async", options.other, "async"))
    choice = brokers.choose(Wishes.take())
    found: Found = {}
    with brokers.started(choice) as broker:
        topic = f"p{uuid.uuid4().hex[:6]}.payment"
        run(brokers.create_topics(broker.bootstrap, [topic], partitions=options.partitions))
        for turn in range(options.rounds):
            # The order turns, so that none is always the first.
            for name, checkout, interface in runs[:: -1 if turn % 2 else 1]:
                measured = _measure(checkout, [broker.bootstrap, topic, interface])
                for submitters, *result in measured:
                    found.setdefault((name, int(submitters)), []).append((result[0], result[1]))
    Console().print(_table(found))
    Console().print(f"broker: {choice.description}, {options.partitions} partitions")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--other", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--partitions", type=int, default=12)
    return parser.parse_args()


def _measure(checkout: Path, arguments: Sequence[str]) -> Iterator[Sequence[float]]:
    """Run `tests.benchmarks.publishing` with a checkout's `router`; return what it printed."""
    own = checkout / ".venv" / "bin" / "python"
    # Another checkout may need other packages.
    python = str(own) if own.exists() else sys.executable
    command = [python, "-P", str(publishing.__file__), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    printed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
    return iter(json.loads(printed))


def _table(found: Found) -> Table:
    table = Table("publisher", "submitters", "µs of CPU for a record", "records a second")
    for (name, submitters), results in sorted(found.items(), key=lambda each: each[0][::-1]):
        cost, rate = (median(each) for each in zip(*results, strict=True))
        table.add_row(name, f"{submitters}", f"{cost:.0f}", f"{rate:,.0f}")
    return table


if __name__ == "__main__":
    main()
