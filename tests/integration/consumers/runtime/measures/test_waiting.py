"""Waiting records are counted for the metrics, and unknown if the store cannot be read."""

import math
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.apply.brake import holding
from consumers.runtime.measures.metrics import ConsumerMetrics
from consumers.runtime.measures.waiting import read_waiting
from consumers.runtime.member import app
from tests.integration.consumers.runtime.apply.test_brake import mixed
from tests.parts.runtime.counting import TABLES, applier, begun, numbered
from tests.parts.runtime.members import Feed
from tests.parts.runtime.told import holds, metric, refusing
from tests.parts.waiting import eventually


def test_everything_is_unknown_before_the_first_read() -> None:
    registry = CollectorRegistry()
    ConsumerMetrics(registry, "counting").waiting.begin("counting", ["payment"])
    for name, labels in [
        ("payrouter_held_records", {"state": "parked"}),
        ("payrouter_held_records", {"state": "dead"}),
        ("payrouter_held_oldest_seconds", {"state": "parked"}),
        ("payrouter_held_conflicts", {}),
        ("payrouter_brake_held", {"topic": "payment"}),
        ("payrouter_outbox_waiting", {}),
        ("payrouter_outbox_refused", {}),
    ]:
        value = registry.get_sample_value(name, {"consumer": "counting", **labels})
        assert value is not None
        assert math.isnan(value)
    for name, labels in [
        ("payrouter_conflicts_total", {}),
        ("payrouter_parked_retries_total", {"outcome": "parked"}),
        ("payrouter_upkeep_failures_total", {"work": "outbox"}),
    ]:
        assert registry.get_sample_value(name, {"consumer": "counting", **labels}) == 0


async def test_waiting_records_are_counted_by_state(counting: AsyncEngine) -> None:
    async with counting.connect() as connection:
        nothing = await read_waiting(connection, TABLES)
    assert (nothing.held, nothing.oldest, nothing.brakes, nothing.outbox) == ({}, {}, {}, 0)
    await applier(counting, brake_after=3).apply(mixed("xoxxx"), await begun(counting))
    async with counting.connect() as connection:
        waiting = await read_waiting(connection, TABLES)
    assert (waiting.held, waiting.outbox) == ({"dead": 4}, 4)
    assert list(holding(waiting.brakes)) == ["payment"]
    assert list(waiting.oldest) == ["dead"]


async def test_process_exports_how_much_is_parked_and_for_how_long(feed: Feed) -> None:
    feed.hurry(measure_seconds=0.1)
    await feed.send(map(numbered, range(3)))
    async with feed.member(refusing(1), park_seconds=60) as process:
        (row,) = await holds(feed, "parked", 1)
        parked = {"state": "parked"}
        await eventually(lambda: metric(process, "payrouter_held_records", **parked) == 1, "one")
        held_for = (datetime.now(UTC) - row.first_failed_at).total_seconds()
        await eventually(
            lambda: metric(process, "payrouter_held_oldest_seconds", **parked) > held_for, "its age"
        )
        assert metric(process, "payrouter_brake_held", topic=feed.topic) == 0
        words = {"topic": feed.topic, "partition": "0", "outcome": "parked"}
        assert metric(process, "payrouter_records_total", **words) == 1


async def test_counting_recovers_from_any_error(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ValueError

    feed.hurry(measure_seconds=0.1)
    async with feed.member() as process:

        def waiting() -> float | None:
            return metric(process, "payrouter_outbox_waiting")

        await eventually(lambda: waiting() == 0, "an empty outbox")
        with monkeypatch.context() as patched:
            patched.setattr(app, "read_waiting", broken)
            await eventually(lambda: math.isnan(waiting() or 0), "an unknown outbox")
        await eventually(lambda: waiting() == 0, "an empty outbox again")
