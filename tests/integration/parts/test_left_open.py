"""A test that leaves a connection to PostgreSQL open fails itself."""

import asyncio
from contextlib import closing
from socket import socket

import asyncpg
import pytest
from sqlalchemy import make_url

from tests.parts.left_open import SOCKETS, pytest_runtest_teardown


class _Transport(asyncio.BaseTransport):
    """A transport with a socket, as a closed loop leaves it."""

    def __init__(self, left: socket) -> None:
        super().__init__({"socket": left})


async def _opened(url: str) -> asyncpg.Connection:
    dsn = make_url(url).set(drivername="postgresql")
    return await asyncpg.connect(dsn.render_as_string(hide_password=False))


def test_open_connection_of_a_closed_loop_fails_the_test_at_its_end() -> None:
    loop = asyncio.new_event_loop()
    with closing(socket()) as left:
        SOCKETS.note(loop, _Transport(left))
        loop.close()
        teardown = pytest_runtest_teardown()
        next(teardown)
        with pytest.raises(pytest.fail.Exception, match=r"connections left open: .*socket"):
            next(teardown)
    assert SOCKETS.take() == []


async def test_connection_of_a_running_loop_fails_nothing_yet(database_url: str) -> None:
    connection = await _opened(database_url)
    assert SOCKETS.take() == []
    await connection.close()
    assert SOCKETS.take() == []


async def test_closed_connection_fails_nothing(database_url: str) -> None:
    await (await _opened(database_url)).close()
    assert SOCKETS.take() == []
