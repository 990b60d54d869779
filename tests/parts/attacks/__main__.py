"""`make attacks`: attack a real edge in turn; a table for people, attacks.json for programs."""

import argparse
import asyncio
import json
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.parts import brokers
from tests.parts.attacks import overload, report
from tests.parts.attacks.catalogue import catalogue
from tests.parts.attacks.measure import Plan, Result, measure
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import make_topics
from tests.parts.environment import Wishes

OVERLOAD = ("overload", "starved")


def main() -> None:
    """Measure, print and store."""
    names = [*catalogue(), *OVERLOAD]
    wanted = _arguments(names)
    choice = brokers.choose(Wishes.take())
    plan = Plan(wanted.seconds, wanted.seconds)
    chosen = wanted.only or names
    console = Console(stderr=wanted.json)
    with brokers.started(choice) as broker:
        measured = asyncio.run(_all(chosen, broker, plan, console))
        console.print(f"broker: {choice.description}")
    text = json.dumps(measured, indent=2)
    if wanted.json:
        sys.stdout.write(text + "\n")
    else:
        Path("attacks.json").write_text(text + "\n", encoding="utf-8")


def _arguments(names: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.parts.attacks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="length of each run (20)")
    parser.add_argument(
        "--only", action="append", choices=names, metavar="NAME", help="can be given several times"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of storing it")
    return parser.parse_args()


async def _all(
    names: Sequence[str], broker: Broker, plan: Plan, console: Console
) -> list[dict[str, object]]:
    prefix = f"a{uuid.uuid4().hex[:6]}."
    await make_topics(broker.bootstrap, prefix)
    results: list[Result] = []
    loads: list[overload.Load] = []
    for name in names:
        console.print(f"[dim]{name} …[/dim]")
        if name in OVERLOAD:
            loads += await overload.measure(name, broker, prefix, plan)
        else:
            results.append(await measure(name, broker, prefix, plan))
    _print(console, results, loads)
    return [*map(report.as_json, results), *map(overload.as_json, loads)]


def _print(console: Console, results: Sequence[Result], loads: Sequence[overload.Load]) -> None:
    if results:
        table = report.empty_table()
        for result in results:
            report.add(table, result)
        console.print(table)
    if loads:
        console.print(overload.table(loads))


if __name__ == "__main__":
    main()
