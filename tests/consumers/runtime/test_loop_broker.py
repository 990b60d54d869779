"""A broker that goes away: the consumer says so, comes back by itself, and can be stopped."""

import gc
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime import client, subscription
from tests.brokers import Broker
from tests.consumers.runtime.counting import effects_of, id_of, numbered
from tests.consumers.runtime.members import Feed, eventually, feeding, halted, ready
from tests.kafka.apache_kafka import ApacheKafka

# A client closed while it connects to a frozen broker leaves that connection to the garbage.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Collect the garbage before another test has to answer for it."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give everything that has a deadline a short one."""
    monkeypatch.setattr(client, "SILENT_SECONDS", 1.0)
    monkeypatch.setattr(subscription, "STOP_SECONDS", 1.0)


@pytest.fixture
async def feed(
    own_kafka: ApacheKafka, counting: AsyncEngine, topics_prefix: str
) -> AsyncIterator[Feed]:
    """Give a topic on a broker of the test's own."""
    broker = Broker(own_kafka.bootstrap, "the test's own", real=True)
    async with feeding(broker, counting, topics_prefix) as feed:
        # A request to a frozen broker is given up before the test ends.
        feed.options["request_timeout_ms"] = 2000
        yield feed


async def test_a_consumer_outlives_its_broker(own_kafka: ApacheKafka, feed: Feed) -> None:
    await feed.send(map(numbered, range(10)))
    async with feed.member() as process:
        await feed.applied(10)
        own_kafka.kill()
        await halted(process, "cannot consume from the broker")
        assert process.alive().good
        own_kafka.start()
        await feed.send(map(numbered, range(10, 20)), partition=1)
        await feed.applied(20)
        own_kafka.pause()
        await halted(process, "cannot consume from the broker")
        own_kafka.resume()
        await feed.send(map(numbered, range(20, 30)), partition=2)
        await feed.applied(30)
        await ready(process)
    assert sorted(await effects_of(feed.engine)) == sorted(map(id_of, range(30)))


async def test_a_stop_does_not_wait_for_the_broker(own_kafka: ApacheKafka, feed: Feed) -> None:
    async with feed.member() as process:
        await ready(process)
        own_kafka.pause()
    own_kafka.resume()
    await eventually(lambda: not subscription._STOPPING, "the client's end")  # noqa: SLF001
