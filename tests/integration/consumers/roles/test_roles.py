"""`payrouter db roles` on a real PostgreSQL: exactly the needed rights, and each is missed."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from structlog.testing import capture_logs

from consumers.configuration import every_consumer
from consumers.doctor.query_stores import query_store, store_needs
from consumers.doctor.results import CheckResult, CheckState
from consumers.doctor.stores import judge_store
from consumers.runtime.apply.failures import describe
from consumers.runtime.configured import Consumer
from consumers.runtime.member.watches import StoreWatch
from consumers.runtime.store.engines import open_engine
from consumers.runtime.store.statements import quoted
from router.commands.invocation import Invocation
from router.telemetry.logs import get_log
from router.telemetry.management import Health
from router.terminal.options import ConfigurationPlace
from tests.parts.cli_in_process import Command, commands_in
from tests.parts.databases import DatabaseServer, execute, fresh_database
from tests.parts.edge.edge_command import NoConsumers
from tests.parts.roles import RolesOfTest, roles_of
from tests.parts.waiting import eventually


@pytest.fixture
def roles(database_server: DatabaseServer) -> Iterator[RolesOfTest]:
    """Give an empty database and names for its roles."""
    with fresh_database(database_server) as url, roles_of(url) as named:
        yield named


@pytest.fixture
def payrouter(
    roles: RolesOfTest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    (tmp_path / "payrouter.toml").write_text(roles.tables(), encoding="utf-8")
    return commands_in(tmp_path, monkeypatch, capsys)


def made(payrouter: Command, roles: RolesOfTest, *options: str) -> Sequence[str]:
    """Make the roles and return what was executed."""
    admin = roles.admin_file(Path.cwd())
    said = payrouter("db", "roles", "--admin-url-file", admin, "--json", *options)
    assert roles.password() not in said.out + said.err
    (statements,) = said.json.values()
    return list(statements)


def consumers_of(folder: Path) -> Sequence[Consumer]:
    place = ConfigurationPlace(folder / "payrouter.toml", folder)
    return every_consumer(Invocation(place, NoConsumers()))


def examined(consumers: Sequence[Consumer]) -> Sequence[CheckResult]:
    """Return what doctor finds wrong with the stores."""

    async def judged(consumer: Consumer) -> Sequence[CheckResult]:
        needs = store_needs(consumer)
        return list(judge_store(await query_store(consumer, needs), needs))

    async def every() -> Sequence[CheckResult]:
        return [result for each in consumers for result in await judged(each)]

    return [each for each in asyncio.run(every()) if each.state is not CheckState.OK]


def test_roles_are_printed_made_and_then_there(
    payrouter: Command, roles: RolesOfTest, tmp_path: Path
) -> None:
    printed = made(payrouter, roles, "--print")
    assert made(payrouter, roles, "--print") == printed
    assert made(payrouter, roles) == printed
    # The owner alone, as a job has it, gives the others their rights.
    own, configured = tmp_path / "payrouter.toml", roles.tables()
    own.write_text(f'[database]\nurl = "{roles.url_of("owner")}"', encoding="utf-8")
    assert payrouter("db", "upgrade").status == 0
    own.write_text(configured, encoding="utf-8")

    assert made(payrouter, roles) == []
    assert examined(consumers_of(tmp_path)) == []
    script = payrouter("db", "roles", "--admin-url-file", roles.admin_file(tmp_path), "--print")
    assert script.out.startswith("-- database ")

    # Listings connect with the reader's URL, and what may be acted on does not.
    elsewhere = roles.url_of("reader").replace(f"reader_{roles.mark}", "nobody_at_all")
    tables = roles.tables().replace(roles.url_of("reader"), elsewhere)
    own.write_text(tables, encoding="utf-8")
    assert "nobody_at_all" in payrouter("ledger", "balance").err
    assert payrouter("brake", "show", "ledger").status == 0


def test_a_database_of_one_role_is_taken_over(
    payrouter: Command, roles: RolesOfTest, tmp_path: Path, database_server: DatabaseServer
) -> None:
    assert database_server.url != roles.url
    own = tmp_path / "payrouter.toml"
    configured = own.read_text(encoding="utf-8")
    own.write_text(f'[database]\nurl = "{roles.url}"', encoding="utf-8")
    assert payrouter("db", "upgrade").status == 0
    own.write_text(configured, encoding="utf-8")

    assert any(
        each.startswith("ALTER TABLE ledger.fence OWNER TO") for each in made(payrouter, roles)
    )
    assert made(payrouter, roles) == []
    assert payrouter("db", "upgrade").status == 0
    assert examined(consumers_of(tmp_path)) == []
    # The owner itself can do it again, without an administrator.
    assert payrouter("db", "roles", "--json").json == {
        str(roles.url).rpartition("/")[2].partition("?")[0]: []
    }


def test_every_right_taken_away_is_named_and_given_back(
    payrouter: Command, roles: RolesOfTest, tmp_path: Path
) -> None:
    made(payrouter, roles)
    payrouter("db", "upgrade")
    consumers = consumers_of(tmp_path)
    for each in consumers:
        schema = each.service.schema
        execute(roles.url, f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {roles.name(schema)}")

    found = examined(consumers)
    named = {(each.found, each.remedy) for each in found}
    needed = {missed(roles, each, table) for each in consumers for table in rights_of(each)}
    assert named == needed
    asyncio.run(_every_statement_names_its_right(consumers))
    said = {line for each in consumers for line in watched(each)}
    assert said == {f"{missing}; grant: {remedy}" for missing, remedy in needed}

    asyncio.run(_noticed(consumers[0], lambda: execute(roles.url, found[0].remedy)))
    for result in found:
        execute(roles.url, result.remedy)
    assert examined(consumers) == []
    assert [line for each in consumers for line in watched(each)] == []
    assert made(payrouter, roles) == []


def watched(consumer: Consumer) -> Sequence[str]:
    """Return what a process reports that it lacks, in its log and in its readiness."""

    async def checked() -> StoreWatch:
        engine = open_engine(consumer.settings)
        watch = StoreWatch(engine, consumer.service, get_log("test"))
        await watch.check()
        await engine.dispose()
        return watch

    with capture_logs() as logged:
        watch = asyncio.run(checked())
    well = Health(good=True, detail="consuming")
    lines = [] if watch.health(well) is well else watch.health(well).detail.splitlines()
    assert [each["detail"] for each in logged] == (["; ".join(lines)] if lines else [])
    assert watch.health(well).good is not bool(lines)
    return lines


async def _noticed(consumer: Consumer, grant: Callable[[], None]) -> None:
    """Let a process notice what it lacks, and that some of it is granted."""
    engine = open_engine(consumer.settings)
    watch = StoreWatch(engine, consumer.service, get_log("test"), interval_seconds=0.01)
    with capture_logs() as logged:
        await _until_granted(watch, grant)
    assert [each["event"] for each in logged] == ["rights_missing", "rights_missing"]
    await engine.dispose()


async def _until_granted(watch: StoreWatch, grant: Callable[[], None]) -> None:
    async with watch.running():
        await eventually(lambda: watch.lacked, "rights that are missed")
        before = watch.lacked
        grant()
        await eventually(lambda: watch.lacked == before[1:], "a right that is granted")


def rights_of(consumer: Consumer) -> Mapping[str, Sequence[str]]:
    return store_needs(consumer).rights


def missed(roles: RolesOfTest, consumer: Consumer, table: str) -> tuple[str, str]:
    """Return what doctor finds, and its remedy, if a consumer lacks its rights on a table."""
    role, schema = roles.name(consumer.service.name), consumer.service.schema
    rights = ", ".join(rights_of(consumer)[table])
    found = f"the role {role} lacks {rights} on {schema}.{table}"
    return found, f'GRANT {rights} ON "{schema}"."{table}" TO "{role}"'


async def _every_statement_names_its_right(consumers: Sequence[Consumer]) -> None:
    for consumer in consumers:
        engine = create_async_engine(consumer.settings.database_url.get_secret_value())
        schema = consumer.service.schema
        tables = (*consumer.tables.metadata.sorted_tables, *consumer.service.tables.sorted_tables)
        columns = {each.name: quoted(each.c.keys()[-1]) for each in tables}
        async with engine.connect() as connection:
            for table, rights in rights_of(consumer).items():
                column = columns.get(table, "")
                for right in rights:
                    error = await _refused(connection, right, f"{schema}.{table}", column)
                    assert f"a right on table {table} that {right} needs: GRANT it" in error
        await engine.dispose()


async def _refused(connection: AsyncConnection, right: str, table: str, column: str) -> str:
    statements = {
        "SELECT": f"SELECT count(*) FROM {table}",
        "INSERT": f"INSERT INTO {table} DEFAULT VALUES",
        "UPDATE": f"UPDATE {table} SET {column} = DEFAULT",
        "DELETE": f"DELETE FROM {table}",
    }
    with pytest.raises(DBAPIError) as refused:
        await connection.execute(text(statements[right]))
    await connection.rollback()
    return describe(refused.value)


def test_what_is_too_much_is_taken_away_and_a_reader_only_reads(
    payrouter: Command, roles: RolesOfTest, tmp_path: Path
) -> None:
    made(payrouter, roles)
    payrouter("db", "upgrade")
    owner, ledger, reader = map(roles.name, ("owner", "ledger", "reader"))
    execute(roles.url, f"GRANT DELETE ON ledger.fence TO {ledger}")
    execute(roles.url, f"GRANT INSERT ON ledger.fence TO {reader}")
    execute(roles.url, f"SET ROLE {owner}; CREATE TABLE ledger.later (n int)")

    assert made(payrouter, roles) == [
        f"REVOKE DELETE ON ledger.fence FROM {ledger}",
        # A migration's table is usable before this: rows may be read and added.
        f"REVOKE INSERT, SELECT ON ledger.later FROM {ledger}",
        f"REVOKE INSERT ON ledger.fence FROM {reader}",
    ]

    consumers = {each.service.name: each for each in consumers_of(tmp_path)}
    settings = consumers["ledger"].settings
    assert settings.reader_url is not None
    asyncio.run(_only_reads(settings.reader_url))
    other = replace(
        settings, database_url=SecretStr(roles.url_of("inventory")), database_url_now=None
    )
    foreign = examined([replace(consumers["ledger"], settings=other)])
    assert [each.remedy for each in foreign] == [
        f'GRANT USAGE ON SCHEMA "ledger" TO "{roles.name("inventory")}"'
    ]


async def _only_reads(url: SecretStr) -> None:
    engine = create_async_engine(url.get_secret_value())
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM ledger.fence")) == 0
        with pytest.raises(DBAPIError, match="read-only"):
            await connection.execute(text("DELETE FROM ledger.fence"))
        await connection.rollback()
        await connection.execute(text("SET TRANSACTION READ WRITE"))
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.execute(text("DELETE FROM ledger.fence"))
    await engine.dispose()


def test_a_missing_owner_and_a_role_with_two_purposes_are_refused(
    payrouter: Command, roles: RolesOfTest, tmp_path: Path
) -> None:
    own = tmp_path / "payrouter.toml"
    own.write_text(f'[database]\nurl = "{roles.url_of("ledger")}"', encoding="utf-8")
    missing = payrouter("db", "roles")
    own.write_text(
        f'[database]\nurl = "{roles.url_of("ledger")}"\nowner_url = "{roles.url_of("ledger")}"',
        encoding="utf-8",
    )
    both = payrouter("db", "roles")
    url = roles.url_of("owner").replace("never-printed", "p%C3%A4ss")
    tables = f'[database]\nurl = "{roles.url_of("ledger")}"\nowner_url = "{url}"'
    own.write_text(tables, encoding="utf-8")
    unreadable = payrouter("db", "roles")

    assert (missing.status, both.status, unreadable.status) == (2, 2, 2)
    assert "other than visible ASCII" in unreadable.err
    assert "set database.owner_url_file" in missing.err
    assert "different users" in both.err
