"""A database password that is rotated is used at the next connection."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.runtime.apply.failures import Action, Phase, decide
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store.database import (
    StoreAway,
    transaction_of,
)
from consumers.runtime.store.engines import open_engine, open_patient_engine
from router.configuration.settings import database_url_now, read_database
from router.contract.topics import Topics
from tests.parts.connections import connection_to
from tests.parts.databases import own_postgres

_OLD, _NEW = "old-hidden-0123456789", "new-hidden-0123456789"
_ROLE = "rotating"


@pytest.fixture
def server() -> Iterator[str]:
    """Run a PostgreSQL for this test alone; yield the URL of its superuser."""
    with own_postgres() as postgres:
        yield postgres.start()


async def _executed(url: str, *statements: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


async def _with_a_role(url: str) -> None:
    """Create a role that must give its password, even if other roles need none."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        path = str(await connection.scalar(text("SHOW hba_file")))
    await engine.dispose()
    await asyncio.to_thread(_ask_for_the_password, Path(path))
    await _executed(url, f"CREATE ROLE {_ROLE} LOGIN PASSWORD '{_OLD}'", "SELECT pg_reload_conf()")


def _ask_for_the_password(hba: Path) -> None:
    lines = [f"local all {_ROLE} scram-sha-256", f"host all {_ROLE} all scram-sha-256"]
    hba.write_text("\n".join([*lines, hba.read_text()]))


def _url_with(url: str, password: str) -> str:
    changed = make_url(url).set(username=_ROLE, password=password)
    return changed.render_as_string(hide_password=False)


async def _name(engine: AsyncEngine) -> str:
    async with transaction_of(engine) as transaction:
        return str(await transaction.scalar(text("SELECT current_user")))


@pytest.mark.parametrize("opened", [open_engine, open_patient_engine])
async def test_engine_connects_with_the_current_password(
    server: str, tmp_path: Path, opened: Callable[[ConsumerSettings], AsyncEngine]
) -> None:
    await _with_a_role(server)
    file = tmp_path / "database_url"
    file.write_text(_url_with(server, _OLD) + "\n")
    database = read_database({"url_file": str(file)}, "database")
    url_now = database_url_now(database, "database")
    settings = ConsumerSettings(
        "ledger",
        connection_to(),
        SecretStr(url_now()),
        Topics(),
        Tuning(),
        database_url_now=url_now,
    )
    engine = opened(settings)

    before = await _name(engine)
    # Rotated at the server first, and all sessions are terminated.
    await _executed(
        server,
        f"ALTER ROLE {_ROLE} PASSWORD '{_NEW}'",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{_ROLE}'",
    )
    await engine.dispose()
    with pytest.raises(StoreAway) as away:
        await _name(engine)
    draft = tmp_path / "draft"
    draft.write_text("\ufeff" + _url_with(server, _NEW) + "\r\n")
    await asyncio.to_thread(draft.replace, file)
    after = await _name(engine)
    await engine.dispose()

    assert (before, after) == (_ROLE, _ROLE)
    # The consumer waits for the new password, and loses nothing.
    assert decide(away.value, Phase.START) is Action.RETRY
    assert _NEW not in repr(settings)
