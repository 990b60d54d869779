"""What aiokafka's clients lack when they start: the reasons of a failure, and an end of all of it.

aiokafka logs why it could not connect to an address, and raises only that it could connect to none.
It holds the connection for its first metadata request in a local variable: it closes that on
errors, but not when the start is cancelled by a time-out or a shutdown.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import client
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from router.broker.adapter.causes import NoBrokerReached

_CONNECT: Final = client.create_conn
_BOOTSTRAP: Final = AIOKafkaClient.bootstrap


@dataclass
class _Start:
    """One start of a client: the connections that it opened, and why others could not be."""

    opened: list[tuple[str, Any]] = field(default_factory=list)
    failures: list[tuple[str, BaseException]] = field(default_factory=list)

    def reasons(self, error: BaseException) -> Sequence[tuple[str, BaseException]]:
        """Return why each address failed; `error` for those that could be connected to."""
        return [*self.failures, *((where, error) for where, _ in self.opened)]


_start: ContextVar[_Start | None] = ContextVar("start of a client", default=None)


def watch_starts() -> None:
    """Make every client of this process name its failures, and leave nothing if it is cancelled.

    Call it before the first client starts; a second call changes nothing.
    """
    client.create_conn = _connect
    AIOKafkaClient.bootstrap = _bootstrap


async def _connect(host: str, port: int, **options: Any) -> Any:  # noqa: ANN401 - aiokafka's
    start, where = _start.get(), f"{host}:{port}"
    # A connection with `on_close` is opened later by the client, which closes it itself.
    if start is None or "on_close" in options:
        return await _CONNECT(host, port, **options)
    try:
        connection = await _CONNECT(host, port, **options)
    except (TimeoutError, OSError, KafkaError) as error:
        start.failures.append((where, error))
        raise
    start.opened.append((where, connection))
    return connection


async def _bootstrap(starting: AIOKafkaClient) -> None:
    start = _Start()
    outer = _start.set(start)
    try:
        await _BOOTSTRAP(starting)
    except BaseException as error:
        for _, connection in start.opened:
            connection.close()
        failures = start.reasons(error) if isinstance(error, KafkaConnectionError) else ()
        if failures:
            raise NoBrokerReached(failures) from error
        raise
    finally:
        _start.reset(outer)
