"""`payrouter topics apply`, on a real Kafka: creates, compares, and alters what loses nothing."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from router.broker.topics.apply import ApplyMode, TopicResult, TopicsReport, apply_topics
from router.broker.topics.contract import AtLeast, TopicNeed
from router.configuration.settings import Settings, settings_from
from router.configuration.topic_needs import topic_needs
from router.contract.topics import Topics, TopicsBeside
from tests.parts.broker.topic_admin import (
    configs,
    make,
    maker,
    names,
    partitions,
    set_configs,
)
from tests.parts.brokers import Broker
from tests.parts.edge.edge_command import Command, command, configured
from tests.parts.terminal import terminal_of

DAY = 24 * 3600 * 1000
EVERY = ("payment", "payout", "subscription", "quarantine", "refused")
SIZE = 700_000


@pytest.fixture
def payrouter(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    broker: Broker,
    topics_prefix: str,
) -> Command:
    """Give what runs a command with the configuration of these tests."""
    monkeypatch.chdir(tmp_path)
    configured(
        f'[kafka]\nbootstrap_servers = "{broker.bootstrap}"\nmax_request_bytes = {SIZE}\n'
        f'[topics]\nprefix = "{topics_prefix}"\n'
        "partitions = 3\nreplication_factor = 1\nmin_insync_replicas = 1\n"
    )
    return command(monkeypatch, capsys)


def settings(prefix: str, **topics: object) -> Settings:
    one = {"partitions": 3, "replication_factor": 1, "min_insync_replicas": 1, "prefix": prefix}
    return settings_from({"kafka": {"max_request_bytes": SIZE}, "topics": {**one, **topics}})


async def applied(
    broker: Broker,
    prefix: str,
    mode: ApplyMode = ApplyMode.CREATE,
    beside: TopicsBeside | None = None,
    **topics: object,
) -> TopicsReport:
    needs = topic_needs(settings(prefix, **topics), beside or TopicsBeside())
    return await apply_topics(maker(broker.bootstrap), broker.bootstrap, needs, mode)


def results(report: TopicsReport, prefix: str) -> Mapping[str, TopicResult]:
    return {each.name.removeprefix(prefix): each.result for each in report.topics}


def left(report: TopicsReport, prefix: str) -> set[tuple[str, str]]:
    return {(each.topic.removeprefix(prefix), each.what) for each in report.left}


@pytest.mark.kafka
async def test_missing_topics_are_created_as_they_must_be(
    broker: Broker, topics_prefix: str
) -> None:
    report = await applied(broker, topics_prefix)

    assert results(report, topics_prefix) == dict.fromkeys(EVERY, TopicResult.CREATED)
    assert report.well
    payment = await configs(broker.bootstrap, f"{topics_prefix}payment")
    quarantine = await configs(broker.bootstrap, f"{topics_prefix}quarantine")
    refused = await configs(broker.bootstrap, f"{topics_prefix}refused")
    assert payment["max.message.bytes"] == str(SIZE)
    assert int(payment["retention.ms"]) >= 7 * DAY
    assert (quarantine["retention.ms"], quarantine["max.message.bytes"]) == ("-1", str(2 * SIZE))
    assert {each["cleanup.policy"] for each in (payment, quarantine, refused)} == {"delete"}
    assert await partitions(broker.bootstrap, f"{topics_prefix}payment") == 3
    # Only closed segments are deleted: one has to close before each bound is reached.
    assert (refused["retention.ms"], refused["segment.ms"]) == (str(3 * DAY), str(DAY))
    assert int(refused["segment.bytes"]) * 4 <= int(refused["retention.bytes"]) == 64 * 1024**2


@pytest.mark.kafka
async def test_the_topics_of_consumers_are_created_too(broker: Broker, topics_prefix: str) -> None:
    dead = Topics(topics_prefix).dead_letter(f"{topics_prefix}payment", "ledger")
    outcome, order = f"{topics_prefix}ledger.outcome", f"{topics_prefix}order"
    beside = TopicsBeside(kept=[dead], passing=[outcome], foreign=[order])

    report = await applied(broker, topics_prefix, beside=beside)

    assert {dead, outcome, order} <= await names(broker.bootstrap)
    assert (await configs(broker.bootstrap, dead))["retention.ms"] == "-1"
    assert report.well


@pytest.mark.kafka
async def test_a_second_run_finds_every_topic_there(broker: Broker, topics_prefix: str) -> None:
    await applied(broker, topics_prefix)
    again = await applied(broker, topics_prefix)

    assert results(again, topics_prefix) == dict.fromkeys(EVERY, TopicResult.THERE)
    assert again.well


async def spoil(bootstrap: str, prefix: str) -> None:
    """Make topics as an automatic creation and careless hands leave them; one is missing."""
    await make(bootstrap, f"{prefix}payment", 2, cleanup_policy="compact", retention_ms="3600000")
    await make(bootstrap, f"{prefix}subscription", 3, compression_type="zstd")
    await make(bootstrap, f"{prefix}quarantine", 3, max_message_bytes="1000")
    await make(bootstrap, f"{prefix}refused", 3, retention_ms=str(9 * DAY))


SPOILED = {
    ("payment", "partitions"),
    ("payment", "cleanup.policy"),
    ("payment", "retention.ms"),
    ("payout", "topic"),
    ("subscription", "compression.type"),
    ("quarantine", "retention.ms"),
    ("quarantine", "max.message.bytes"),
    ("refused", "retention.ms"),
    ("refused", "retention.bytes"),
    ("refused", "segment.ms"),
    ("refused", "segment.bytes"),
}
BY_HAND = {("refused", "retention.ms"), ("refused", "retention.bytes")}
"""To keep less than now deletes what is there."""


@pytest.mark.kafka
def test_a_check_names_every_difference_and_changes_nothing(
    payrouter: Command, broker: Broker, topics_prefix: str
) -> None:
    asyncio.run(spoil(broker.bootstrap, topics_prefix))

    said = payrouter("topics", "apply", "--check", "--json")

    found = {
        (topic["topic"].removeprefix(topics_prefix), each["what"])
        for topic in said.json
        for each in topic["differences"]
    }
    assert (said.status, found) == (1, SPOILED)
    endangering = {
        topic["topic"].removeprefix(topics_prefix)
        for topic in said.json
        for each in topic["differences"]
        if each["endangers"]
    }
    assert endangering == {"payment", "payout", "quarantine"}
    assert f"{topics_prefix}payout" not in asyncio.run(names(broker.bootstrap))
    assert asyncio.run(configs(broker.bootstrap, f"{topics_prefix}payment"))[
        "cleanup.policy"
    ] == "compact"  # fmt: skip


@pytest.mark.kafka
def test_without_alter_only_what_is_missing_is_created_and_the_rest_said(
    payrouter: Command, broker: Broker, topics_prefix: str
) -> None:
    asyncio.run(spoil(broker.bootstrap, topics_prefix))

    said = payrouter("topics", "apply", "--json")

    left = {
        (topic["topic"].removeprefix(topics_prefix), each["what"])
        for topic in said.json
        for each in topic["differences"]
    }
    assert (said.status, left) == (1, SPOILED - {("payout", "topic")})
    assert asyncio.run(partitions(broker.bootstrap, f"{topics_prefix}payment")) == 2


@pytest.mark.kafka
def test_alter_changes_what_loses_no_records_and_leaves_other_settings(
    payrouter: Command, broker: Broker, topics_prefix: str
) -> None:
    payment = f"{topics_prefix}payment"
    asyncio.run(spoil(broker.bootstrap, topics_prefix))
    asyncio.run(set_configs(broker.bootstrap, payment, index_interval_bytes="8192"))

    said = payrouter("topics", "apply", "--alter", "--json")

    still = {
        (topic["topic"].removeprefix(topics_prefix), each["what"])
        for topic in said.json
        for each in topic["differences"]
        if not each["altered"]
    }
    assert (said.status, still, said.err) == (1, BY_HAND, "")
    found = asyncio.run(configs(broker.bootstrap, payment))
    assert (found["cleanup.policy"], found["retention.ms"]) == ("delete", str(7 * DAY))
    # AlterConfigs, which aiokafka has, would have replaced the settings of others.
    assert found["index.interval.bytes"] == "8192"
    assert asyncio.run(partitions(broker.bootstrap, payment)) == 3
    refused = asyncio.run(configs(broker.bootstrap, f"{topics_prefix}refused"))
    assert refused["retention.ms"] == str(9 * DAY)


@pytest.mark.kafka
async def test_runs_at_the_same_time_are_all_well(broker: Broker, topics_prefix: str) -> None:
    await make(broker.bootstrap, f"{topics_prefix}payment", partitions=1)

    runs = [applied(broker, topics_prefix, ApplyMode.ALTER) for _ in range(4)]
    reports = await asyncio.gather(*runs)

    assert [(each.well, each.refused) for each in reports] == [(True, {})] * 4
    assert await partitions(broker.bootstrap, f"{topics_prefix}payment") == 3


@pytest.mark.kafka
def test_the_table_fits_80_columns_and_names_what_remains_to_be_done(
    payrouter: Command, broker: Broker, topics_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(spoil(broker.bootstrap, topics_prefix))
    terminal = terminal_of(monkeypatch)

    payrouter("topics", "apply", "--check")

    table, _, notes = terminal.plain.partition("\ntopic " + topics_prefix)
    assert max(map(len, table.splitlines())) <= 80
    assert "7 days or more" in terminal.plain
    assert "1 hour" in terminal.plain
    assert f"--topic {topics_prefix}refused --add-config retention.ms={3 * DAY}" in notes
    assert "More partitions move keys" in notes
    assert "an event could be lost" in notes


@pytest.mark.kafka
async def test_replicas_are_named_with_the_command_that_gives_more(
    broker: Broker, topics_prefix: str
) -> None:
    await applied(broker, topics_prefix)

    report = await applied(
        broker, topics_prefix, ApplyMode.ALTER, replication_factor=3, min_insync_replicas=2
    )

    assert ("payment", "replication factor") in left(report, topics_prefix)
    # Two in sync of one replica: nothing could be written any more.
    assert ("payment", "min.insync.replicas") in left(report, topics_prefix)
    found = await configs(broker.bootstrap, f"{topics_prefix}payment")
    assert found["min.insync.replicas"] == "1"
    by_hand = [d.action for d in report.left if d.what == "replication factor"]
    assert "kafka-reassign-partitions.sh" in by_hand[0]


@pytest.mark.kafka
async def test_topics_with_more_of_everything_are_accepted_and_not_reduced(
    broker: Broker, topics_prefix: str
) -> None:
    payment = f"{topics_prefix}payment"
    await make(broker.bootstrap, payment, 5, retention_ms="-1", max_message_bytes="900000")

    report = await applied(broker, topics_prefix, ApplyMode.ALTER)

    assert left(report, topics_prefix) == set()
    found = await configs(broker.bootstrap, f"{topics_prefix}payment")
    assert (found["retention.ms"], found["max.message.bytes"]) == ("-1", "900000")
    assert await partitions(broker.bootstrap, f"{topics_prefix}payment") == 5


@pytest.mark.kafka
async def test_a_topic_of_the_platform_is_compared_and_never_altered(
    broker: Broker, topics_prefix: str
) -> None:
    order = f"{topics_prefix}order"
    await make(broker.bootstrap, order, 1, cleanup_policy="compact", compression_type="zstd")

    report = await applied(
        broker, topics_prefix, ApplyMode.ALTER, beside=TopicsBeside(foreign=[order])
    )

    assert left(report, topics_prefix) == {("order", "cleanup.policy")}
    assert (await configs(broker.bootstrap, order))["cleanup.policy"] == "compact"


@pytest.mark.kafka
async def test_refusal_of_the_broker_is_reported_for_its_topic_and_the_others_are_created(
    broker: Broker, topics_prefix: str
) -> None:
    needs = [
        *topic_needs(settings(topics_prefix)),
        TopicNeed(f"{topics_prefix}odd", 1, 1, 1, (AtLeast("retention.ms", -2, explicit=True),)),
    ]

    report = await apply_topics(maker(broker.bootstrap), broker.bootstrap, needs, ApplyMode.CREATE)

    assert list(report.refused) == [f"{topics_prefix}odd"]
    assert "retention.ms" in report.refused[f"{topics_prefix}odd"]
    assert not report.well
    assert results(report, topics_prefix)["payment"] is TopicResult.CREATED


def test_check_and_alter_together_are_wrong_usage(payrouter: Command) -> None:
    said = payrouter("topics", "apply", "--check", "--alter")

    assert (said.status, said.out) == (2, "")


def test_a_broker_that_is_away_is_one_line_and_exit_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    configured('[kafka]\nbootstrap_servers = "127.0.0.1:1"\n')

    said = command(monkeypatch, capsys)("topics", "apply")

    assert (said.status, said.out) == (1, "")
    line = (
        "payrouter: cannot reach the broker: 127.0.0.1:1: nothing listens there:"
        " check kafka.bootstrap_servers, and whether a broker runs\n"
    )
    assert said.err == line


def test_the_default_needs_bear_the_loss_of_a_broker() -> None:
    for need in topic_needs(settings_from({})):
        assert (need.replication_factor, need.partitions) == (3, 12)
        assert need.configs()["min.insync.replicas"] == "2"
