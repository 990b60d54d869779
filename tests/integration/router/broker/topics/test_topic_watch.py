"""A running process reports topic differences that endanger events, and their end."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from router.broker.topics import watch as topic_watch
from router.broker.topics.contract import UNLIMITED, AtLeast, Exactly, TopicNeed
from router.broker.topics.watch import TopicMetrics, TopicWatch
from router.telemetry.logs import get_log
from router.telemetry.management import Health
from tests.parts.broker.topic_admin import make, maker, set_configs
from tests.parts.brokers import Broker, create_topics
from tests.parts.waiting import eventually

GOOD = Health(good=True, detail="events can be published")
AWAY = Health(good=False, detail="no broker")


@dataclass
class Watched:
    """A running watch, its metrics and its log."""

    watch: TopicWatch
    registry: CollectorRegistry
    log: list[Any] = field(default_factory=list)

    def measured(self, name: str, **labels: str) -> float | None:
        """Return the value of a series."""
        return self.registry.get_sample_value(name, labels)

    def logged(self, event: str) -> list[Any]:
        """Return the log lines of an event."""
        return [line for line in self.log if line["event"] == event]


def needs(*names: str) -> list[TopicNeed]:
    compared = (
        Exactly("cleanup.policy", "delete", endangers=True),
        AtLeast("retention.ms", UNLIMITED, UNLIMITED),
    )
    return [TopicNeed(name, 1, 1, 1, compared) for name in names]


@contextlib.asynccontextmanager
async def watching(
    bootstrap: str, wanted: list[TopicNeed], **options: object
) -> AsyncIterator[Watched]:
    registry = CollectorRegistry()
    with capture_logs() as log:
        watch = TopicWatch(
            maker(bootstrap),
            wanted,
            TopicMetrics(registry, [need.name for need in wanted]),
            get_log("topics"),
            interval_seconds=0.05,
            retry_seconds=0.05,
            **options,  # type: ignore[arg-type] # passed through
        )
        watched = Watched(watch, registry, log)
        async with watch.running():
            yield watched


async def test_no_event_is_acknowledged_before_the_first_answer() -> None:
    async with watching("127.0.0.1:1", needs("payment")) as watched:
        health = watched.watch.health(GOOD)

        assert (health.good, health.detail) == (False, "the topics were not compared yet")
        assert watched.watch.problem("payment") is not None
        await eventually(lambda: watched.measured("payrouter_topics_unchecked") == 1)
        said = watched.watch.health(GOOD).detail
        assert "not compared yet: the broker did not answer (127.0.0.1:1: nothing listens" in said


@pytest.mark.kafka
async def test_danger_and_its_end_are_reported_while_the_process_runs(
    broker: Broker, topics_prefix: str
) -> None:
    sound, spoiled = f"{topics_prefix}sound", f"{topics_prefix}spoiled"
    for name in (sound, spoiled):
        await make(broker.bootstrap, name, 1, retention_ms="-1")
    async with watching(broker.bootstrap, needs(sound, spoiled)) as watched:
        watch = watched.watch
        await eventually(lambda: watch.health(GOOD).good)
        assert watch.health(AWAY) == AWAY

        await set_configs(broker.bootstrap, spoiled, retention_ms="3600000")
        await eventually(lambda: not watch.health(GOOD).good)
        detail = watch.health(GOOD).detail
        assert f"topic {spoiled} has retention.ms 1 hour, needs forever" in detail
        assert "payrouter topics apply --alter" in detail
        # Only events for this topic are refused.
        assert (watch.problem(spoiled) == detail, watch.problem(sound)) == (True, None)
        assert watched.measured("payrouter_topic_endangered", topic=spoiled) == 1
        assert watched.measured("payrouter_topic_endangered", topic=sound) == 0

        await set_configs(broker.bootstrap, spoiled, retention_ms="-1")
        await eventually(lambda: watch.health(GOOD).good)
        assert watched.measured("payrouter_topic_endangered", topic=spoiled) == 0
        assert len(watched.logged("topics_endangered")) == 1
        assert len(watched.logged("topics_sound")) == 1


@pytest.mark.kafka
async def test_missing_topic_is_a_danger_and_is_not_created(
    broker: Broker, topics_prefix: str
) -> None:
    name = f"{topics_prefix}payment"
    async with watching(broker.bootstrap, needs(name)) as watched:
        await eventually(lambda: watched.watch.findings)
        health = watched.watch.health(GOOD)
        assert health.detail == f"there is no topic {name}: run `payrouter topics apply`"

        await make(broker.bootstrap, name, 1, retention_ms="-1")
        await eventually(lambda: watched.watch.health(GOOD).good)


async def on_the_evaluation_broker(prefix: str, bootstrap: str) -> str:
    name = f"{prefix}payment"
    await create_topics(bootstrap, [name])
    return name


async def test_topic_without_a_shown_configuration_is_accepted_and_reported(
    evaluation: str, topics_prefix: str
) -> None:
    name = await on_the_evaluation_broker(topics_prefix, evaluation)
    async with watching(evaluation, needs(name)) as watched:
        await eventually(lambda: watched.watch.findings)
        health = watched.watch.health(GOOD)

        assert health.good
        assert f"not compared: {name} (" in health.detail
        assert "does not support DescribeConfigs" in health.detail
        assert watched.watch.problem(name) is None
        assert watched.measured("payrouter_topics_unchecked") == 1
        (line,) = watched.logged("topics_unchecked")
        assert (line["log_level"], line["topics"]) == ("info", [name])


async def test_topic_without_a_shown_configuration_is_refused_if_a_check_is_required(
    evaluation: str, topics_prefix: str
) -> None:
    name = await on_the_evaluation_broker(topics_prefix, evaluation)
    async with watching(evaluation, needs(name), require_check=True) as watched:
        await eventually(lambda: watched.watch.findings)

        assert not watched.watch.health(GOOD).good
        assert "topics.require_check is set" in str(watched.watch.problem(name))


async def test_findings_expire_after_missed_checks(evaluation: str, topics_prefix: str) -> None:
    name = await on_the_evaluation_broker(topics_prefix, evaluation)
    moment = 0.0
    only_layout = [TopicNeed(name, 1, 1, 1)]
    async with watching(evaluation, only_layout, clock=lambda: moment) as watched:
        await eventually(lambda: watched.watch.findings)
        watched.watch.make = maker("127.0.0.1:1")
        moment = topic_watch.MISSED_CHECKS * watched.watch.interval_seconds
        before = watched.watch.findings
        looks = watched.watch.unanswered
        await eventually(lambda: watched.watch.unanswered > looks + 1)
        assert watched.watch.findings == before
        moment += 1
        await eventually(lambda: watched.watch.findings != before)

        assert "the broker has not answered" in watched.watch.health(GOOD).detail
        assert watched.measured("payrouter_topics_unchecked") == 1


async def test_no_request_is_sent_without_topics() -> None:
    async with watching("127.0.0.1:1", []) as watched:
        assert watched.watch.health(GOOD) == GOOD
