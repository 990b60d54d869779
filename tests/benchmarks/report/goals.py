"""The goals of the project's performance, and what was measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.benchmarks.running.servers import EDGE, FASTAPI, GO, NO_OP

Parts = Mapping[str, Mapping[str, Any]]

NEEDED: Final = frozenset({"edge", "gateways", "observed", "latency", "ledger"})
"""Parts that the goals are about."""


@dataclass(frozen=True)
class Goal:
    """A figure that must be at most the bound, or at least."""

    name: str
    bound: float
    measured: Callable[[Parts], float | None]
    """Returns None if a server was left out."""
    least: bool = False
    digits: int = 2

    def row(self, parts: Parts) -> list[str]:
        """Return name, bound, figure, and whether the goal is met."""
        sign, value = ("≥" if self.least else "≤"), self.measured(parts)
        row = [self.name, f"{sign} {self.bound:.{self.digits}f}"]
        if value is None:
            return [*row, "-", "-"]
        met = value >= self.bound if self.least else value <= self.bound
        return [*row, f"{value:.{self.digits}f}", "yes" if met else "no"]


def _of_edge(key: str, other: str, connections: int) -> Callable[[Parts], float | None]:
    def ratio(parts: Parts) -> float | None:
        found = {
            each["name"]: each[key]["median"]
            for each in parts["edge"]["results"]
            if each["connections"] == connections
        }
        return float(found[EDGE] / found[other]) if other in found else None

    return ratio


def _of_gateways(parts: Parts) -> float:
    cpu = [each["cpu_microseconds"]["median"] for each in parts["gateways"]["results"]]
    return float(max(cpu) / min(cpu))


def _of_observed(parts: Parts) -> float:
    cpu = parts["observed"]["cpu_microseconds"]
    return float(cpu["with metrics and log"]["median"] / cpu["without"]["median"] - 1) * 100


def _of_latency(key: str) -> Callable[[Parts], float]:
    def milliseconds(parts: Parts) -> float:
        return float(parts["latency"]["levels"][0][key])

    return milliseconds


def _of_ledger(parts: Parts) -> float | None:
    found = {each["name"]: each["per_second"]["median"] for each in parts["ledger"]["ways"]}
    limit = found.get("the same statements")
    return found["batches of 500"] / limit if limit else None


_CPU, _RATE = "cpu_microseconds", "per_second"

GOALS: Final[Sequence[Goal]] = (
    Goal("CPU: edge ÷ Go, 32 connections", 2.0, _of_edge(_CPU, GO, 32)),
    Goal("CPU: edge ÷ Go, 128 connections", 1.8, _of_edge(_CPU, GO, 128)),
    Goal("CPU: edge ÷ FastAPI, 32 connections", 0.45, _of_edge(_CPU, FASTAPI, 32)),
    Goal("requests a second: edge ÷ no-op, 32", 0.6, _of_edge(_RATE, NO_OP, 32), least=True),
    Goal("CPU: dearest ÷ cheapest gateway", 1.5, _of_gateways),
    Goal("CPU of metrics and log, %", 5, _of_observed, digits=1),
    Goal("webhook to row at 20/s, p50, ms", 12, _of_latency("row_p50"), digits=1),
    Goal("webhook to row at 20/s, p99, ms", 50, _of_latency("row_p99"), digits=1),
    Goal("events a second: ledger ÷ its statements", 0.45, _of_ledger, least=True),
)
