"""Closes the connection of a client that is cancelled while it starts.

aiokafka holds the connection for its first metadata request in a local variable. It closes the
connection on errors, but not when the start is cancelled by a time-out or a shutdown.
"""

from contextvars import ContextVar
from typing import Any, Final

from aiokafka import client
from aiokafka.client import AIOKafkaClient

_CONNECT: Final = client.create_conn
_BOOTSTRAP: Final = AIOKafkaClient.bootstrap
_opened: ContextVar[list[Any] | None] = ContextVar("connections of a start", default=None)


def close_cancelled_starts() -> None:
    """Make every client of this process close its connections if its start is cancelled.

    Call it before the first client starts; a second call changes nothing.
    """
    client.create_conn = _connect
    AIOKafkaClient.bootstrap = _bootstrap


async def _connect(*where: Any, **options: Any) -> Any:  # noqa: ANN401 - aiokafka's
    connection = await _CONNECT(*where, **options)
    opened = _opened.get()
    # A connection with `on_close` is opened later by the client, which closes it itself.
    if opened is not None and "on_close" not in options:
        opened.append(connection)
    return connection


async def _bootstrap(starting: AIOKafkaClient) -> None:
    opened: list[Any] = []
    outer = _opened.set(opened)
    try:
        await _BOOTSTRAP(starting)
    except BaseException:
        for connection in opened:
            connection.close()
        raise
    finally:
        _opened.reset(outer)
