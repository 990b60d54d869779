"""Whether a consumer's schema is as new as its code, without Alembic.

Every process of a consumer asks this when it starts. Alembic, which applies the scripts, would
add 11 MiB to each of them, so the revisions are read from the text of the scripts.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from sqlalchemy import column, func, select, table
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.service import Service


class SchemaOutdated(Exception):  # noqa: N818 - named for what it is
    """The schema is missing or older than the code; the message names the command to run."""


@dataclass(frozen=True)
class History:
    """A package of migration scripts, and the table that holds the revisions applied."""

    name: str
    package: str
    schema: str

    @property
    def version_table(self) -> str:
        """The table Alembic keeps the applied revisions in."""
        return f"{self.name}_version"


def histories(service: Service) -> Sequence[History]:
    """Return the histories of a consumer's schema: the runtime's first, then its own."""
    return (
        History("runtime", "consumers.runtime.migrations", service.schema),
        History(service.name, service.migrations, service.schema),
    )


async def require_upgraded(connection: AsyncConnection, service: Service) -> None:
    """Return if the schema is as new as the code, raise SchemaOutdated if it is older."""
    if await pending(connection, service):
        message = (
            f"the database schema {service.schema!r} is older than this version of "
            f"{service.name}: run `payrouter db upgrade`"
        )
        raise SchemaOutdated(message)


async def pending(connection: AsyncConnection, service: Service) -> bool:
    """Return whether the schema is older than the code: `upgrade` would apply something."""
    for history in histories(service):
        if is_older(parents_of(history.package), await _applied(connection, history)):
            return True
    return False


def parents_of(package: str) -> Mapping[str, Sequence[str]]:
    """Return the revisions of a package of scripts, each with those it builds on."""
    scripts = [each for each in files(f"{package}.versions").iterdir() if each.name.endswith(".py")]
    found = (dict(_constants(script.read_text(encoding="utf-8"))) for script in scripts)
    return {
        str(script["revision"]): (
            *_names(script.get("down_revision")),
            # Alembic stores no revision on which an applied one depends.
            *_names(script.get("depends_on")),
        )
        for script in found
        if "revision" in script
    }


def _constants(text: str) -> Iterator[tuple[str, object]]:
    """Return the revision of a script and those it builds on, which are literals."""
    for statement in ast.parse(text).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        if name in {"revision", "down_revision", "depends_on"}:
            yield name, ast.literal_eval(value)


def _names(value: object) -> Sequence[str]:
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)


async def _applied(connection: AsyncConnection, history: History) -> Sequence[str]:
    name = f'"{history.schema}"."{history.version_table}"'
    if (await connection.execute(select(func.to_regclass(name)))).scalar_one() is None:
        return ()
    versions = table(history.version_table, column("version_num"), schema=history.schema)
    return (await connection.execute(select(versions.c.version_num))).scalars().all()


def is_older(parents: Mapping[str, Sequence[str]], applied: Sequence[str]) -> bool:
    """Return whether some revision in `parents` is neither applied nor below one that is."""
    if any(revision not in parents for revision in applied):
        # A later version of the code applied it and was rolled back since.
        return False
    reached: set[str] = set()
    waiting = list(applied)
    while waiting:
        revision = waiting.pop()
        if revision not in reached:
            reached.add(revision)
            # A dependency may be the label of a branch instead of a revision.
            waiting += parents.get(revision, ())
    return not reached.issuperset(parents)
