"""`payrouter topics apply` makes what the promises need, once, and says what it did."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from router.topics_admin import (
    TopicResult,
    TopicsUnavailable,
    apply_topics,
    planned_topics,
    require_topics,
    touch_topics,
)

from router.contract.topics import Topics, TopicsBeside
from router.settings import Settings, settings_from
from tests.brokers import Broker, create_topics

PATIENCE_SECONDS = 60


def settings(bootstrap: str, prefix: str, **topics: object) -> Settings:
    one = {"partitions": 3, "replication_factor": 1, "min_insync_replicas": 1, "prefix": prefix}
    kafka = {"bootstrap_servers": bootstrap, "max_request_bytes": 700_000}
    return settings_from({"kafka": kafka, "topics": {**one, **topics}})


@contextlib.asynccontextmanager
async def asking(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Give a client; a broker may hear of a new topic a little later than it was made."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield admin
    finally:
        await admin.close()


async def described(bootstrap: str, names: Sequence[str]) -> dict[str, Any]:
    async with asking(bootstrap) as admin:
        while True:
            topics = await admin.describe_topics(list(names))
            if all(topic["partitions"] for topic in topics):
                return {topic["topic"]: topic for topic in topics}
            await asyncio.sleep(0.05)


async def configs(bootstrap: str, name: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    async with asking(bootstrap) as admin:
        while True:
            (answer,) = await admin.describe_configs([resource])
            if entries := answer.resources[0][4]:
                return {entry[0]: entry[1] for entry in entries}
            await asyncio.sleep(0.05)


def every(prefix: str) -> list[str]:
    topics = Topics(prefix)
    return [*topics.events, topics.quarantine, topics.refused]


@pytest.mark.kafka
async def test_topics_are_made_with_what_the_promises_need(
    broker: Broker, topics_prefix: str
) -> None:
    wanted = settings(broker.bootstrap, topics_prefix)
    results = await apply_topics(wanted)
    assert results == [TopicResult(name, "created") for name in every(topics_prefix)]
    found = await described(broker.bootstrap, every(topics_prefix))
    for name in every(topics_prefix):
        partitions = found[name]["partitions"]
        assert len(partitions) == 3
        assert {len(partition["replicas"]) for partition in partitions} == {1}
        assert (await configs(broker.bootstrap, name))["min.insync.replicas"] == "1"


@pytest.mark.kafka
async def test_quarantine_keeps_for_ever_and_has_room_for_a_wrapped_record(
    broker: Broker, topics_prefix: str
) -> None:
    await apply_topics(settings(broker.bootstrap, topics_prefix))
    topics = Topics(topics_prefix)
    quarantine = await configs(broker.bootstrap, topics.quarantine)
    payment = await configs(broker.bootstrap, topics.events[0])
    assert quarantine["retention.ms"] == "-1"
    assert quarantine["max.message.bytes"] == "1400000"
    assert payment["max.message.bytes"] == "700000"
    assert payment["retention.ms"] != "-1"


@pytest.mark.kafka
async def test_refused_deliveries_are_kept_for_days_and_within_a_size(
    broker: Broker, topics_prefix: str
) -> None:
    await apply_topics(settings(broker.bootstrap, topics_prefix))
    refused = await configs(broker.bootstrap, Topics(topics_prefix).refused)
    day = 24 * 3600 * 1000
    assert refused["cleanup.policy"] == "delete"
    assert refused["retention.ms"] == str(3 * day)
    # Only closed segments are deleted: one has to close before each bound is reached.
    assert int(refused["segment.ms"]) <= day
    assert int(refused["segment.bytes"]) * 4 <= int(refused["retention.bytes"]) == 64 * 1024**2


@pytest.mark.kafka
async def test_a_missing_topic_of_refused_deliveries_stops_no_start(
    broker: Broker, topics_prefix: str
) -> None:
    wanted = settings(broker.bootstrap, topics_prefix)
    await create_topics(broker.bootstrap, [n for n in every(topics_prefix) if "refused" not in n])
    await require_topics(wanted)


@pytest.mark.kafka
async def test_dead_letters_keep_for_ever_and_have_room_for_their_origin(
    broker: Broker, topics_prefix: str
) -> None:
    name = Topics(topics_prefix).dead_letter(f"{topics_prefix}payment", "ledger")
    results = await apply_topics(
        settings(broker.bootstrap, topics_prefix), TopicsBeside(kept=[name])
    )
    assert results[-1] == TopicResult(f"{topics_prefix}payment.ledger.dlq", "created")
    found = await configs(broker.bootstrap, name)
    assert (found["retention.ms"], found["max.message.bytes"]) == ("-1", "1400000")


@pytest.mark.kafka
async def test_a_second_run_says_there_and_changes_nothing(
    broker: Broker, topics_prefix: str
) -> None:
    await apply_topics(settings(broker.bootstrap, topics_prefix))
    again = await apply_topics(settings(broker.bootstrap, topics_prefix, partitions=5))
    assert again == [TopicResult(name, "there") for name in every(topics_prefix)]
    found = await described(broker.bootstrap, every(topics_prefix))
    assert {len(topic["partitions"]) for topic in found.values()} == {3}


@pytest.mark.kafka
async def test_only_what_is_missing_is_made(broker: Broker, topics_prefix: str) -> None:
    await apply_topics(settings(broker.bootstrap, topics_prefix))
    renamed = {"payout": "payouts", "quarantine": "kept"}
    results = await apply_topics(settings(broker.bootstrap, topics_prefix, names=renamed))
    assert {r.name.removeprefix(topics_prefix): r.result for r in results} == {
        "payment": "there",
        "payouts": "created",
        "subscription": "there",
        "kept": "created",
        "refused": "there",
    }


@pytest.mark.kafka
async def test_what_the_broker_refuses_is_said_with_the_topic(
    broker: Broker, topics_prefix: str
) -> None:
    wanted = settings(broker.bootstrap, topics_prefix, replication_factor=9)
    with pytest.raises(TopicsUnavailable, match=rf"^topic {topics_prefix}payment: .*Replication"):
        await apply_topics(wanted)


async def test_touching_the_topics_has_the_evaluation_broker_make_them(
    broker: Broker, topics_prefix: str
) -> None:
    if broker.real:
        await apply_topics(settings(broker.bootstrap, topics_prefix))
    await touch_topics(settings(broker.bootstrap, topics_prefix))
    assert set(await described(broker.bootstrap, every(topics_prefix))) == set(every(topics_prefix))


@pytest.mark.kafka
async def test_missing_topics_are_named_with_what_makes_them(
    broker: Broker, topics_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.topics_admin.AUTOMATIC_LOOKS", 1)
    wanted = settings(broker.bootstrap, topics_prefix)
    said = rf"has no topic {topics_prefix}payment, .*: run `payrouter topics apply`$"
    with pytest.raises(TopicsUnavailable, match=said):
        await require_topics(wanted)


async def test_topics_that_are_there_or_come_by_themselves_are_enough(
    broker: Broker, topics_prefix: str
) -> None:
    wanted = settings(broker.bootstrap, topics_prefix)
    if broker.real:
        await apply_topics(wanted)
    await require_topics(wanted)


async def test_a_broker_that_is_away_is_said_with_its_address() -> None:
    with pytest.raises(TopicsUnavailable, match=r"^cannot reach the broker at 127\.0\.0\.1:1: "):
        await require_topics(settings("127.0.0.1:1", ""))


def test_the_default_plan_bears_the_loss_of_a_broker() -> None:
    for topic in planned_topics(settings_from({})):
        assert topic.replication_factor == 3
        assert topic.topic_configs["min.insync.replicas"] == "2"
        assert topic.num_partitions == 12


def test_a_broker_that_is_away_is_one_line_and_exit_1(tmp_path: Path) -> None:
    (tmp_path / "payrouter.toml").write_text('[kafka]\nbootstrap_servers = "127.0.0.1:1"\n')
    said = subprocess.run(
        [sys.executable, "-m", "consumers", "topics", "apply"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert said.returncode == 1
    assert said.stdout == ""
    line = "payrouter: cannot make topics on the broker at 127.0.0.1:1: KafkaConnectionError\n"
    assert said.stderr == line
