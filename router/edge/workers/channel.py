"""One end of the connection between the parent and a worker: messages in order, in frames."""

import asyncio
import contextlib
import socket
from typing import Generic, TypeVar

import msgspec

from router.edge.workers.messages import ToParent, ToWorker
from router.telemetry.snapshot import framed

_LENGTH_BYTES = 4

Received = TypeVar("Received")


class Channel(Generic[Received]):
    """Sends and receives messages; closed when either process ends."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        decoder: msgspec.msgpack.Decoder[Received],
    ) -> None:
        """Use the two sides of a connection."""
        self._reader, self._writer, self._decoder = reader, writer, decoder
        self._encoder = msgspec.msgpack.Encoder()

    async def send(self, message: ToWorker | ToParent) -> None:
        """Send a message; raises ConnectionError if the other process has ended."""
        self._writer.write(framed(self._encoder.encode(message)))
        await self._writer.drain()

    async def receive(self) -> Received | None:
        """Return the next message, None once the other process has closed its end."""
        try:
            length = int.from_bytes(await self._reader.readexactly(_LENGTH_BYTES), "big")
            return self._decoder.decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def close(self) -> None:
        """Close this end, after what was sent."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


async def to_parent(end: socket.socket) -> Channel[ToWorker]:
    """Return a worker's end."""
    return Channel(*await asyncio.open_unix_connection(sock=end), msgspec.msgpack.Decoder(ToWorker))


async def to_worker(end: socket.socket) -> Channel[ToParent]:
    """Return the parent's end."""
    return Channel(*await asyncio.open_unix_connection(sock=end), msgspec.msgpack.Decoder(ToParent))
