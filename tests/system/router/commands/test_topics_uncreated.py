"""Only `topics apply` creates a topic, even on a Kafka that creates topics on request."""

import asyncio
import contextlib
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from router.broker.topics import creation as topic_creation
from router.broker.topics.creation import forbid_topic_creation
from tests.parts.broker.topic_admin import asking, names
from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.dev_process import Place
from tests.parts.edge.blockatm_requests import payment_webhook
from tests.parts.edge.edge_server import SECRET
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.leash import Leash
from tests.parts.ports import free_ports
from tests.parts.waiting import eventually, until

GENUINE = payment_webhook()
PROGRAMS = {"edge": ["edge"], "ledger": ["consume", "ledger"], "exporter": ["exporter"]}
COMMANDS = (
    ("quarantine", "list"),
    ("trace", "A-1"),
    ("topics", "apply", "--check"),
)


@pytest.fixture(scope="module")
def creating() -> Iterator[ApacheKafka]:
    """Give a Kafka that creates a topic when a client asks for its metadata."""
    kafka = ApacheKafka({"auto.create.topics.enable": "true"})
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.destroy()


async def ask_for(bootstrap: str, topic: str) -> None:
    """Request a topic by every kind of client, by a consumer from its first request on."""
    options = {"bootstrap_servers": bootstrap, "request_timeout_ms": 300}
    producer = AIOKafkaProducer(**options)
    reader = AIOKafkaConsumer(topic, **options)
    grouped = AIOKafkaConsumer(topic, group_id=f"{topic}.group", **options)
    async with asking(bootstrap) as admin:
        try:
            await producer.start()
            for asked in (producer.send_and_wait(topic, b"1"), reader.start(), grouped.start()):
                with contextlib.suppress(KafkaError):
                    await asked
            await admin.describe_topics([topic])
        finally:
            for client in (producer, reader, grouped):
                await client.stop()


@pytest.mark.kafka
async def test_no_client_of_aiokafka_creates_a_topic(
    creating: ApacheKafka, topics_prefix: str
) -> None:
    forbid_topic_creation()
    await ask_for(creating.bootstrap, f"{topics_prefix}none")

    assert f"{topics_prefix}none" not in await names(creating.bootstrap)


@pytest.mark.kafka
async def test_a_request_that_explicitly_allows_it_still_creates_a_topic(
    creating: ApacheKafka, topics_prefix: str
) -> None:
    forbid_topic_creation()
    topic = f"{topics_prefix}meant"
    async with asking(creating.bootstrap) as admin:
        request = MetadataRequest([topic], allow_auto_topic_creation=True)
        await admin._send_request(request)  # noqa: SLF001 - as aiokafka itself does

        async def listed() -> bool:
            return topic in await admin.list_topics()

        await eventually(listed, topic, seconds=30)


def test_a_version_that_cannot_forbid_it_is_not_spoken() -> None:
    forbid_topic_creation()
    with pytest.raises(KafkaError, match=r"older than Kafka 0\.11"):
        MetadataRequest(["payment"]).prepare({MetadataRequest.API_KEY: (0, 3)})
    asked = MetadataRequest(["payment"]).prepare({MetadataRequest.API_KEY: (0, 5)})
    assert asked.allow_auto_topic_creation is False
    assert MetadataRequest.build is topic_creation._build  # noqa: SLF001 - what is put in its place


@dataclass(frozen=True)
class Started:
    """Processes of payrouter before a broker without topics."""

    place: Place
    ports: dict[str, int]

    def readyz(self, name: str) -> str:
        """Return the answer of a process at /readyz, empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}/readyz") as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode()
        except OSError:
            return ""

    def deliver(self, body: bytes, headers: Sequence[tuple[str, str]]) -> int:
        """Send a webhook to the edge; return the status of its answer."""
        url = f"http://127.0.0.1:{self.ports['webhooks']}/webhooks/shop"
        request = urllib.request.Request(url, body, dict(headers))
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


@pytest.fixture(scope="module")
def started(
    creating: ApacheKafka, database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Started]:
    """Start edge, ledger and exporter before the broker, without `topics apply`."""
    place = Place(tmp_path_factory.mktemp("uncreated"))
    ports = free_ports(["webhooks", *PROGRAMS])
    with fresh_database(database_server) as url, contextlib.ExitStack() as stack:
        (place.folder / "payrouter.toml").write_text(configuration(creating, url, ports))
        upgraded = place.run("db", "upgrade")
        assert upgraded.returncode == 0, upgraded.stderr
        for words in PROGRAMS.values():
            stack.enter_context(process(place, words))
        yield Started(place, ports)


def configuration(kafka: ApacheKafka, url: str, ports: dict[str, int]) -> str:
    return f"""
[endpoints.shop]
provider = "blockatm"
account = "shop-eu"
secrets = ["{SECRET}"]
tolerance_seconds = 300000000
[edge]
port = {ports["webhooks"]}
management_port = {ports["edge"]}
[kafka]
bootstrap_servers = "{kafka.bootstrap}"
[database]
url = "{url}"
[topics]
partitions = 2
replication_factor = 1
min_insync_replicas = 1
check_seconds = 1
[exporter]
management_port = {ports["exporter"]}
[consumers.ledger]
management_port = {ports["ledger"]}
"""


@contextlib.contextmanager
def process(place: Place, words: Sequence[str]) -> Iterator[None]:
    """Run a process of payrouter while the block does."""
    with (place.folder / f"{words[-1]}.log").open("ab") as log:
        running = subprocess.Popen(
            place.command(*words),
            cwd=place.folder,
            env=place.variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    leash = Leash(running.pid, "KILL")
    try:
        yield
    finally:
        running.kill()
        running.wait()
        leash.release()


@pytest.mark.kafka
def test_no_process_and_no_command_creates_a_topic(started: Started, creating: ApacheKafka) -> None:
    there = asyncio.run(names(creating.bootstrap))
    for name in ("edge", "ledger"):
        said = until(lambda name=name: _missing(started.readyz(name)), f"{name} names a topic")  # type: ignore[misc] # a default holds the loop's variable
        assert "run `payrouter topics apply`" in said

    genuine = started.deliver(GENUINE.body, GENUINE.headers)
    forged = started.deliver(b"{}", GENUINE.headers)
    with ThreadPoolExecutor() as threads:
        ended = list(threads.map(lambda words: started.place.run(*words), COMMANDS))

    assert (genuine, forged) == (503, 401)
    assert [each.returncode for each in ended] == [1, 1, 1], ended
    until(lambda: started.readyz("exporter"), "the exporter answers")
    assert asyncio.run(names(creating.bootstrap)) - {"__consumer_offsets"} == there - {
        "__consumer_offsets"
    }


def _missing(said: str) -> str | None:
    return said if "there is no topic" in said else None


@pytest.mark.kafka
def test_once_they_are_made_everything_becomes_ready_by_itself(started: Started) -> None:
    made = started.place.run("topics", "apply", "--json")

    assert made.returncode == 0, made.stderr
    assert {each["result"] for each in json.loads(made.stdout)} == {"created"}
    until(lambda: "assigned and moving" in started.readyz("ledger"), "the ledger is ready")
    until(lambda: "events can be published" in started.readyz("edge"), "the edge is ready")
    assert started.deliver(GENUINE.body, GENUINE.headers) == 200
