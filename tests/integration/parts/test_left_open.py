"""A test that leaves a connection to PostgreSQL open fails itself."""

import asyncpg
import pytest
from sqlalchemy import make_url

from tests.parts.left_open import SOCKETS, pytest_runtest_teardown


async def _opened(url: str) -> asyncpg.Connection:
    dsn = make_url(url).set(drivername="postgresql")
    return await asyncpg.connect(dsn.render_as_string(hide_password=False))


async def test_open_connection_fails_the_test_at_its_end(
    database_url: str, request: pytest.FixtureRequest
) -> None:
    connection = await _opened(database_url)
    teardown = pytest_runtest_teardown(request.node, request.node)
    next(teardown)
    with pytest.raises(pytest.fail.Exception, match=r"connections left open: .*PGSQL"):
        next(teardown)
    await connection.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_connection_of_a_shared_loop_fails_the_last_test_of_the_module(
    database_url: str, request: pytest.FixtureRequest
) -> None:
    connection = await _opened(database_url)
    early = pytest_runtest_teardown(request.node, request.node)
    next(early)
    assert next(early, None) is None
    last = pytest_runtest_teardown(request.node, None)
    next(last)
    with pytest.raises(pytest.fail.Exception, match=r"connections left open: .*PGSQL"):
        next(last)
    await connection.close()


async def test_closed_connection_fails_nothing(database_url: str) -> None:
    await (await _opened(database_url)).close()
    assert SOCKETS.take() == []
