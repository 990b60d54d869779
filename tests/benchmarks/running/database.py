"""A PostgreSQL with the durability of its defaults, whose process is known."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import make_url

from router.evaluation.embedded import EvaluationDatabase
from tests.benchmarks.running.clocks import family_seconds
from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.folders import server_folder
from tests.parts.leash import Leash


@dataclass(frozen=True)
class Database:
    """A running PostgreSQL and an empty database in it."""

    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """Return the CPU time of the server, of all its processes."""
        return family_seconds(self.pid)


@contextlib.contextmanager
def started_database() -> Iterator[Database]:
    """Run PostgreSQL until the block ends; it stores the time of each commit.

    Its data are in memory if there is room, where a flush to disk costs nothing.
    """
    folder = server_folder("postgres")
    evaluation = EvaluationDatabase(folder)
    try:
        _restarted_with_commit_times(evaluation)
        url = evaluation.url()
        leash = Leash(evaluation.pid, "QUIT")
        with fresh_database(DatabaseServer(url, "benchmark")) as fresh:
            yield Database(fresh, evaluation.pid)
        evaluation.stop()
        leash.release()
    finally:
        evaluation.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _restarted_with_commit_times(evaluation: EvaluationDatabase) -> None:
    asyncio.run(_execute(evaluation.start(), "ALTER SYSTEM SET track_commit_timestamp = on"))
    evaluation.stop()
    evaluation.start()


async def _execute(url: str, statement: str) -> None:
    async with connected(url) as connection:
        await connection.execute(statement)


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    """Connect with the driver alone; asyncpg publishes no types."""
    target = make_url(url)
    arguments, options = target.get_dialect()().create_connect_args(target)
    connection = await asyncpg.connect(*arguments, **options)
    try:
        yield connection
    finally:
        await connection.close()
