"""The results as tables of text, the same for the terminal and for docs/performance.md."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.benchmarks.report.figures import Figure, rounded
from tests.benchmarks.report.goals import GOALS, NEEDED
from tests.benchmarks.running.servers import EDGE

Part = Mapping[str, Any]

_MILLISECOND: Final = 1000.0


@dataclass(frozen=True)
class Sheet:
    """A table; the first column names the row, the others have numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def sheets(parts: Mapping[str, Part]) -> dict[str, Sheet]:
    """Return all tables of the parts that were measured, by name."""
    found: dict[str, Sheet] = {}
    for name, make in _MAKERS.items():
        if name in parts:
            found |= make(parts[name])
    if parts.keys() >= NEEDED:
        columns = ["figure", "goal", "measured", "met"]
        rows = [goal.row(parts) for goal in GOALS]
        found["goals"] = Sheet("goals, and what was measured", columns, rows)
    return found


def _edge(part: Part) -> dict[str, Sheet]:
    results = part["results"]
    return {
        "edge.cpu": _by_connections("CPU per delivery, µs", results, "cpu_microseconds"),
        "edge.ratios": _ratios(results),
        "edge.per_second": _by_connections("deliveries a second", results, "per_second"),
        "edge.p50": _by_connections("p50, ms", results, "p50_microseconds", _MILLISECOND),
        "edge.p99": _by_connections("p99, ms", results, "p99_microseconds", _MILLISECOND),
        "edge.load": _by_connections(
            "CPU of the load generator per delivery, µs", results, "load_cpu_microseconds"
        ),
        "edge.memory": _footprints(part["footprints"]),
    }


def _by_connections(title: str, results: Sequence[Part], key: str, unit: float = 1.0) -> Sheet:
    counts = list(dict.fromkeys(each["connections"] for each in results))
    cells = {(r["name"], r["connections"]): Figure.read(r[key]).text(unit) for r in results}
    names = list(dict.fromkeys(each["name"] for each in results))
    rows = [[name, *(cells[name, count] for count in counts)] for name in names]
    return Sheet(title, ["connections", *(str(count) for count in counts)], rows)


def _ratios(results: Sequence[Part]) -> Sheet:
    cpu = {(r["name"], r["connections"]): r["cpu_microseconds"]["median"] for r in results}
    counts = list(dict.fromkeys(each["connections"] for each in results))
    names = [n for n in dict.fromkeys(each["name"] for each in results) if n != EDGE]
    rows = [[n, *(f"{cpu[EDGE, c] / cpu[n, c]:.2f}" for c in counts)] for n in names]
    title = f"CPU per delivery of {EDGE}, divided by that of"
    return Sheet(title, ["connections", *(str(count) for count in counts)], rows)


def _footprints(footprints: Sequence[Part]) -> Sheet:
    keys = ("rest_mib", "loaded_mib", "start_cpu_seconds", "idle_milliseconds")
    rows = [
        [
            each["name"],
            *(rounded(each[key]) for key in keys),
        ]
        for each in footprints
    ]
    columns = ["server", "MiB at rest", "MiB after load", "CPU s to start", "idle ms/s"]
    return Sheet("memory, and CPU until the first answer and at rest", columns, rows)


def _gateways(part: Part) -> dict[str, Sheet]:
    results = part["results"]
    blockatm = next(each for each in results if each["name"] == "blockatm")
    rows = [[each["name"], *_cost(each), _ratio(each, blockatm)] for each in results]
    columns = ["gateway", "CPU µs", "a second", "of BlockATM's CPU"]
    return {"gateways": Sheet("edge by gateway, at 32 connections", columns, rows)}


def _ratio(each: Part, other: Part) -> str:
    key = "cpu_microseconds"
    return f"{each[key]['median'] / other[key]['median']:.2f}"


