"""What the edge answers when more genuine deliveries come than it can take."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from tests.parts.attacks.child import started
from tests.parts.attacks.edge_process import EdgeProcess, Layout, edge_process
from tests.parts.attacks.measure import Plan
from tests.parts.brokers import Broker

OVERLOAD_FACTOR = 3
GOODPUT = 0.8
STARVED_DELIVERIES = 600
CONNECTIONS = (256, 1000, 2048)

_CAPACITY_CONNECTIONS = 32
_MOST_PAYMENTS = 60_000
_UNBOUNDED = 10_000_000
_STARVED_SECONDS = 60.0
_PERIOD_SECONDS = 0.1
_MARGIN_SECONDS = 60.0


@dataclass(frozen=True)
class Load:
    """One load and its answers."""

    name: str
    """What it does, and on how many connections."""
    capacity: float | None
    """Deliveries per second that are answered 200 in a closed loop, measured next to this run."""
    counts: Mapping[str, float]

    @property
    def goodput(self) -> float:
        """Deliveries answered 200 in time and while the load lasted, a second."""
        return self.counts.get("good", 0) / self.counts["seconds"]

    @property
    def goodput_share(self) -> float | None:
        """The goodput as a share of the capacity."""
        return self.goodput / self.capacity if self.capacity else None


async def measure(name: str, broker: Broker, prefix: str, plan: Plan) -> list[Load]:
    """Measure `overload` or `starved` on a new edge."""
    layout = Layout(
        broker.bootstrap, prefix, deadline_seconds=plan.deadline_seconds, core=plan.cores[0]
    )
    with tempfile.TemporaryDirectory() as directory:
        async with edge_process(Path(directory), layout) as edge:
            return await (_overload(edge, plan) if name == "overload" else _starved(edge, plan))


async def _overload(edge: EdgeProcess, plan: Plan) -> list[Load]:
    await _capacity(edge, plan, 2)
    loads = []
    for connections in CONNECTIONS:
        capacity = await _capacity(edge, plan, plan.seconds / 2)
        rate = OVERLOAD_FACTOR * capacity
        counts = await _load(edge, plan, rate=rate, connections=connections, seconds=plan.seconds)
        capacity_after = await _capacity(edge, plan, plan.seconds / 2)
        beside = (capacity + capacity_after) / 2
        loads.append(Load(f"3x capacity on {connections}", beside, counts))
    return loads


async def _starved(edge: EdgeProcess, plan: Plan) -> list[Load]:
    await _capacity(edge, plan, 2)
    loads = []
    for stopped in (0.9, 0.97):
        async with _starving(edge, stopped):
            counts = await _load(
                edge, plan, connections=256, most=STARVED_DELIVERIES, seconds=_STARVED_SECONDS
            )
        loads.append(Load(f"stopped {stopped:.0%} on 256", None, counts))
    return loads


async def _capacity(edge: EdgeProcess, plan: Plan, seconds: float) -> float:
    counts = await _load(edge, plan, connections=_CAPACITY_CONNECTIONS, seconds=seconds)
    return float(counts.get("200", 0) / counts["seconds"])


async def _load(
    edge: EdgeProcess, plan: Plan, *, rate: float = 0, most: int = _UNBOUNDED, **order: float
) -> Any:  # noqa: ANN401 - JSON
    payments = min(_MOST_PAYMENTS, most, int((rate or 5000) * order["seconds"]))
    whole = {
        **order,
        "port": edge.port,
        "rate": rate,
        "most": most,
        "payments": payments,
        "first": 1_000_000,
        "patience_seconds": plan.deadline_seconds,
    }
    async with started("load", whole, plan.cores[1]) as child:
        await child.ready()
        return await child.run(order["seconds"] + _MARGIN_SECONDS)


@contextlib.asynccontextmanager
async def _starving(edge: EdgeProcess, share: float) -> AsyncIterator[None]:
    """Stop the edge for this share of every 100 ms."""

    async def starve() -> None:
        while True:
            os.kill(edge.pid, signal.SIGSTOP)
            await asyncio.sleep(_PERIOD_SECONDS * share)
            os.kill(edge.pid, signal.SIGCONT)
            await asyncio.sleep(_PERIOD_SECONDS * (1 - share))

    starving = asyncio.create_task(starve())
    try:
        yield
    finally:
        starving.cancel()
        os.kill(edge.pid, signal.SIGCONT)


def missed(load: Load) -> list[str]:
    """Return which bars a load misses."""
    found = []
    if load.goodput_share is not None and load.goodput_share < GOODPUT:
        found.append("goodput")
    late = load.counts.get("late_200", 0) + load.counts.get("late_other", 0)
    if late > load.counts["sent"] / 100:
        found.append("late")
    return found


def as_json(load: Load) -> dict[str, object]:
    """Return every figure of a load."""
    return {
        "load": load.name,
        "missed": missed(load),
        "capacity": load.capacity,
        "goodput": load.goodput,
        "goodput_share": load.goodput_share,
        **load.counts,
    }


def table(loads: Sequence[Load]) -> Table:
    """Return the loads as a table; capacity and goodput are 200 a second."""
    made = Table("load", box=None, padding=(0, 1, 0, 0))
    for column in ("cap.", "good", "%", "200", "503", "late", "err", "max ms"):
        made.add_column(column, justify="right")
    made.add_column("missed")
    for load in loads:
        count = load.counts
        late = count.get("late_200", 0) + count.get("late_other", 0)
        figures = (count.get("200", 0), count.get("503", 0), late, count.get("error", 0))
        made.add_row(
            load.name,
            f"{load.capacity:.0f}" if load.capacity else "-",
            f"{load.goodput:.0f}",
            f"{load.goodput_share * 100:.0f}" if load.goodput_share else "-",
            *(f"{figure:.0f}" for figure in figures),
            f"{count['max_ms']:.0f}",
            " ".join(missed(load)) or "-",
        )
    return made
