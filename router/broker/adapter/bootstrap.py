"""A client that is cancelled while it starts leaves no connection open.

aiokafka keeps the connection that it asks for the first metadata in a local variable, and closes
it on errors, but not when the start is cancelled: by a deadline, or because the process stops.
"""

from contextvars import ContextVar
from typing import Any, Final

from aiokafka import client
from aiokafka.client import AIOKafkaClient

_CONNECT: Final = client.create_conn
_BOOTSTRAP: Final = AIOKafkaClient.bootstrap
_opened: ContextVar[list[Any] | None] = ContextVar("connections of a start", default=None)


def close_cancelled_starts() -> None:
    """Have every client of this process close what its start opened if that is cancelled.

    Call it before the first client starts; a second call changes nothing.
    """
    client.create_conn = _connect
    AIOKafkaClient.bootstrap = _bootstrap


async def _connect(*where: Any, **options: Any) -> Any:  # noqa: ANN401 - aiokafka's
    connection = await _CONNECT(*where, **options)
    opened = _opened.get()
    # Others, which a task of the client opens later, it keeps and closes itself.
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
