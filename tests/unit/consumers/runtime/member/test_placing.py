"""Requests to a slow broker get longer time-outs, and the problem is named."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from consumers.runtime.apply.offsets import Fence
from consumers.runtime.measures.metrics import ConsumerMetrics
from consumers.runtime.member.partition import Found
from consumers.runtime.member.placing import (
    LONGEST_NEIGHBOURLY_SECONDS,
    NEIGHBOURLY_SECONDS,
    Placing,
)
from consumers.runtime.member.positions import Positions
from consumers.runtime.member.report import Report
from consumers.runtime.records import Partition
from consumers.runtime.settings import Tuning
from router.broker.log.bounds import LogBounds
from router.broker.topics.ids import MISSING, PartitionSeen, TopicSeen
from router.telemetry.logs import get_log
from tests.parts.runtime.counting import PAYMENT_0

PAYMENT_1 = Partition("payment", 1)
THERE = PartitionSeen(1, 0, frozenset({1}), frozenset({1}))


@dataclass
class Slow:
    """A broker that answers slowly, and a store with one fence."""

    needs: float
    error: str | None = None
    asked: list[float] = field(default_factory=list)

    async def topics(self, _: object, seconds: float) -> Mapping[str, TopicSeen]:
        """Describe the topic."""
        self.asked.append(seconds)
        if seconds < self.needs:
            raise TimeoutError
        return {"payment": TopicSeen("payment", None, self.error, {1: THERE}, None)}

    async def bounds(self, _: object, __: float) -> Mapping[Partition, LogBounds]:
        """Return the bounds of the log."""
        return {} if self.error else {PAYMENT_1: LogBounds(0, 9, 9)}

    async def fences(self, begin: Mapping[Partition, int], _: object) -> Mapping[Partition, Fence]:
        """Return the fences, as the store does."""
        return {partition: Fence(partition, 0, offset) for partition, offset in begin.items()}

    def seek(self, *_: object) -> None:
        """Seek."""


def placing(broker: Slow) -> tuple[Placing, Any]:
    positions = Positions()
    positions.assign([PAYMENT_0, PAYMENT_1])
    positions.send(PAYMENT_0, Found(Fence(PAYMENT_0, 0, 3), 3))
    report = Report("counting", ConsumerMetrics(CollectorRegistry(), "counting"), get_log("test"))
    stand_in: Any = broker
    return Placing(stand_in, Tuning.model_validate({}), report, positions), stand_in


async def turns(broker: Slow, number: int) -> Positions:
    places, client = placing(broker)
    for _ in range(number):
        places.positions.wake(float("inf"))
        await places.place(client)
    return places.positions


async def test_always_slow_broker_gets_to_answer_while_placed_partitions_wait() -> None:
    broker = Slow(needs=3 * NEIGHBOURLY_SECONDS)
    positions = await turns(broker, 3)
    assert positions.placed.keys() == {PAYMENT_0, PAYMENT_1}
    assert broker.asked == [NEIGHBOURLY_SECONDS * factor for factor in (1, 2, 4)]


async def test_silent_broker_delays_placed_partitions_only_up_to_a_limit() -> None:
    broker = Slow(needs=float("inf"))
    positions = await turns(broker, 20)
    assert positions.waiting.keys() == {PAYMENT_1}
    assert broker.asked[-1] == max(broker.asked) == LONGEST_NEIGHBOURLY_SECONDS


@pytest.mark.parametrize("error", [MISSING, "TOPIC_AUTHORIZATION_FAILED"])
async def test_missing_topic_is_waited_for_and_named(error: str) -> None:
    positions = await turns(Slow(needs=0, error=error), 1)
    (problem,) = positions.problems
    assert problem.startswith("payment-1: LogUnknown: the broker ")
    assert problem.endswith("topic payment")
