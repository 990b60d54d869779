"""A schema is upgraded to the code's version once, completely, by the first process."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.ledger.service import SERVICE as LEDGER
from consumers.runtime.apply.brake import holding, read_brakes
from consumers.runtime.migrations.environment import ATTRIBUTE, Target
from consumers.runtime.service import Service
from consumers.runtime.store import migrate
from consumers.runtime.store.migrate import upgrade
from consumers.runtime.store.schema_version import SchemaOutdated, pending, require_upgraded
from consumers.runtime.store.tables import RuntimeTables

RUNTIME = [f"runtime 000{number}" for number in range(1, 7)]
EVERYTHING = [*RUNTIME, *(f"ledger 000{number}" for number in range(1, 6))]

FENCE = (
    "INSERT INTO ledger.fence "
    "(cluster_id, topic, partition, first_offset, next_offset, applied, gaps) "
    "VALUES ('c', 'payment', 0, {first}, {next}, {applied}, {gaps})"
)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield the engine of an empty database."""
    engine = create_async_engine(database_url)
    try:
        yield engine
    finally:
        await engine.dispose()


async def is_pending(engine: AsyncEngine, service: Service) -> bool:
    async with engine.connect() as connection:
        return await pending(connection, service)


async def run(engine: AsyncEngine, statement: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement))


async def test_upgrade_applies_the_scripts_of_the_runtime_then_of_the_service(
    engine: AsyncEngine,
) -> None:
    assert await upgrade(engine, LEDGER) == EVERYTHING
    assert await upgrade(engine, LEDGER) == []


async def test_brake_of_the_consumer_becomes_a_brake_of_each_of_its_topics(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = "INSERT INTO ledger.brake (id, streak) VALUES (1, 0) ON CONFLICT DO NOTHING"
    with monkeypatch.context() as before:
        before.setattr(migrate, "_apply", partial(_apply_up_to, "0003"))
        await upgrade(engine, LEDGER)
    await run(engine, held)
    await run(engine, "UPDATE ledger.brake SET streak = 20, held_since = now(), detail = 'why'")
    for topic in ("payment", "payout"):
        await run(
            engine,
            "INSERT INTO ledger.fence (cluster_id, topic, partition, first_offset, next_offset)"
            f" SELECT 'c', '{topic}', n, 0, 0 FROM generate_series(0, 3) n",
        )
    assert await upgrade(engine, LEDGER) == EVERYTHING[3:]
    async with engine.connect() as connection:
        tables = RuntimeTables.of("ledger")
        brakes = await read_brakes(connection, tables)
        ids = await connection.scalars(select(tables.fence.c.topic_id))
        assert set(ids) == {None}
    assert [(each.topic, each.streak, each.detail) for each in brakes.values()] == [
        ("payment", 20, "why"),
        ("payout", 20, "why"),
    ]
    assert holding(brakes) == brakes


def _apply_up_to(revision: str, connection: Connection, history: Any) -> None:  # noqa: ANN401
    """Apply the runtime's scripts up to a revision, and none of the service."""
    if history.name != "runtime":
        return
    config = migrate.config_of(history)
    config.attributes[ATTRIBUTE] = Target(connection, history.schema, history.version_table)
    command.upgrade(config, revision)


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the scripts of a new package, whose name is the one of its folder."""
    versions = tmp_path / f"branched_{uuid4().hex}" / "migrations" / "versions"
    versions.mkdir(parents=True)
    for folder in (versions.parent.parent, versions.parent, versions):
        (folder / "__init__.py").touch()
    environment = "from consumers.runtime.migrations.environment import run\n\nrun()\n"
    (versions.parent / "env.py").write_text(environment)
    monkeypatch.syspath_prepend(tmp_path)
    return versions


def with_scripts(versions: Path) -> Service:
    return replace(LEDGER, migrations=f"{versions.parts[-3]}.migrations")


def write_script(versions: Path, revision: str, depends_on: str | None = None) -> None:
    constants = f"revision = {revision!r}\ndown_revision = None\ndepends_on = {depends_on!r}\n"
    (versions / f"{revision}.py").write_text(f"{constants}def upgrade(): pass\n")


async def test_branch_added_to_an_applied_one_is_pending_until_it_is_applied(
    engine: AsyncEngine, versions: Path
) -> None:
    service = with_scripts(versions)
    write_script(versions, "one")
    assert await upgrade(engine, service) == [*RUNTIME, "ledger one"]
    write_script(versions, "two")
    assert await is_pending(engine, service)
    assert await upgrade(engine, service) == ["ledger two"]
    assert not await is_pending(engine, service)


async def test_schema_whose_scripts_depend_on_each_other_is_complete_after_its_upgrade(
    engine: AsyncEngine, versions: Path
) -> None:
    service = with_scripts(versions)
    write_script(versions, "one")
    write_script(versions, "two", depends_on="one")
    await upgrade(engine, service)
    assert not await is_pending(engine, service)
    assert await upgrade(engine, service) == []


async def test_two_concurrent_upgrades_apply_everything_once(
    engine: AsyncEngine, database_url: str
) -> None:
    other = create_async_engine(database_url)
    both = await asyncio.gather(upgrade(engine, LEDGER), upgrade(other, LEDGER))
    await other.dispose()
    assert sorted(map(len, both)) == [0, len(EVERYTHING)]


async def test_schema_is_pending_until_it_is_upgraded(engine: AsyncEngine) -> None:
    assert await is_pending(engine, LEDGER)
    await upgrade(engine, LEDGER)
    assert not await is_pending(engine, LEDGER)


async def test_schema_with_only_the_runtime_part_is_pending(engine: AsyncEngine) -> None:
    await upgrade(engine, LEDGER)
    await run(engine, "DELETE FROM ledger.ledger_version")
    assert await is_pending(engine, LEDGER)


async def test_old_schema_is_refused_with_the_command_that_upgrades_it(
    engine: AsyncEngine,
) -> None:
    async with engine.connect() as connection:
        with pytest.raises(SchemaOutdated, match="run `payrouter db upgrade`"):
            await require_upgraded(connection, LEDGER)
    await upgrade(engine, LEDGER)
    async with engine.connect() as connection:
        await require_upgraded(connection, LEDGER)


async def test_schema_newer_than_the_code_is_left_alone(engine: AsyncEngine) -> None:
    await upgrade(engine, LEDGER)
    await run(engine, "UPDATE ledger.ledger_version SET version_num = '9999'")
    assert not await is_pending(engine, LEDGER)
    assert await upgrade(engine, LEDGER) == []


async def test_failing_script_leaves_nothing_behind(engine: AsyncEngine) -> None:
    await run(engine, "CREATE SCHEMA ledger")
    await run(engine, "CREATE TABLE ledger.posting (in_the_way int)")
    with pytest.raises(DBAPIError):
        await upgrade(engine, LEDGER)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT to_regclass('ledger.fence')")) is None


@pytest.fixture
async def clerk(engine: AsyncEngine, database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield the engine of a role that owns the schema `ledger` and cannot create others."""
    role = f"payrouter_test_{uuid4().hex[:12]}"
    await run(engine, f"CREATE ROLE {role}")
    await run(engine, f"CREATE SCHEMA ledger AUTHORIZATION {role}")
    settings = {"server_settings": {"role": role}}
    clerk = create_async_engine(database_url, connect_args=settings)
    yield clerk
    await clerk.dispose()
    await run(engine, f"DROP OWNED BY {role}")
    await run(engine, f"DROP ROLE {role}")


async def test_role_without_create_privilege_upgrades_an_existing_schema(
    clerk: AsyncEngine,
) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        await run(clerk, "CREATE SCHEMA another")
    assert await upgrade(clerk, LEDGER) == EVERYTHING


async def test_two_consumers_share_a_database_each_with_its_own_schema(
    engine: AsyncEngine,
) -> None:
    other = replace(LEDGER, name="second", tables=MetaData(schema="Second one"))
    await upgrade(engine, LEDGER)
    assert await upgrade(engine, other) == [
        *RUNTIME,
        *(f"second 000{number}" for number in range(1, 6)),
    ]
    assert not await is_pending(engine, other)


async def test_upgrade_does_not_change_the_logging(engine: AsyncEngine) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("sqlalchemy").level)
    await upgrade(engine, LEDGER)
    after = (root.level, list(root.handlers), logging.getLogger("sqlalchemy").level)
    assert after == before
    assert not logging.getLogger("consumers").disabled


