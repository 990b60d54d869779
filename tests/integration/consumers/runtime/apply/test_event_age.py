"""Age of an event at its effect, counted from its receipt by the edge."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.apply.held import HeldReason, HoldDecision
from consumers.runtime.apply.process import received_at
from consumers.runtime.apply.retry import retry_due
from consumers.runtime.fate import Fate
from consumers.runtime.measures.metrics import ConsumerMetrics
from consumers.runtime.member.report import Report
from consumers.runtime.records import Decoded
from consumers.runtime.settings import Tuning
from router.telemetry.logs import get_log
from tests.parts.runtime.counting import applier, begun, numbered, record, stored

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def aged(number: int, seconds: float) -> Decoded:
    """Return the record of an event that the edge received so many seconds ago."""
    return record(number, numbered(number, received_at=NOW - timedelta(seconds=seconds)))


def reporting() -> tuple[CollectorRegistry, Report]:
    registry = CollectorRegistry()
    metrics = ConsumerMetrics(registry, "counting")
    return registry, Report("counting", metrics, get_log("counting"), NOW.timestamp)


def ages(registry: CollectorRegistry) -> tuple[float | None, ...]:
    """Return the number of ages, their sum, and how many were at most half a minute."""
    name, own = "payrouter_event_age_seconds", {"consumer": "counting"}
    return (
        registry.get_sample_value(f"{name}_count", own),
        registry.get_sample_value(f"{name}_sum", own),
        registry.get_sample_value(f"{name}_bucket", {**own, "le": "30.0"}),
    )


async def test_only_applied_events_have_an_age(
    counting: AsyncEngine,
) -> None:
    registry, report = reporting()
    assert ages(registry) == (0, 0, 0)
    batch = [aged(0, 30), aged(1, 31), aged(2, -5)]
    twin = record(3, numbered(0, received_at=NOW - timedelta(seconds=500)))
    applied = await applier(counting).apply([*batch, twin], await begun(counting))
    report.batch(applied, 4, 0.1)
    # The edge's clock may be ahead; the age is never below zero.
    assert ages(registry) == (3, 61, 2)
    again = await applier(counting).apply(batch, await begun(counting))
    report.batch(again, 3, 0.1)
    assert ages(registry)[0] == 3


async def test_parked_event_has_its_age_when_it_is_applied(
    counting: AsyncEngine,
) -> None:
    registry, report = reporting()
    park = HoldDecision(Fate.PARKED, HeldReason.FAILED, "ValueError: not now")
    report.batch(await applier(counting).apply([aged(0, 90)], await begun(counting), park), 1, 0.1)
    assert ages(registry)[0] == 0
    for tried in (await retry_due(applier(counting), stored(counting), Tuning())).tries:
        report.retried(tried)
    assert ages(registry) == (1, 90, 0)


def test_message_that_bypassed_the_edge_has_no_age() -> None:
    order: Any = SimpleNamespace(id=UUID(int=1), fingerprint="[]")
    assert received_at(Decoded(aged(0, 1).record, order)) is None
    assert received_at(aged(0, 1)) == NOW - timedelta(seconds=1)
