"""The parts of the benchmark: what each measures, and how much of it in the short form."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, TypeVar

from router.terminal.processes import loop_factory
from tests.benchmarks import latency, ledger, remembered, scraped, watched
from tests.benchmarks.comparison import Plan as EdgePlan
from tests.benchmarks.comparison import compare
from tests.benchmarks.gateways import Plan as GatewaysPlan
from tests.benchmarks.gateways import measure_gateways
from tests.benchmarks.growth import Plan as GrowthPlan
from tests.benchmarks.growth import grow
from tests.benchmarks.latency import Plan as LatencyPlan
from tests.benchmarks.ledger import Plan as LedgerPlan
from tests.benchmarks.memory import Plan as MemoryPlan
from tests.benchmarks.memory import measure_memory
from tests.benchmarks.remembered import Plan as RememberedPlan
from tests.benchmarks.running.clocks import beside_server_core
from tests.benchmarks.running.database import started_database
from tests.parts import brokers
from tests.parts.brokers import Choice

Measured = TypeVar("Measured")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plans:
    """How much each part measures."""

    edge: EdgePlan = field(default_factory=EdgePlan)
    gateways: GatewaysPlan = field(default_factory=GatewaysPlan)
    growth: GrowthPlan = field(default_factory=GrowthPlan)
    ledger: LedgerPlan = field(default_factory=LedgerPlan)
    latency: LatencyPlan = field(default_factory=LatencyPlan)
    remembered: RememberedPlan = field(default_factory=RememberedPlan)
    memory: MemoryPlan = field(default_factory=MemoryPlan)
    observed_rounds: int = watched.ROUNDS
    scraped_rounds: int = scraped.ROUNDS


SHORT: Final = Plans(
    EdgePlan((32,), rounds=2, seconds=1.0),
    GatewaysPlan(rounds=1, seconds=0.5),
    GrowthPlan((1, 100), (0, 16384), (1, 16), rounds=1, seconds=1.0),
    LedgerPlan(rounds=2, batches=2, alone=50),
    LatencyPlan(seconds=3.0, capacity_deliveries=1000, shares=(0.5,)),
    RememberedPlan((0, 50_000), rounds=1),
    MemoryPlan(4_000, step=2_000, at_once=1_000),
    observed_rounds=1,
    scraped_rounds=1,
)
"""All parts in about two minutes, with figures that tell little."""

Part = Callable[[Choice, Plans, Say], dict[str, object]]


def _edge(choice: Choice, plans: Plans, say: Say) -> dict[str, object]:
    with beside_server_core(), brokers.started(choice) as broker:
        return compare(broker.bootstrap, plans.edge, say).json()


def _gateways(choice: Choice, plans: Plans, say: Say) -> dict[str, object]:
    with beside_server_core(), brokers.started(choice) as broker:
        return {"results": measure_gateways(broker.bootstrap, plans.gateways, say)}


def _growth(choice: Choice, plans: Plans, say: Say) -> dict[str, object]:
    with beside_server_core(), brokers.started(choice) as broker:
        return grow(broker.bootstrap, plans.growth, say)


def _observed(choice: Choice, plans: Plans, say: Say) -> dict[str, object]:
    with brokers.started(choice) as broker:
        say("metrics and log")
        return asdict(_run(watched.measure(broker, _prefix(), plans.observed_rounds)))


def _scraped(choice: Choice, plans: Plans, say: Say) -> dict[str, object]:
    with brokers.started(choice) as broker:
        say("scrapes")
        p99 = _run(scraped.measure(broker, _prefix(), plans.scraped_rounds))
        return {"p99": {name: asdict(each) for name, each in p99.items()}}


def _ledger(_choice: Choice, plans: Plans, say: Say) -> dict[str, object]:
    with started_database() as database:
        return {"ways": _run(ledger.measure(database, plans.ledger, say))}


def _remembered(_choice: Choice, plans: Plans, say: Say) -> dict[str, object]:
    with started_database() as database:
        return {"points": _run(remembered.measure(database, plans.remembered, say))}


def _memory(choice: Choice, plans: Plans, say: Say) -> dict[str, object]:
    with beside_server_core(), brokers.started(choice) as broker:
        return {"points": measure_memory(broker.bootstrap, plans.memory, say)}


def _latency(choice: Choice, plans: Plans, say: Say) -> dict[str, object]:
    with brokers.started(choice) as broker, started_database() as database:
        return latency.measure(broker.bootstrap, database, plans.latency, say)


PARTS: Final[Mapping[str, Part]] = {
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


def _prefix() -> str:
    return f"b{uuid.uuid4().hex[:6]}."


def _run(measuring: Coroutine[Any, Any, Measured]) -> Measured:
    # On the loop that `payrouter edge` and `payrouter consume` run on.
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(measuring)
