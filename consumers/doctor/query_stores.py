"""Reads what is checked from the database of a consumer, in a read-only transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.doctor.stores import StoreFound, StoreNeeds
from consumers.runtime.apply.failures import describe
from consumers.runtime.configured import Consumer
from consumers.runtime.store.engines import has_pooler, open_engine
from consumers.runtime.store.schema_version import histories, pending
from consumers.runtime.store.table_rights import held_rights, table_needs


class StoreUnanswered(Exception):  # noqa: N818 - named for what it is
    """The database cannot be read; the message has the cause."""


_SERVER = text(
    "SELECT current_setting('server_version_num')::int / 10000 AS version,"
    " current_setting('server_version') AS version_text, current_user AS role,"
    " pg_is_in_recovery() AS replica,"
    " current_setting('default_transaction_read_only')::bool AS read_only,"
    " (SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = :schema)"
    " AS usable"
)


def store_needs(consumer: Consumer) -> StoreNeeds:
    """Return the rights that a consumer's process needs on each of its tables."""
    service = consumer.service
    needs = table_needs(service)
    return StoreNeeds(service.name, service.schema, needs, consumer.settings.pooled)


async def query_store(consumer: Consumer, needs: StoreNeeds) -> StoreFound:
    """Return what the database reports; raises StoreUnanswered."""
    engine = open_engine(consumer.settings, "doctor")
    try:
        async with engine.connect() as connection:
            await connection.execution_options(postgresql_readonly=True)
            return await _queried(connection, consumer, needs)
    except (OSError, TimeoutError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as e:
        raise StoreUnanswered(describe(e)) from e
    finally:
        await engine.dispose()


async def _queried(
    connection: AsyncConnection, consumer: Consumer, needs: StoreNeeds
) -> StoreFound:
    server = (await connection.execute(_SERVER, {"schema": needs.schema})).mappings().one()
    found = StoreFound(
        **server,
        ahead_seconds=await _ahead(connection),
        pooler=await has_pooler(connection),
    )
    if not found.usable:
        return found
    rights = await held_rights(connection, needs.schema, needs.rights)
    return replace(
        found,
        outdated=await _outdated(connection, consumer, rights),
        rights=rights,
        clusters=await _clusters(connection, consumer, rights),
    )


async def _ahead(connection: AsyncConnection) -> float:
    """Return how far the database's clock is ahead; zero within the answer's time."""
    before = datetime.now(UTC)
    theirs: datetime = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
    after = datetime.now(UTC)
    nothing = timedelta()
    return (max(theirs - after, nothing) - max(before - theirs, nothing)).total_seconds()


async def _outdated(
    connection: AsyncConnection, consumer: Consumer, rights: Mapping[str, frozenset[str]]
) -> bool | None:
    """Return whether an upgrade would apply something; None if that may not be read."""
    tables = [history.version_table for history in histories(consumer.service)]
    if not all("SELECT" in rights.get(table, {"SELECT"}) for table in tables):
        return None
    return await pending(connection, consumer.service)


async def _clusters(
    connection: AsyncConnection, consumer: Consumer, rights: Mapping[str, frozenset[str]]
) -> Sequence[str]:
    fence = consumer.tables.fence
    if "SELECT" not in rights.get(fence.name, ()):
        return ()
    rows = await connection.scalars(select(fence.c.cluster_id).distinct())
    return sorted(rows)
