"""`make bench`: run the benchmarks; a table for people, bench.json for programs."""

import asyncio
import json
import uuid
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from router.terminal.processes import loop_factory
from tests.benchmarks import edge, ledger, scraped, telemetry, watched
from tests.parts import brokers, databases
from tests.parts.environment import Wishes

Measured = TypeVar("Measured")


def main() -> None:
    """Measure, print and store."""
    wishes = Wishes.take()
    choice = brokers.choose(wishes)
    with brokers.started(choice) as broker:
        at_edge = _run(edge.measure(broker, f"b{uuid.uuid4().hex[:6]}."))
        seen = _run(watched.measure(broker, f"w{uuid.uuid4().hex[:6]}."))
        p99 = _run(scraped.measure(broker, f"s{uuid.uuid4().hex[:6]}."))
    with (
        databases.server_of(wishes.database_url) as server,
        databases.fresh_database(server) as url,
    ):
        at_ledger = _run(ledger.measure(url))
    table = Table("what", "measured", "a second", "ratio")
    results = [
        _row(table, "edge, deliveries", at_edge, "edge", "bare"),
        _row(table, "edge, deliveries", seen.per_second, watched.SEEN, watched.UNSEEN),
        _row(table, "edge, µs of CPU", seen.cpu_microseconds, watched.SEEN, watched.UNSEEN),
        *(
            _row(table, f"telemetry, µs of CPU, {turn}", ways, telemetry.OURS, telemetry.LIBRARIES)
            for turn, ways in telemetry.measure().items()
        ),
        _row(table, "edge, µs at p99", p99, scraped.SCRAPED, scraped.UNSCRAPED),
        _row(table, "ledger, events", at_ledger, "batches", "one by one"),
    ]
    Console().print(table)
    Console().print(f"broker: {choice.description}")
    Path("bench.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _run(measuring: Coroutine[Any, Any, Measured]) -> Measured:
    # On the loop that `payrouter edge` and `payrouter consume` run on.
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(measuring)


def _row(
    table: Table, what: str, measured: dict[str, float], ours: str, other: str
) -> dict[str, object]:
    ratio = measured[ours] / measured[other]
    for name, value in measured.items():
        table.add_row(what, name, f"{value:,.0f}", f"{ratio:.2f}" if name == ours else "1.00")
    return {"what": what, **measured, f"{ours} / {other}": ratio}


main()
