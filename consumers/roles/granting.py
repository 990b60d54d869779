"""Creates roles, makes one the owner of the tables, and gives the others exactly their rights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.roles.verifier import scram_verifier
from consumers.roles.wanted import READ, DatabaseRoles, Login, SchemaRoles
from consumers.runtime.store.statements import quoted

DEFAULT = ("INSERT", "SELECT")
"""Rights on the tables of later migrations: every table has them. `payrouter db upgrade` gives the
others."""


@dataclass
class Changes:
    """Executes statements in the caller's transaction, and remembers them without passwords."""

    connection: AsyncConnection
    done: list[str] = field(default_factory=list)

    async def make(self, statement: str, secret: str = "") -> None:
        """Execute a statement; `secret` is a part at its end that is not remembered."""
        self.done.append(statement)
        await self.connection.exec_driver_sql(statement + secret)


async def make_roles(changes: Changes, wanted: DatabaseRoles) -> None:
    """Make everything as wanted; the connection is that of an administrator."""
    await _create(changes, wanted)
    await _admit(changes, wanted)
    for each in wanted.schemas:
        await _own(changes, each.schema, wanted.owner.name)
    reader = wanted.reader.name if wanted.reader else None
    for each in wanted.schemas:
        await grant(changes, each, reader)
        await _grant_by_default(changes, wanted.owner.name, each, reader)


async def grant(changes: Changes, schema: SchemaRoles, reader: str | None) -> None:
    """Give consumer and reader their rights on a schema, no more and no less."""
    found = await _rights(changes.connection, schema.schema)
    roles = {schema.role: schema.rights} | ({reader: None} if reader else {})
    for role, rights in roles.items():
        if "USAGE" not in found.get((role, ""), ()):
            await changes.make(f"GRANT USAGE ON SCHEMA {quoted(schema.schema)} TO {quoted(role)}")
        for table in await _tables(changes.connection, schema.schema):
            wanted = READ if rights is None else rights.get(table, ())
            name = f"{quoted(schema.schema)}.{quoted(table)}"
            await _adjust(changes, name, role, set(wanted), found.get((role, table), set()))


async def grant_to_known(changes: Changes, schema: SchemaRoles) -> None:
    """Do the same for the consumer's role, which has exactly the rights by default of `db roles`.

    So the owner can give the rights on new tables without the URLs of the other roles. A reader
    has its rights on them by default.
    """
    owner = await changes.connection.scalar(text("SELECT CAST(current_user AS text)"))
    known = await _defaults(changes.connection, schema.schema, str(owner))
    for role, rights in known.items():
        if rights == set(DEFAULT):
            await grant(changes, replace(schema, role=role), None)


async def _adjust(
    changes: Changes, table: str, role: str, wanted: set[str], found: set[str]
) -> None:
    if wanted - found:
        rights = ", ".join(sorted(wanted - found))
        await changes.make(f"GRANT {rights} ON {table} TO {quoted(role)}")
    if found - wanted:
        rights = ", ".join(sorted(found - wanted))
        await changes.make(f"REVOKE {rights} ON {table} FROM {quoted(role)}")


async def _create(changes: Changes, wanted: DatabaseRoles) -> None:
    query = text("SELECT rolname FROM pg_roles WHERE rolname = ANY(:names)")
    names = [each.name for each in wanted.logins]
    known = set(await changes.connection.scalars(query, {"names": names}))
    for login in wanted.logins:
        if login.name not in known:
            await _create_one(changes, login)
            if login == wanted.reader:
                setting = "default_transaction_read_only = on"
                await changes.make(f"ALTER ROLE {quoted(login.name)} SET {setting}")


async def _create_one(changes: Changes, login: Login) -> None:
    secret = f" PASSWORD '{scram_verifier(login.password)}'" if login.password else ""
    await changes.make(f"CREATE ROLE {quoted(login.name)} LOGIN", secret)


async def _admit(changes: Changes, wanted: DatabaseRoles) -> None:
    """Let every role connect, the owner create schemas, and this user act for the owner."""
    query = text(
        "SELECT pg_get_userbyid(a.grantee) || ' ' || a.privilege_type FROM pg_database,"
        " aclexplode(datacl) AS a WHERE datname = current_database()"
    )
    found = set(await changes.connection.scalars(query))
    needs = [(login.name, "CONNECT") for login in wanted.logins]
    for name, right in [*needs, (wanted.owner.name, "CREATE")]:
        if f"{name} {right}" not in found:
            place = f"DATABASE {quoted(wanted.database)}"
            await changes.make(f"GRANT {right} ON {place} TO {quoted(name)}")
    acts = text("SELECT pg_has_role(CAST(:owner AS text), 'USAGE')")
    if not await changes.connection.scalar(acts, {"owner": wanted.owner.name}):
        await changes.make(f"GRANT {quoted(wanted.owner.name)} TO CURRENT_USER")


