"""Everything works over PgBouncer in transaction mode, with fewer sessions than clients."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
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

pytestmark = pytest.mark.asyncio(loop_scope="module")

SESSIONS = 2
PLAYED = ("Pending, then paid", "An amount that an operator looked up", "Closed, and open again")
CAST = [scenarios()[title] for title in PLAYED]


@pytest.fixture(scope="module")
def pooler(database_server: DatabaseServer, wishes_ci: bool) -> Iterator[Pooler]:  # noqa: FBT001 - a fixture
    """Run PgBouncer, or skip the tests; in CI none is skipped."""
    reason = missing()
    if reason is not None:
        (pytest.fail if wishes_ci else pytest.skip)(reason)
    with pooler_of(database_server.url, default_pool_size=str(SESSIONS)) as running:
        yield running


@pytest.fixture(scope="module")
def database(database_server: DatabaseServer) -> Iterator[str]:
    """Give a database, by its URL without the pooler."""
    with fresh_database(database_server) as url:
        yield url


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
    broker: Broker, pooler: Pooler, database: str, taken: Counter[str]
) -> AsyncIterator[Stage]:
    assert not taken
    prefix = f"t{uuid.uuid4().hex[:6]}."
    async with staged(broker, pooler.url_of(database), prefix, CAST, pooled=True) as running:
        yield running


async def test_consumers_have_the_results_of_the_page(
    stage: Stage, database: str, taken: Counter[str]
) -> None:
    for scenario in CAST:
        await play(stage, scenario)
    await check_health(stage)

    assert min(taken[name] for name in stage.consumers) > 0
    clients = sum(each.process.engine.pool.checkedin() for each in stage.consumers.values())  # type: ignore[attr-defined]
    assert 0 < await sessions(database) <= SESSIONS < clients


async def sessions(database: str) -> int:
    """Return how many sessions of a database the server has, besides this one."""
    engine = create_async_engine(database)
    others = "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with engine.connect() as connection:
        found = await connection.scalar(text(f"SELECT count(*) FROM pg_stat_activity {others}"))
    await engine.dispose()
    return int(found or 0)


@pytest.fixture
def payrouter(
    stage: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Run commands over the pooler."""
    ledger = stage.consumers["ledger"].settings
    groups = "\n".join(
        f'[consumers.{name}]\ngroup_id = "{each.settings.group_id}"'
        for name, each in stage.consumers.items()
    )
    (tmp_path / "payrouter.toml").write_text(
        f"""
        [kafka]
        bootstrap_servers = "{ledger.bootstrap}"
        [topics]
        prefix = "{ledger.topics.prefix}"
        replication_factor = 1
        min_insync_replicas = 1
        [database]
        url = "{ledger.database_url.get_secret_value()}"
        pooler = "transaction"
        {groups}
        """,
        encoding="utf-8",
    )
    return commands_in(tmp_path, monkeypatch, capsys)


READING = (
    *("ledger balance", "ledger statement", "ledger verify", "ledger export"),
    *("ledger export --operations", "inventory stock", "inventory orders", "notifications list"),
    *("cases list", "trace A-1", "dlq list ledger", "dlq history ledger", "parked list ledger"),
    *("brake show ledger", "outbox show ledger", "offsets show ledger", "db upgrade"),
)


@pytest.mark.parametrize("command", READING)
async def test_a_command_works(payrouter: Command, command: str) -> None:
    said = await asyncio.to_thread(payrouter, *command.split())
    assert said.status == 0, said.err
