"""`payrouter doctor` on a real Kafka and PostgreSQL: all is well, then one thing is not."""

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from consumers.discovery import discover
from consumers.runtime.store.schema_version import histories
from consumers.runtime.store.tables import RuntimeTables, needed_rights
from tests.parts.brokers import Broker
from tests.parts.cli_in_process import Command, Said, commands_in
from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.edge.certificates import write_pair
from tests.parts.terminal import terminal_of

pytestmark = pytest.mark.kafka

STORES = [f"store of {name}" for name in discover()]


@dataclass(frozen=True)
class Deployed:
    """A deployment, as its configuration describes it."""

    bootstrap: str
    database: str
    prefix: str
    certificate: Path
    days: float = 60
    kafka: str = ""
    names: str = ""

    def write(self, folder: Path) -> None:
        """Write configuration and certificate into a folder."""
        key = self.certificate.with_suffix(".key")
        write_pair(self.certificate, key, "edge", timedelta(days=self.days, minutes=1))
        (folder / "payrouter.toml").write_text(
            f"""
            [endpoints.shop]
            provider = "blockatm"
            account = "shop"
            secrets = ["never-to-be-printed-0123456789", "nor-the-old-one-0123456789"]
            [edge]
            public_url = "https://pay.example.com"
            tls_certificate = "{self.certificate}"
            tls_key = "{key}"
            [kafka]
            bootstrap_servers = "{self.bootstrap}"
            {self.kafka}
            [database]
            url = "{self.database}"
            [topics]
            prefix = "{self.prefix}"
            partitions = 1
            replication_factor = 1
            min_insync_replicas = 1
            {self.names}
            """,
            encoding="utf-8",
        )


def sql(url: str, *statements: str) -> None:
    async def execute() -> None:
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            for statement in statements:
                await connection.execute(text(statement))
        await engine.dispose()

    asyncio.run(execute())