_OWNED = text(
    "SELECT 'SCHEMA' AS kind, '' AS name, pg_get_userbyid(nspowner) AS owner"
    " FROM pg_namespace WHERE nspname = :schema"
    " UNION ALL SELECT 'TABLE', relname, pg_get_userbyid(relowner) FROM pg_class"
    " WHERE relnamespace = to_regnamespace(:schema) AND relkind IN ('r', 'p')"
    " UNION ALL SELECT 'FUNCTION',"
    " proname || '(' || pg_get_function_identity_arguments(oid) || ')',"
    " pg_get_userbyid(proowner) FROM pg_proc WHERE pronamespace = to_regnamespace(:schema)"
)


async def _own(changes: Changes, schema: str, owner: str) -> None:
    """Make the owner's role own a schema and all in it; create the schema if it is missing."""
    rows = (await changes.connection.execute(_OWNED, {"schema": schema})).all()
    if not rows:
        await changes.make(f"CREATE SCHEMA {quoted(schema)} AUTHORIZATION {quoted(owner)}")
    for kind, name, current in rows:
        if current != owner:
            place = quoted(schema) + (f".{_name(kind, name)}" if name else "")
            await changes.make(f"ALTER {kind} {place} OWNER TO {quoted(owner)}")


def _name(kind: str, name: str) -> str:
    if kind != "FUNCTION":
        return quoted(name)
    function, parenthesis, arguments = name.partition("(")
    return quoted(function) + parenthesis + arguments


async def _grant_by_default(
    changes: Changes, owner: str, schema: SchemaRoles, reader: str | None
) -> None:
    found = await _defaults(changes.connection, schema.schema, owner)
    roles: Mapping[str, Sequence[str]] = {schema.role: DEFAULT} | ({reader: READ} if reader else {})
    for role, rights in roles.items():
        missing = [right for right in rights if right not in found.get(role, ())]
        if missing:
            await changes.make(
                f"ALTER DEFAULT PRIVILEGES FOR ROLE {quoted(owner)} IN SCHEMA"
                f" {quoted(schema.schema)} GRANT {', '.join(missing)} ON TABLES TO {quoted(role)}"
            )


async def _defaults(connection: AsyncConnection, schema: str, owner: str) -> dict[str, set[str]]:
    """Return by role the rights on tables that the owner makes in a schema later."""
    query = text(
        "SELECT pg_get_userbyid(a.grantee), a.privilege_type"
        " FROM pg_default_acl, aclexplode(defaclacl) AS a WHERE defaclobjtype = 'r'"
        " AND defaclnamespace = to_regnamespace(:schema) AND defaclrole = to_regrole(:owner)"
    )
    found: dict[str, set[str]] = {}
    place = {"schema": quoted(schema), "owner": quoted(owner)}
    for role, right in await connection.execute(query, place):
        found.setdefault(role, set()).add(right)
    return found


async def _tables(connection: AsyncConnection, schema: str) -> Sequence[str]:
    query = text(
        "SELECT relname FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace"
        " WHERE nspname = :schema AND relkind IN ('r', 'p') ORDER BY relname"
    )
    return (await connection.scalars(query, {"schema": schema})).all()


async def _rights(connection: AsyncConnection, schema: str) -> Mapping[tuple[str, str], set[str]]:
    """Return the rights of each role on each table of a schema; "" is the schema itself."""
    query = text(
        "SELECT pg_get_userbyid(a.grantee), relname, a.privilege_type"
        " FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace, aclexplode(relacl) AS a"
        " WHERE nspname = :schema AND relkind IN ('r', 'p')"
        " UNION ALL SELECT pg_get_userbyid(a.grantee), '', a.privilege_type"
        " FROM pg_namespace, aclexplode(nspacl) AS a WHERE nspname = :schema"
    )
    found: dict[tuple[str, str], set[str]] = {}
    for role, table, right in await connection.execute(query, {"schema": schema}):
        found.setdefault((role, table), set()).add(right)
    return found