def _growth(part: Part) -> dict[str, Sheet]:
    return {
        "growth.endpoints": _edges("endpoints", part["endpoints"]),
        "growth.partitions": _edges("partitions", part["partitions"]),
        "growth.sizes": Sheet(
            "edge by size of the body: CPU per delivery, deliveries a second",
            ["bytes", "CPU µs", "a second"],
            [[f"{int(each['name']):,}", *_cost(each)] for each in part["sizes"]],
        ),
    }


def _edges(what: str, points: Sequence[Part]) -> Sheet:
    rows = [
        [
            f"{int(each['name']):,}",
            *_cost(each),
            rounded(each["rest_mib"]),
            rounded(each["start_cpu_seconds"]),
        ]
        for each in points
    ]
    columns = [what, "CPU µs", "a second", "MiB at rest", "CPU s to start"]
    return Sheet(f"edge by number of {what}: CPU per delivery, deliveries a second", columns, rows)


def _cost(each: Part) -> list[str]:
    return [Figure.read(each[key]).text() for key in ("cpu_microseconds", "per_second")]


def _observed(part: Part) -> dict[str, Sheet]:
    columns = ["edge", "CPU µs", "a second"]
    rows = [
        [name, *(Figure.read(part[key][name]).text() for key in ("cpu_microseconds", "per_second"))]
        for name in part["per_second"]
    ]
    return {
        "observed": Sheet(
            "cost of metrics and log: CPU per delivery, deliveries a second", columns, rows
        )
    }


def _scraped(part: Part) -> dict[str, Sheet]:
    rows = [[name, Figure.read(each).text(_MILLISECOND)] for name, each in part["p99"].items()]
    title = "answers of an edge of 1,000 endpoints at 20 deliveries a second"
    return {"scraped": Sheet(title, ["scrapes", "p99, ms"], rows)}


def _ledger(part: Part) -> dict[str, Sheet]:
    keys = ("per_second", "python_microseconds", "postgres_microseconds")
    rows = [
        [each["name"], *(Figure.read(each[key]).text() for key in keys)] for each in part["ways"]
    ]
    columns = ["way", "events a second", "Python", "PostgreSQL"]
    return {"ledger": Sheet("ledger: events a second, and CPU per event in µs", columns, rows)}


def _remembered(part: Part) -> dict[str, Sheet]:
    rows = [
        [
            f"{each['remembered']:,}",
            Figure.read(each["microseconds"]).text(),
            *(rounded(each[key]) for key in ("table_mib", "indexes_mib")),
        ]
        for each in part["points"]
    ]
    columns = ["ids", "PostgreSQL µs", "table MiB", "indexes MiB"]
    return {"remembered": Sheet("claim of an event by ids that are remembered", columns, rows)}


def _latency(part: Part) -> dict[str, Sheet]:
    keys = ("rate", "answer_p50", "answer_p99", "row_p50", "row_p99")
    rows = [[each["name"], *(rounded(each[key]) for key in keys)] for each in part["levels"]]
    columns = ["load", "a second", "answer p50", "answer p99", "row p50", "row p99"]
    title = f"from a webhook on, ms; the capacity is {rounded(part['capacity'])} a second"
    costs = part["cpu_microseconds"].items()
    cpu = [[name, rounded(value)] for name, value in sorted(costs, key=lambda each: -each[1])]
    return {
        "latency": Sheet(title, columns, rows),
        "latency.cpu": Sheet("CPU per delivery at capacity, µs", ["process", "CPU µs"], cpu),
    }


def _memory(part: Part) -> dict[str, Sheet]:
    rows = [[f"{each['deliveries']:,}", rounded(each["mib"])] for each in part["points"]]
    title = "memory of one edge after so many deliveries"
    return {"memory": Sheet(title, ["deliveries", "MiB"], rows)}


_MAKERS: Final[Mapping[str, Callable[[Part], dict[str, Sheet]]]] = {
    "edge": _edge,
    "gateways": _gateways,
    "growth": _growth,
    "observed": _observed,
    "scraped": _scraped,
    "ledger": _ledger,
    "remembered": _remembered,
    "latency": _latency,
    "memory": _memory,
}
