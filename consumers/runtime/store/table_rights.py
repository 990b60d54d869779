"""Rights of a consumer's role on its tables: what it needs, and what the database reports."""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.service import Service
from consumers.runtime.store.schema_version import histories
from consumers.runtime.store.tables import RuntimeTables, needed_rights

_RIGHTS = text(
    "SELECT c.relname, (SELECT array_agg(r) FROM unnest(CAST(:rights AS text[])) AS r"
    " WHERE has_table_privilege(c.oid, r))"
    " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE n.nspname = :schema AND c.relkind IN ('r', 'p')"
)

_ROLE = text(
    "SELECT current_user,"
    " (SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = :schema)"
)


def table_needs(service: Service) -> Mapping[str, Sequence[str]]:
    """Return by table the rights that a consumer's process needs."""
    runtime = RuntimeTables.of(service.schema).metadata.sorted_tables
    versions = {history.version_table: ("SELECT",) for history in histories(service)}
    tables = [*runtime, *service.tables.sorted_tables]
    return versions | {table.name: needed_rights(table) for table in tables}


async def held_rights(
    connection: AsyncConnection, schema: str, needs: Mapping[str, Sequence[str]]
) -> Mapping[str, frozenset[str]]:
    """Return by table which of these rights the role has."""
    asked = sorted({right for rights in needs.values() for right in rights})
    rows = await connection.execute(_RIGHTS, {"schema": schema, "rights": asked})
    return {name: frozenset(rights or ()) for name, rights in rows}


async def lacked_rights(connection: AsyncConnection, service: Service) -> Sequence[str]:
    """Return a sentence for each table on which the role lacks rights, with the remedy."""
    schema, needs = service.schema, table_needs(service)
    role, usable = (await connection.execute(_ROLE, {"schema": schema})).one()
    if usable is False:
        return [f"{no_usage(role, schema)}; grant: {usage_grant(role, schema)}"]
    held = await held_rights(connection, schema, needs)
    return [
        f"{lacks(role, schema, table, rights)}; grant: {grant(role, schema, table, rights)}"
        for table, rights in missing_rights(needs, held)
    ]


def missing_rights(
    needs: Mapping[str, Sequence[str]], held: Mapping[str, frozenset[str]]
) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield each table that exists with the rights on it that are missing, if there are any."""
    for table, rights in needs.items():
        missing = [right for right in rights if right not in held.get(table, rights)]
        if missing:
            yield table, missing


def lacks(role: str, schema: str, table: str, rights: Sequence[str]) -> str:
    """Name the rights that a role lacks on a table."""
    return f"the role {role} lacks {', '.join(rights)} on {schema}.{table}"


def grant(role: str, schema: str, table: str, rights: Sequence[str]) -> str:
    """Return the statement that grants rights on a table."""
    return f'GRANT {", ".join(rights)} ON "{schema}"."{table}" TO "{role}"'


def no_usage(role: str, schema: str) -> str:
    """Name the schema that a role may not use."""
    return f"the role {role} may not use the schema {schema}"


def usage_grant(role: str, schema: str) -> str:
    """Return the statement that lets a role use a schema."""
    return f'GRANT USAGE ON SCHEMA "{schema}" TO "{role}"'
