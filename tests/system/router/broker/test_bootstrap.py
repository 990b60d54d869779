"""A client that is cancelled while it starts leaves no connection open."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiokafka import AIOKafkaProducer

from router.broker.adapter.bootstrap import watch_starts
from tests.parts.kafka.apache_kafka import ApacheKafka

pytestmark = pytest.mark.kafka


@dataclass
class Stalling:
    """A proxy to a broker that passes on only the first answer of each connection."""

    bootstrap: str
    port: int = 0
    asked_again: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a connection has sent a second request."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client has closed a connection."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen while the block runs."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            yield

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self.bootstrap.split(":")
        answers, requests = await asyncio.open_connection(host, int(port))
        requests.write(await reader.read(65536))
        writer.write(await answers.read(65536))
        await reader.read(65536)
        self.asked_again.set()
        await reader.read()
        self.ended.set()
        for each in (writer, requests):
            each.close()
            with contextlib.suppress(ConnectionError):
                await each.wait_closed()


async def test_cancelled_start_closes_its_connections(kafka: ApacheKafka) -> None:
    watch_starts()
    stalling = Stalling(kafka.bootstrap)
    async with stalling.running():
        producer = AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{stalling.port}")
        starting = asyncio.create_task(producer.start())
        await stalling.asked_again.wait()
        starting.cancel()
        await asyncio.wait({starting})
        await producer.stop()
        async with asyncio.timeout(10):
            await stalling.ended.wait()
    # Garbage collection of an open connection would have warned, and failed this test.
    assert starting.cancelled()
