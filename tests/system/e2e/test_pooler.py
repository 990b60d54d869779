"""Everything works over PgBouncer in transaction mode, as roles with least privilege.

Each role has fewer sessions of the server than its process has connections.
"""

import asyncio
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from consumers.runtime.plain.batches import PlainBatches
from tests.parts.brokers import Broker
from tests.parts.cli_in_process import Command, commands_in
from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.e2e.playing import check_health, play
from tests.parts.e2e.scenarios import scenarios
from tests.parts.e2e.stage import Stage, staged
from tests.parts.pooler import Pooler, missing, pooler_of
from tests.parts.roles import CONSUMERS, RolesOfTest, roles_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

SESSIONS = 1
PLAYED = ("Pending, then paid", "An amount that an operator looked up", "Closed, and open again")
CAST = [scenarios()[title] for title in PLAYED]


@pytest.fixture(scope="module")
def roles(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RolesOfTest]:
    """Give a database whose roles and tables were made by the commands."""
    folder = tmp_path_factory.mktemp("roles")
    with fresh_database(database_server) as url, roles_of(url) as named:
        (folder / "payrouter.toml").write_text(named.tables(), encoding="utf-8")
        admin = ("--admin-url-file", named.admin_file(folder))
        for command in (("roles", *admin), ("upgrade",)):
            program = [sys.executable, "-m", "consumers", "db", *command]
            subprocess.run(program, cwd=folder, check=True, capture_output=True)
        yield named


@pytest.fixture(scope="module")
def pooler(roles: RolesOfTest, wishes_ci: bool) -> Iterator[Pooler]:  # noqa: FBT001 - a fixture
    """Run PgBouncer, or skip the tests; in CI none is skipped."""
    reason = missing()
    if reason is not None:
        (pytest.fail if wishes_ci else pytest.skip)(reason)
    with pooler_of(roles.url, roles.names, default_pool_size=str(SESSIONS)) as running:
        yield running


@pytest.fixture(scope="module")
def taken() -> Iterator[Counter[str]]:
    """Count the batches that each consumer applied in the shorter way."""
    counted: Counter[str] = Counter()
    apply = PlainBatches.apply

    async def counting(self: PlainBatches, *arguments: Any) -> Any:  # noqa: ANN401 - as it is
        done = await apply(self, *arguments)
        counted[self._stored.service.name] += done is not None
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PlainBatches, "apply", counting)
        yield counted


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage(
    broker: Broker, pooler: Pooler, roles: RolesOfTest, taken: Counter[str]
) -> AsyncIterator[Stage]:
    assert not taken
    prefix = f"t{uuid.uuid4().hex[:6]}."
    urls = {name: pooler.url_of(roles.url_of(name)) for name in CONSUMERS}
    async with staged(broker, urls, prefix, CAST, pooled=True) as running:
        running.reading = create_async_engine(roles.url_of("reader"))
        yield running
        await running.reading.dispose()


async def test_consumers_have_the_results_of_the_page(
    stage: Stage, roles: RolesOfTest, taken: Counter[str]
) -> None:
    for scenario in CAST:
        await play(stage, scenario)
    await check_health(stage)

    assert min(taken[name] for name in stage.consumers) > 0
    sessions = await sessions_of(roles)
    for name, each in stage.consumers.items():
        clients = each.process.engine.pool.checkedin()  # type: ignore[attr-defined]
        assert 0 < sessions[roles.name(name)] <= SESSIONS < clients


async def sessions_of(roles: RolesOfTest) -> Mapping[str, int]:
    """Return how many sessions of the server each role has."""
    engine = create_async_engine(roles.url)
    query = "SELECT usename, count(*) FROM pg_stat_activity GROUP BY usename"
    async with engine.connect() as connection:
        found = {row[0]: row[1] for row in await connection.execute(text(query))}
    await engine.dispose()
    return found


@pytest.fixture
def payrouter(
    stage: Stage,
    pooler: Pooler,
    roles: RolesOfTest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Run commands over the pooler."""
    ledger = stage.consumers["ledger"].settings
    own = "\n".join(
        f'[consumers.{name}]\ngroup_id = "{each.settings.group_id}"'
        for name, each in stage.consumers.items()
    )
    (tmp_path / "payrouter.toml").write_text(
        f"""
        {roles.tables(pooler.url_of)}
        pooler = "transaction"
        {own}
        [kafka]
        bootstrap_servers = "{ledger.bootstrap}"
        [topics]
        prefix = "{ledger.topics.prefix}"
        replication_factor = 1
        min_insync_replicas = 1
        """,
        encoding="utf-8",
    )
    return commands_in(tmp_path, monkeypatch, capsys)


READING = (
    *("ledger balance", "ledger statement", "ledger verify", "ledger export"),
    *("ledger export --operations", "inventory stock", "inventory orders", "notifications list"),
    *("cases list", "trace A-1", "dlq list ledger", "dlq history ledger", "parked list ledger"),
    *("brake show ledger", "outbox show ledger", "offsets show ledger", "db upgrade"),
    "doctor --only stores",
)


@pytest.mark.parametrize("command", READING)
async def test_a_command_works(payrouter: Command, command: str) -> None:
    said = await asyncio.to_thread(payrouter, *command.split())
    assert said.status == 0, said.err
