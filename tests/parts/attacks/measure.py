"""One attack during genuine deliveries: first without, then with the attack, on the same edge."""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.parts.attacks.catalogue import catalogue
from tests.parts.attacks.child import started
from tests.parts.attacks.edge_process import CERTIFICATE, EdgeProcess, Layout, edge_process
from tests.parts.attacks.traffic import Traffic
from tests.parts.brokers import Broker

_MARGIN_SECONDS = 30.0
_SAMPLE_SECONDS = 0.05


@dataclass(frozen=True)
class Plan:
    """How long and how patiently to measure."""

    seconds: float = 20
    quiet_seconds: float = 20
    lead_seconds: float = 1
    """How long an attack runs before the first genuine delivery is due."""
    after_seconds: float = 2
    """How long after an attack its memory is looked at again."""
    deadline_seconds: float = 2.5
    patience_seconds: float = 10
    """How long a genuine sender waits."""
    rate: float = 20
    pinned: bool = True
    """Whether the edge has one core for itself and the traffic another."""

    @property
    def cores(self) -> tuple[int | None, int | None]:
        """The core of the edge and that of the traffic."""
        return (0, 1) if self.pinned and (os.cpu_count() or 1) > 1 else (None, None)


@dataclass
class Footprint:
    """Resident memory of the edge in MiB, its descriptors and the size of its log."""

    before: float
    peak: float = 0
    after: float = 0
    descriptors: int = 0
    log_bytes: int = 0

    @property
    def growth(self) -> float:
        """How far it grew while it was attacked."""
        return max(0.0, self.peak - self.before)


@dataclass(frozen=True)
class Result:
    """Result of one attack."""

    name: str
    quiet: Traffic
    attacked: Traffic
    footprint: Footprint
    attacker: Mapping[str, int] = field(default_factory=dict)
    alive: bool = True
    """Whether the edge outlived the attack."""

    @property
    def taken_mib(self) -> float:
        """How many MiB the edge took from one connection of an attack that pours, on average."""
        connections = self.attacker.get("opened", 0) or 1
        return self.attacker.get("sent_bytes", 0) / connections / 1024 / 1024


async def measure(name: str, broker: Broker, prefix: str, plan: Plan) -> Result:
    """Measure one attack on a new edge."""
    attack = catalogue()[name]
    layout = Layout(
        broker.bootstrap,
        prefix,
        endpoints=attack.endpoints,
        deadline_seconds=plan.deadline_seconds,
        descriptors=attack.descriptors,
        tls=attack.tls,
        core=plan.cores[0],
    )
    with tempfile.TemporaryDirectory() as directory:
        async with edge_process(Path(directory), layout) as edge:
            return await _measured(name, edge, plan, CERTIFICATE if attack.tls else None)


async def _measured(name: str, edge: EdgeProcess, plan: Plan, tls: Path | None) -> Result:
    order: dict[str, Any] = {
        "port": edge.port,
        "management_port": edge.management_port,
        "tls": None if tls is None else str(tls),
        "rate": plan.rate,
        "patience_seconds": plan.patience_seconds,
    }
    attacked_seconds = plan.lead_seconds + plan.seconds
    core = plan.cores[1]
    attacked = {**order, "seconds": plan.seconds, "first": 100_001}
    attack = {**order, "name": name, "seconds": attacked_seconds}
    calm = await _quiet(order, plan)
    async with (
        started("genuine", attacked, core) as genuine,
        started("attacker", attack, core) as attacker,
    ):
        await genuine.ready()
        await attacker.ready()
        async with watched(edge, plan.after_seconds) as footprint:
            attacking = asyncio.create_task(attacker.run(attacked_seconds + _MARGIN_SECONDS))
            await asyncio.sleep(plan.lead_seconds)
            disturbed = await genuine.run(plan.seconds + _MARGIN_SECONDS)
            counts = await attacking
    return Result(name, calm, Traffic(disturbed), footprint, counts, edge.alive)


async def _quiet(order: Mapping[str, Any], plan: Plan) -> Traffic:
    """Send genuine deliveries alone; those of the first second warm the edge up."""
    if not plan.quiet_seconds:
        return Traffic([])
    quiet = {**order, "seconds": plan.quiet_seconds + 1, "first": 1}
    async with started("genuine", quiet, plan.cores[1]) as genuine:
        await genuine.ready()
        samples = await genuine.run(plan.quiet_seconds + 1 + _MARGIN_SECONDS)
    return Traffic(samples[int(plan.rate) :])


@contextlib.asynccontextmanager
async def watched(edge: EdgeProcess, after_seconds: float) -> AsyncIterator[Footprint]:
    """Watch memory and descriptors of an edge while the block runs, and some time after."""
    footprint = Footprint(edge.memory_mib())
    watching = asyncio.create_task(_watch(edge, footprint))
    try:
        yield footprint
        await asyncio.sleep(after_seconds)
        footprint.after = edge.memory_mib() if edge.alive else 0
        footprint.log_bytes = edge.log.stat().st_size
    finally:
        watching.cancel()


async def _watch(edge: EdgeProcess, footprint: Footprint) -> None:
    while edge.alive:
        footprint.peak = max(footprint.peak, edge.memory_mib())
        footprint.descriptors = max(footprint.descriptors, edge.descriptors())
        await asyncio.sleep(_SAMPLE_SECONDS)