async def test_scripts_create_the_tables_that_the_code_describes(engine: AsyncEngine) -> None:
    await upgrade(engine, LEDGER)
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences) == []


def _differences(connection: Connection) -> list[object]:
    options = {
        "include_schemas": True,
        "include_name": lambda name, kind, _: kind != "schema" or name == "ledger",
        "compare_type": True,
        "compare_server_default": True,
    }
    context = MigrationContext.configure(connection, opts=options)
    described = [RuntimeTables.of("ledger").metadata, LEDGER.tables]
    both = MetaData()
    for metadata in described:
        for table in metadata.tables.values():
            table.to_metadata(both)
    found = compare_metadata(context, both)
    return [each for each in found if not _is_version_table(each)]


def _is_version_table(difference: tuple[object, ...]) -> bool:
    return difference[0] == "remove_table" and str(difference[1]).endswith("_version")


async def test_fence_cannot_move_below_its_first_offset(engine: AsyncEngine) -> None:
    await upgrade(engine, LEDGER)
    with pytest.raises(DBAPIError, match="fence_moves_forward"):
        await run(engine, FENCE.format(first=5, next=4, applied=-1, gaps=0))


async def test_fence_must_count_every_passed_offset(engine: AsyncEngine) -> None:
    await upgrade(engine, LEDGER)
    await run(engine, FENCE.format(first=5, next=9, applied=3, gaps=1))
    with pytest.raises(DBAPIError, match="fence_counts_every_offset"):
        await run(engine, "UPDATE ledger.fence SET next_offset = 10")


DEADLOCK = "DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '{state}'; END $$"


@pytest.mark.parametrize(("state", "passes"), [("40P01", True), ("42501", False)])
async def test_upgrade_that_deadlocks_with_a_consumer_is_tried_again_as_a_whole(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, state: str, *, passes: bool
) -> None:
    real, failures = migrate._apply, iter(range(2))  # noqa: SLF001 - replaces a script

    def apply(connection: Connection, history: Any) -> None:  # noqa: ANN401
        real(connection, history)
        if history.name != "runtime" and next(failures, None) is not None:
            connection.execute(text(DEADLOCK.format(state=state)))

    monkeypatch.setattr(migrate, "_apply", apply)
    if passes:
        assert await upgrade(engine, LEDGER) == EVERYTHING
    else:
        with pytest.raises(DBAPIError):
            await upgrade(engine, LEDGER)
        assert await is_pending(engine, LEDGER)