@pytest.fixture(scope="module")
def prepared(
    broker: Broker, database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    """Give a deployment of which everything is well; its database is a template for others."""
    folder = tmp_path_factory.mktemp("deployed")
    with fresh_database(database_server) as url:
        prefix = f"doctor-{uuid.uuid4().hex[:6]}."
        deployed = Deployed(broker.bootstrap, url, prefix, folder / "edge.pem")
        deployed.write(folder)
        for command in (("topics", "apply"), ("db", "upgrade")):
            program = [sys.executable, "-m", "consumers", *command]
            subprocess.run(program, cwd=folder, check=True, capture_output=True)
        yield deployed


@pytest.fixture
def deployed(
    prepared: Deployed, database_server: DatabaseServer, tmp_path: Path
) -> Iterator[Deployed]:
    """Give the same deployment with a database and a certificate of the test's own."""
    with fresh_database(database_server, like=prepared.database) as url:
        yield replace(prepared, database=url, certificate=tmp_path / "edge.pem")


@pytest.fixture
def payrouter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    return commands_in(tmp_path, monkeypatch, capsys)


@pytest.fixture
def limited(deployed: Deployed) -> Iterator[Deployed]:
    """Give the deployment with a role that has only the rights that the tables declare."""
    role = str(make_url(deployed.database).database) + "_role"
    sql(deployed.database, f"CREATE ROLE {role} LOGIN", *granted(role))
    url = make_url(deployed.database).set(username=role)
    yield replace(deployed, database=url.render_as_string(hide_password=False))
    sql(deployed.database, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def granted(role: str) -> Iterator[str]:
    for service in discover().values():
        schema = service.schema
        yield f"GRANT USAGE ON SCHEMA {schema} TO {role}"
        for table in (
            *service.tables.sorted_tables,
            *RuntimeTables.of(schema).metadata.sorted_tables,
        ):
            yield f"GRANT {', '.join(needed_rights(table))} ON {schema}.{table.name} TO {role}"
        for history in histories(service):
            yield f"GRANT SELECT ON {schema}.{history.version_table} TO {role}"


def examined(payrouter: Command, deployed: Deployed, *options: str) -> Said:
    deployed.write(Path.cwd())
    return payrouter("doctor", *options)


def trouble(payrouter: Command, deployed: Deployed, *areas: str) -> Sequence[tuple[str, ...]]:
    """Return state, check and text of all that is not well; checks the exit status."""
    only = [option for area in areas for option in ("--only", area)]
    said = examined(payrouter, deployed, "--json", *only)
    results = json.loads(said.out)
    failed = any(each["state"] == "fail" for each in results)
    assert said.status == int(failed)
    assert all(each["remedy"] for each in results if each["state"] != "ok")
    return [
        (each["state"], each["check"], f"{each['found']}; {each['remedy']}")
        for each in results
        if each["state"] != "ok"
    ]


def test_a_sound_deployment_passes_every_check(payrouter: Command, limited: Deployed) -> None:
    assert trouble(payrouter, limited) == []


def test_the_table_fits_a_terminal(
    payrouter: Command, deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = terminal_of(monkeypatch)
    elsewhere = 'names.payment = "a-topic-with-a-name-of-several-words"'
    said = examined(payrouter, replace(deployed, days=5, names=elsewhere))
    lines = terminal.plain.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["state", "check", "found"]
    assert lines[-1].startswith("4 fail, 1 warn, ")
    assert said.status == 1


def test_a_broker_that_is_away_is_named_with_its_address(
    payrouter: Command, deployed: Deployed
) -> None:
    ((state, check, found),) = trouble(payrouter, replace(deployed, bootstrap="127.0.0.1:1"))
    assert (state, check) == ("fail", "broker")
    assert found.startswith("cannot reach the broker: 127.0.0.1:1: nothing listens there: check ")


def test_missing_topics_are_named_with_the_command(payrouter: Command, deployed: Deployed) -> None:
    elsewhere = replace(deployed, names='names.payment = "elsewhere"')
    found = trouble(payrouter, elsewhere, "broker")
    name = f"{deployed.prefix}elsewhere"
    missing = f"there is no topic {name}; run `payrouter topics apply`"
    assert ("fail", "topics", missing) in found
    assert all(check == "topics" and name in text for _, check, text in found)


def test_a_topic_that_differs_warns_if_no_event_could_be_lost(
    payrouter: Command, deployed: Deployed
) -> None:
    found = trouble(payrouter, replace(deployed, names="retention_hours = 9000"), "broker")
    assert {state for state, _, _ in found} == {"warn"}
    problem = f"topic {deployed.prefix}payment has retention.ms 7 days, needs 375 days or more"
    command = "run `payrouter topics apply --alter`"
    assert ("warn", "topics", f"{problem}; {command}") in found


def test_a_cluster_that_was_not_applied_before_is_named(
    payrouter: Command, deployed: Deployed
) -> None:
    sql(
        deployed.database,
        "INSERT INTO ledger.fence (cluster_id, topic, partition, first_offset, next_offset)"
        " VALUES ('former', 'payment', 0, 0, 0)",
    )
    ((state, check, found),) = trouble(payrouter, deployed)
    assert (state, check) == ("warn", "cluster of ledger")
    assert found.startswith("ledger has applied records of former, none of ")
    assert trouble(payrouter, deployed, "stores") == []
    ((state, check, found),) = trouble(payrouter, replace(deployed, kafka='cluster_id = "former"'))
    assert (state, check) == ("warn", "cluster id")


def test_a_database_that_is_away_is_named_for_each_consumer(
    payrouter: Command, deployed: Deployed
) -> None:
    away = replace(deployed, database="postgresql://payrouter@127.0.0.1:1/payrouter")
    found = trouble(payrouter, away, "stores")
    assert [each[:2] for each in found] == [("fail", store) for store in STORES]
    assert "Connect call failed ('127.0.0.1', 1)" in found[0][2]


def test_a_database_that_is_not_set_up_needs_an_upgrade(
    payrouter: Command, deployed: Deployed, database_url: str
) -> None:
    found = trouble(payrouter, replace(deployed, database=database_url), "stores")
    assert [each[:2] for each in found] == [("fail", store) for store in STORES]
    assert found[1][2] == "there is no schema ledger; run `payrouter db upgrade`"


def test_a_database_that_is_behind_needs_an_upgrade(payrouter: Command, deployed: Deployed) -> None:
    sql(deployed.database, "UPDATE ledger.ledger_version SET version_num = '0002'")
    ((state, check, found),) = trouble(payrouter, deployed, "stores")
    assert (state, check) == ("fail", "store of ledger")
    assert found.endswith(" older than this version; run `payrouter db upgrade`")


def test_a_database_that_is_read_only_is_named(payrouter: Command, deployed: Deployed) -> None:
    name = make_url(deployed.database).database
    sql(deployed.database, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    found = trouble(payrouter, deployed, "stores")
    assert [each[:2] for each in found] == [("fail", store) for store in STORES]
    assert found[0][2].startswith("default_transaction_read_only is on; turn it off for ")


@pytest.mark.parametrize(
    ("right", "table"), [("UPDATE", "fence"), ("INSERT", "posting"), ("SELECT", "ledger_version")]
)
def test_a_missing_right_is_named_with_the_grant(
    payrouter: Command, deployed: Deployed, limited: Deployed, right: str, table: str
) -> None:
    role = make_url(limited.database).username
    sql(deployed.database, f"REVOKE {right} ON ledger.{table} FROM {role}")
    grant = f'GRANT {right} ON "ledger"."{table}" TO "{role}"'
    assert trouble(payrouter, limited, "stores") == [
        (
            "fail",
            "store of ledger",
            f"the role {role} lacks {right} on ledger.{table}; {grant}",
        )
    ]


def test_a_missing_right_on_the_schema_is_named(
    payrouter: Command, deployed: Deployed, limited: Deployed
) -> None:
    role = make_url(limited.database).username
    sql(deployed.database, f"REVOKE USAGE ON SCHEMA ledger FROM {role}")
    ((state, check, found),) = trouble(payrouter, limited, "stores")
    assert (state, check) == ("fail", "store of ledger")
    assert found.endswith(f'; GRANT USAGE ON SCHEMA "ledger" TO "{role}"')


@pytest.mark.parametrize(
    ("days", "state", "begins"), [(5, "warn", "expires on "), (-1, "fail", "expired on ")]
)
def test_a_certificate_that_ends_soon_is_named(
    payrouter: Command, deployed: Deployed, days: float, state: str, begins: str
) -> None:
    ((found_state, check, found),) = trouble(payrouter, replace(deployed, days=days), "endpoints")
    assert (found_state, check) == (state, "certificate")
    assert found.startswith(begins)
    assert "; renew edge.tls_certificate" in found


def test_a_wrong_configuration_is_a_failure_with_status_2(
    payrouter: Command, deployed: Deployed
) -> None:
    said = examined(payrouter, replace(deployed, names="partitons = 3\n[log]\nlevle = 1"), "--json")
    assert said.status == 2
    assert [each["state"] for each in json.loads(said.out)] == ["fail", "fail"]
    assert json.loads(said.out)[0]["found"].startswith("topics.partitons: unknown key")
