"""The database of a deployment: its roles behind a pooler, their rights, and what is in it."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from consumers.configuration import every_consumer
from consumers.runtime.configured import Consumer
from consumers.runtime.store.table_rights import lacks, no_usage, table_needs
from router.commands.invocation import Invocation
from router.terminal.options import ConfigurationPlace
from tests.parts.databases import execute, fresh_database, server_of
from tests.parts.dev_process import Place
from tests.parts.edge.edge_command import NoConsumers
from tests.parts.pooler import pooler_of
from tests.parts.roles import RolesOfTest, roles_of

SESSIONS: Final = "6"
"""Sessions of the server that a role has: fewer than its processes have connections."""


EXPORTER: Final = "exporter"
EXPORTED: Final = ("fence", "held", "outbox")
"""Tables of each consumer that the exporter reads in every round, as the reader."""


@dataclass(frozen=True)
class TableRight:
    """A right of a process on a table of a schema, or to use the schema."""

    process: str
    role: str
    schema: str
    right: str
    table: str | None

    @property
    def what(self) -> str:
        """Name it."""
        on = f"{self.schema}.{self.table}" if self.table else f"schema {self.schema}"
        return f"{self.right} {on}"

    @property
    def sentence(self) -> str:
        """What the process reports without it, and doctor if it checks the role."""
        if self.process == EXPORTER:
            return f"the database role lacks a right on table {self.table} that {self.right} needs"
        if self.table is None:
            return no_usage(self.role, self.schema)
        return lacks(self.role, self.schema, self.table, [self.right])


@dataclass(frozen=True)
class Stores:
    """A database with the roles that `payrouter db roles` made."""

    roles: RolesOfTest
    urls: Mapping[str, str]
    """By role's purpose, the URL through the pooler."""
    folder: Path

    def rights(self) -> Mapping[str, Sequence[TableRight]]:
        """Return by process the rights that it needs."""
        place = ConfigurationPlace(self.folder / "payrouter.toml", self.folder)
        consumers = every_consumer(Invocation(place, NoConsumers()))
        reader = self.roles.name("reader")
        read = [
            TableRight(EXPORTER, reader, each.service.schema, "SELECT", table)
            for each in consumers
            for table in EXPORTED
        ]
        own = {each.service.name: list(_rights(each, self.roles)) for each in consumers}
        return {**own, EXPORTER: read}

    def take(self, right: TableRight) -> None:
        """Revoke a right."""
        execute(self.roles.url, f'REVOKE {right.right} ON {_of(right)} FROM "{right.role}"')

    def give(self, right: TableRight) -> None:
        """Grant it again."""
        execute(self.roles.url, f'GRANT {right.right} ON {_of(right)} TO "{right.role}"')

    def row(self, query: str) -> Sequence[Any]:
        """Return the only row of a query, asked from a thread without an event loop."""
        return asyncio.run(_row(self.roles.url, query))


def _rights(consumer: Consumer, roles: RolesOfTest) -> Iterator[TableRight]:
    service = consumer.service
    role = roles.name(service.name)
    yield TableRight(service.name, role, service.schema, "USAGE", None)
    for table, rights in table_needs(service).items():
        for right in rights:
            yield TableRight(service.name, role, service.schema, right, table)


def _of(right: TableRight) -> str:
    schema = f'"{right.schema}"'
    return f'{schema}."{right.table}"' if right.table else f"SCHEMA {schema}"


async def _row(url: str, query: str) -> Sequence[Any]:
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return tuple((await connection.execute(text(query))).one())
    finally:
        await engine.dispose()


@contextlib.contextmanager
def stores(folder: Path) -> Iterator[Stores]:
    """Run PostgreSQL and PgBouncer while the block does, with all roles."""
    folder.mkdir()
    with server_of(None) as server, fresh_database(server) as url, roles_of(url) as roles:
        (folder / "payrouter.toml").write_text(roles.tables(), encoding="utf-8")
        made = Place(folder).run("db", "roles", "--admin-url-file", roles.admin_file(folder))
        assert made.returncode == 0, made.stderr
        with pooler_of(url, roles.names, default_pool_size=SESSIONS) as pooler:
            purposes = {name.removesuffix(f"_{roles.mark}") for name in roles.names}
            urls = {name: pooler.url_of(roles.url_of(name)) for name in purposes}
            yield Stores(roles, urls, folder)
