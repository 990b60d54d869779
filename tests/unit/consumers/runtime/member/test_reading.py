"""An unresponsive broker or store delays a turn of the loop once, not once per partition."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry

from consumers.runtime.apply.offsets import Fence
from consumers.runtime.measures.metrics import ConsumerMetrics
from consumers.runtime.member.partition import Found
from consumers.runtime.member.positions import Positions
from consumers.runtime.member.reading import Reading
from consumers.runtime.member.report import Report
from consumers.runtime.records import Partition
from consumers.runtime.settings import Tuning
from consumers.runtime.store.database import StoreAway
from router.telemetry.logs import get_log

if TYPE_CHECKING:
    from consumers.runtime.member.client import Client

PARTITIONS = [Partition("payment", number) for number in range(3)]
NEXT, UPTO = 5, 8
SECONDS = 5.0
"""Long enough for anything that does not wait forever."""


@dataclass
class Frozen:
    """A broker that answers only after all requests have arrived, and an unreachable store."""

    explains: bool
    asked: asyncio.Barrier = field(default_factory=lambda: asyncio.Barrier(len(PARTITIONS)))
    together: int = 0
    passed: list[Partition] = field(default_factory=list)

    async def position(self, _: Partition) -> int:
        """Return an offset after a gap."""
        return UPTO

    async def explain(self, _: Partition, __: object) -> list[range]:
        """Wait for the other requests, and then longer than any time-out."""
        async with asyncio.timeout(SECONDS):
            await self.asked.wait()
        self.together += 1
        if not self.explains:
            raise TimeoutError
        return []

    async def pass_gap(self, fence: Fence, _: int) -> Fence:
        """Fail, after a while."""
        self.passed.append(fence.partition)
        raise StoreAway


def reading(frozen: Frozen) -> tuple[Reading, "Client"]:
    positions = Positions()
    positions.assign(PARTITIONS)
    for partition in PARTITIONS:
        positions.send(partition, Found(Fence(partition, 0, NEXT), NEXT))
    metrics = ConsumerMetrics(CollectorRegistry(), "counting")
    report = Report("counting", metrics, get_log("test"))
    stand_in: Any = frozen
    return Reading(stand_in, Tuning.model_validate({}), report, positions), stand_in


def message(offset: int) -> Any:  # noqa: ANN401 - as aiokafka's
    return SimpleNamespace(offset=offset)


@pytest.mark.parametrize("at_the_end", [False, True])
async def test_unresponsive_broker_delays_a_turn_once(at_the_end: bool) -> None:  # noqa: FBT001 - a parameter of the test
    frozen = Frozen(explains=False)
    reads, client = reading(frozen)
    if at_the_end:
        await reads.pass_trailing_gaps(client, PARTITIONS)
    else:
        batch = await reads.read(client, {each: [message(UPTO)] for each in PARTITIONS})
        assert batch.arrived == []
    assert frozen.together == len(PARTITIONS)
    assert sorted(reads.positions.waiting) == PARTITIONS
    assert [each.tries for each in reads.positions.waiting.values()] == [1, 1, 1]


async def test_unresponsive_store_delays_a_turn_once() -> None:
    frozen = Frozen(explains=True)
    reads, client = reading(frozen)
    await reads.pass_trailing_gaps(client, PARTITIONS)
    assert len(frozen.passed) == len(reads.positions.waiting) == 1
    # The other partitions are read on, and retried in the next turn.
    assert len(reads.positions.placed) == 2
