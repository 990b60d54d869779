"""The results as charts of Mermaid, which code hosts draw: text, made from the same figures."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Parts = Mapping[str, Mapping[str, Any]]

_CONNECTIONS: Final = 32
_CPU: Final = "CPU of a delivery, µs"


def charts(parts: Parts) -> dict[str, str]:
    """Return all charts of the parts that were measured, by the names of their marks."""
    return {
        f"chart.{name}": make(parts[part])
        for name, (part, make) in _CHARTS.items()
        if part in parts
    }


def chart(
    title: str, across: str, names: Sequence[str], unit: str, kind: str, values: Sequence[float]
) -> str:
    """Return a chart with one value for each name; `kind` is bar or line."""
    quoted = ", ".join(f'"{name}"' for name in names)
    numbers = ", ".join(f"{value:.1f}" for value in values)
    lines = [
        "```mermaid",
        "xychart-beta",
        f'  title "{title}"',
        f'  x-axis "{across}" [{quoted}]',
        f'  y-axis "{unit}" 0 --> {max(values) * 1.1:.0f}',
        f"  {kind} [{numbers}]",
        "```",
    ]
    return "\n".join(lines)


def _of_servers(part: Mapping[str, Any]) -> str:
    found = [each for each in part["results"] if each["connections"] == _CONNECTIONS]
    return _of_cpu(f"Servers at {_CONNECTIONS} connections", "server", found, "bar")


def _of_growth(what: str, key: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda part: _of_cpu(f"CPU by {what}", what, part[key], "line")


def _of_cpu(title: str, across: str, points: Sequence[Mapping[str, Any]], kind: str) -> str:
    values = [each["cpu_microseconds"]["median"] for each in points]
    return chart(title, across, [each["name"] for each in points], _CPU, kind, values)


def _of_remembered(part: Mapping[str, Any]) -> str:
    points = part["points"]
    names = [f"{each['remembered']:,}" for each in points]
    values = [each["microseconds"]["median"] for each in points]
    unit = "PostgreSQL's CPU of a claim, µs"
    return chart("A claim by remembered ids", "ids", names, unit, "line", values)


def _of_memory(part: Mapping[str, Any]) -> str:
    points = part["points"]
    names = [f"{each['deliveries']:,}" for each in points]
    values = [each["mib"] for each in points]
    return chart("Memory of an edge", "deliveries", names, "MiB", "line", values)


def _of_latency(part: Mapping[str, Any]) -> str:
    levels = part["levels"]
    names = [each["name"] for each in levels]
    values = [each["row_p50"] for each in levels]
    return chart("From a webhook to its row", "load", names, "p50, ms", "line", values)


_CHARTS: Final[Mapping[str, tuple[str, Callable[[Mapping[str, Any]], str]]]] = {
    "edge": ("edge", _of_servers),
    "growth.endpoints": ("growth", _of_growth("endpoints", "endpoints")),
    "growth.sizes": ("growth", _of_growth("bytes of the body", "sizes")),
    "growth.partitions": ("growth", _of_growth("partitions", "partitions")),
    "remembered": ("remembered", _of_remembered),
    "latency": ("latency", _of_latency),
    "memory": ("memory", _of_memory),
}
