"""The work of `payrouter db roles`, and of the rights after an upgrade."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from pydantic import SecretStr
from sqlalchemy import func, make_url, select

from consumers.configuration import every_consumer
from consumers.roles.granting import Changes, grant, grant_to_known, make_roles
from consumers.roles.wanted import (
    DatabaseRoles,
    owner_of,
    reader_of,
    schema_roles,
    wanted_roles,
)
from consumers.runtime.configured import Consumer
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import unavailability_explained
from consumers.runtime.store.engines import open_patient_engine
from consumers.runtime.store.migrate import LOCK
from router.commands.invocation import Invocation
from router.configuration.settings import read_database
from router.errors import ConfigurationError
from router.terminal.output import show_json, show_table
from router.terminal.processes import run_async


def make_and_show(
    invocation: Invocation, admin_url_file: Path | None, *, only_print: bool, as_json: bool
) -> None:
    """Make the roles of every database and print each statement; `only_print` keeps nothing."""
    admin = None if admin_url_file is None else _read_url(admin_url_file)
    done: dict[str, Sequence[str]] = {}
    for wanted, consumer in wanted_roles(every_consumer(invocation)):
        settings = _administering(consumer.settings, wanted.database, admin)
        made = run_async(_made(settings, wanted, keep=not only_print))
        done[wanted.database] = [*done.get(wanted.database, ()), *made]
    if as_json:
        show_json(done)
    elif only_print:
        _print_script(done)
    else:
        rows = [(name, each) for name, made in done.items() for each in made or ["nothing to do"]]
        show_table("", ("database", "executed"), rows)


def _print_script(done: dict[str, Sequence[str]]) -> None:
    for database, statements in done.items():
        click.echo(f"-- database {database}; set the password of a new role by \\password ROLE")
        click.echo("".join(f"{each};\n" for each in statements), nl=False)


def _read_url(file: Path) -> SecretStr:
    try:
        url = read_database({"url_file": str(file)}, "--admin-url-file").url
    except ConfigurationError as error:
        raise click.UsageError("; ".join(error.problems)) from None
    assert url is not None  # noqa: S101 - the file was given
    return url


def _administering(
    settings: ConsumerSettings, database: str, admin: SecretStr | None
) -> ConsumerSettings:
    """Return settings to connect to a database as administrator, or as its owner."""
    given = admin or settings.owner_url or settings.database_url
    url = make_url(given.get_secret_value()).set(database=database)
    text = SecretStr(url.render_as_string(hide_password=False))
    return replace(settings, database_url=text, database_url_now=None)


async def _made(settings: ConsumerSettings, wanted: DatabaseRoles, *, keep: bool) -> Sequence[str]:
    engine = open_patient_engine(settings, "roles")
    try:
        with unavailability_explained(settings):
            async with engine.connect() as connection:
                changes = Changes(connection)
                await connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
                await make_roles(changes, wanted)
                await (connection.commit() if keep else connection.rollback())
                return changes.done
    finally:
        await engine.dispose()


def upgrading(settings: ConsumerSettings) -> ConsumerSettings:
    """Return settings to upgrade with: as the owner, if there is a separate one."""
    if settings.owner_url is None:
        return settings
    return replace(settings, database_url=settings.owner_url, database_url_now=None)


async def grant_after_upgrade(consumer: Consumer) -> None:
    """Give the rights on new tables to the roles of a consumer, if another role owns the tables.

    A configuration with one URL may be that of the owner alone, as a job has it.
    """
    owner, reader, schema = owner_of(consumer), reader_of(consumer), schema_roles(consumer)
    engine = open_patient_engine(upgrading(consumer.settings), "upgrade")
    try:
        with unavailability_explained(consumer.settings):
            async with engine.begin() as connection:
                await connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
                if owner is None or owner.name == schema.role:
                    await grant_to_known(Changes(connection), schema)
                else:
                    await grant(Changes(connection), schema, reader.name if reader else None)
    finally:
        await engine.dispose()
