"""If a source of the exporter is away, only its own values are unknown."""

import asyncio
import gc
import math
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from consumers.runtime.configured import Consumer
from consumers.runtime.exporter.rounds import END_SECONDS
from consumers.runtime.progress.survey import SurveyLimits
from consumers.runtime.service import Measure
from consumers.runtime.store.migrate import upgrade
from tests.parts.brokers import Broker
from tests.parts.databases import OwnPostgres, own_postgres
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.ports import free_port
from tests.parts.runtime.counting import SERVICE, numbered
from tests.parts.runtime.exporting import OFTEN, Exported, exporting
from tests.parts.runtime.members import Feed, feeding
from tests.parts.runtime.running import running
from tests.parts.waiting import eventually

# A client closed while connecting to a frozen broker leaves its connection to garbage collection.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Collect garbage now, so that its warnings do not fail another test."""
    yield
    gc.collect()


IMPATIENT = replace(OFTEN, deadline_seconds=5.0, survey=SurveyLimits(answer_seconds=2.5))


@pytest.fixture
def postgres() -> Iterator[OwnPostgres]:
    """Run a separate PostgreSQL."""
    with own_postgres() as server:
        yield server


async def _count(_connection: AsyncConnection) -> int:
    return 7


async def other(feed: Feed, url: str) -> Consumer:
    """Return a second consumer with a separate database and its own measure."""
    measure = Measure("payrouter_other_things", "Things", _count)
    service = replace(SERVICE, name="other", measures=[measure])
    engine = create_async_engine(url)
    await upgrade(engine, service)
    await engine.dispose()
    settings = replace(feed.settings(group_id=f"{feed.prefix}other"), name="other")
    return Consumer(service, replace(settings, database_url=SecretStr(url)))


def of_other(exported: Exported) -> list[float]:
    """Return the metrics that need the other consumer's store."""
    own = {"consumer": "other"}
    topic = {**own, "topic": exported.topic}
    return [
        exported.value("payrouter_other_things"),
        exported.value("payrouter_brake_held", **topic),
        exported.value("payrouter_group_in_flight_records", **topic),
        exported.value("payrouter_group_lag_seconds", partition="0", **topic),
        exported.value(
            "payrouter_group_passed_records_total", partition="0", outcome="applied", **topic
        ),
    ]


async def _looked_at_often(exported: Exported) -> set[float]:
    """Return the values of the neighbour's progress over many rounds."""
    said = set()
    for _ in range(50):
        said.add(exported.passed("applied"))
        await asyncio.sleep(OFTEN.every_seconds / 5)
    return said


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_absent_database_affects_only_its_own_values(
    feed: Feed, postgres: OwnPostgres, how: str
) -> None:
    await feed.send(map(numbered, range(3)))
    consumer = await other(feed, postgres.start())
    async with exporting(feed, consumer, how=IMPATIENT) as exported, feed.member():
        await eventually(lambda: exported.in_flight == 0, "nothing in flight")
        await exported.ready()
        assert of_other(exported)[:3] == [7, 0, 3]
        postgres.kill() if how == "killed" else postgres.pause()
        await exported.fails("other")
        await eventually(lambda: all(map(math.isnan, of_other(exported))), "unknown")
        await feed.send(map(numbered, range(3, 5)))
        await eventually(lambda: exported.passed("applied") == 5, "the neighbour's progress")
        await eventually(lambda: exported.in_flight == 0, "nothing in flight of it")
        await exported.fails("other")
        read = exported.last_success("counting")
        await eventually(lambda: exported.last_success("counting") > read, "the neighbour is read")
        # However long a round of the other's store takes, it costs the neighbour none.
        assert exported.failures("counting") == 0
        assert await _looked_at_often(exported) == {5}
        assert exported.process.alive().good
        postgres.start() if how == "killed" else postgres.resume()
        await exported.ready()
        await eventually(lambda: of_other(exported)[:3] == [7, 0, 5], "known again")


@pytest.fixture
async def own_feed(
    own_kafka: ApacheKafka, database_url: str, topics_prefix: str
) -> AsyncIterator[Feed]:
    """Yield a topic on a separate broker."""
    engine = create_async_engine(database_url)
    await upgrade(engine, SERVICE)
    broker = Broker(own_kafka.bootstrap, "the test's own", real=True)
    async with feeding(broker, engine, topics_prefix) as feed:
        yield feed
    await engine.dispose()


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_absent_broker_affects_only_its_own_values(
    own_feed: Feed, own_kafka: ApacheKafka, how: str
) -> None:
    await own_feed.send(map(numbered, range(3)))
    async with exporting(own_feed, how=IMPATIENT) as exported:
        await eventually(lambda: exported.lag == [3, 0, 0, 0], "what waits")
        own_kafka.kill() if how == "killed" else own_kafka.pause()
        await exported.fails("broker")
        await eventually(lambda: all(map(math.isnan, exported.lag)), "unknown")
        where = {"topic": exported.topic, "partition": "0"}
        assert math.isnan(exported.value("payrouter_log_end_offset", **where))
        assert math.isnan(exported.value("payrouter_group_members", consumer="counting"))
        assert (
            exported.value("payrouter_brake_held", consumer="counting", topic=exported.topic) == 0
        )
        assert exported.passed("applied") == 0
        assert exported.failures("counting") == 0
        own_kafka.start() if how == "killed" else own_kafka.resume()
        await exported.ready()
        await eventually(lambda: exported.lag == [3, 0, 0, 0], "known again")


async def test_a_measure_that_fails_leaves_the_rest_of_its_store_known(feed: Feed) -> None:
    async def broken(_connection: AsyncConnection) -> int:
        raise ValueError

    feed.service = replace(SERVICE, measures=[Measure("payrouter_broken", "Broken", broken)])
    async with exporting(feed, how=IMPATIENT) as exported:
        await exported.fails("counting")
        assert math.isnan(exported.value("payrouter_broken"))
        assert (
            exported.value("payrouter_brake_held", consumer="counting", topic=exported.topic) == 0
        )
        await eventually(lambda: exported.in_flight == 0, "the lag")


async def test_exporter_watches_given_consumers_and_stops_despite_frozen_sources(
    own_kafka: ApacheKafka, postgres: OwnPostgres, tmp_path: Path
) -> None:
    url = postgres.start()
    engine = create_async_engine(url)
    await engine.dispose()
    port = free_port()
    (tmp_path / "payrouter.toml").write_text(
        f'[kafka]\nbootstrap_servers = "{own_kafka.bootstrap}"\n[database]\nurl = "{url}"\n'
        f"[exporter]\nmanagement_port = {port}\nevery_seconds = 0.1\n"
        'consumers = ["ledger"]\n'
    )
    command = (sys.executable, "-m", "consumers", "exporter", "--data-dir", str(tmp_path))
    process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stderr=PIPE)
    async with running(process, port) as exporter:
        # The tables are missing, which it reports; it is alive.
        await exporter.says(503, "ledger: ")
        await exporter.says(200, "last round", "/healthz")
        # It watches one consumer only, so stopped other consumers cause no warning.
        assert await exporter.measures("payrouter_brake_held", consumer="ledger")
        assert await exporter.measures("payrouter_brake_held", consumer="inventory") == []
        own_kafka.pause()
        postgres.pause()
        await asyncio.sleep(1)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(END_SECONDS * 10):
            assert await process.wait() == 0
        postgres.resume()
        own_kafka.resume()
        assert "exporter_stopped" in exporter.logged()
