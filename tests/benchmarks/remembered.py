"""How the cost of claiming an event grows with the number of event ids that are remembered."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.service import SERVICE
from consumers.runtime.apply.offsets import claim_events
from consumers.runtime.records import Decoded, Partition, Record
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store.engines import open_engine, open_upgrade_engine
from consumers.runtime.store.migrate import upgrade
from consumers.runtime.store.tables import RuntimeTables
from router.contract.event import event_id
from router.contract.topics import Topics
from tests.benchmarks.report.figures import Figure
from tests.benchmarks.running.database import Database, connected
from tests.parts.connections import connection_to
from tests.parts.contract.events import event

BATCH = 500
CHUNK = 250_000
_PARTITION = Partition("payment", 0)
_TABLES = RuntimeTables.of(SERVICE.schema)

_FILL = """
    INSERT INTO ledger.seen_event (event_id, fingerprint, topic, partition, "offset", seen_at)
    SELECT gen_random_uuid(), $1, 'payment', 0, number, now() - interval '30 days' * random()
    FROM generate_series(1, $2::bigint) AS number
"""
_SIZE = "SELECT pg_relation_size('ledger.seen_event'), pg_indexes_size('ledger.seen_event')"


@dataclass(frozen=True)
class Plan:
    """Numbers of ids that are there, and the batches claimed at each."""

    remembered: Sequence[int] = (0, 1_000_000, 3_000_000, 10_000_000)
    rounds: int = 5
    batches: int = 10


@dataclass
class _Bench:
    database: Database
    engine: AsyncEngine
    connection: Any
    plan: Plan
    next_number: int = 0
    filled: int = 0

    async def point(self, remembered: int) -> dict[str, object]:
        """Return the cost of a claim, in microseconds of PostgreSQL, and the sizes in MiB."""
        await self._round()
        costs = [await self._round() for _ in range(self.plan.rounds)]
        table, indexes = await self.connection.fetchrow(_SIZE)
        return {
            "remembered": remembered,
            "microseconds": asdict(Figure.of(costs)),
            "table_mib": table / 2**20,
            "indexes_mib": indexes / 2**20,
        }

    async def fill(self, upto: int, say: Callable[[str], None]) -> None:
        """Add ids of events that arrived at any time within a month."""
        print_ = _decoded(0).event.fingerprint
        while self.filled < upto:
            say(f"remembered: {self.filled:,} of {upto:,} ids")
            many = min(CHUNK, upto - self.filled)
            await self.connection.execute(_FILL, print_, many)
            self.filled += many
        await self.connection.execute("VACUUM ANALYZE ledger.seen_event")
        await self.connection.execute("CHECKPOINT")

    async def _round(self) -> float:
        first = self.next_number
        self.next_number += self.plan.batches * BATCH
        batches = [
            [_decoded(number) for number in range(begin, begin + BATCH)]
            for begin in range(first, self.next_number, BATCH)
        ]
        before = self.database.cpu_seconds()
        for batch in batches:
            async with self.engine.begin() as transaction:
                await claim_events(transaction, _TABLES, batch)
        spent = self.database.cpu_seconds() - before
        return spent / (self.plan.batches * BATCH) * 1e6


async def measure(
    database: Database, plan: Plan, say: Callable[[str], None]
) -> list[dict[str, object]]:
    """Return a point of the curve for each number of ids."""
    async with _opened(database, plan) as bench:
        points = []
        for remembered in plan.remembered:
            await bench.fill(remembered, say)
            say(f"remembered: claims at {remembered:,} ids")
            points.append(await bench.point(remembered))
    return points


@contextlib.asynccontextmanager
async def _opened(database: Database, plan: Plan) -> AsyncIterator[_Bench]:
    settings = ConsumerSettings(
        "ledger", connection_to(), SecretStr(database.url), Topics(), Tuning.model_validate({})
    )
    upgrading = open_upgrade_engine(settings)
    await upgrade(upgrading, SERVICE)
    await upgrading.dispose()
    engine = open_engine(settings)
    try:
        async with connected(database.url) as connection:
            yield _Bench(database, engine, connection, plan)
    finally:
        await engine.dispose()


def _decoded(number: int) -> Decoded:
    made = event(
        id=event_id("blockatm", "shop-eu", str(number)),
        reference=f"B-{number}",
        provider_reference=str(number),
    )
    return Decoded(Record(_PARTITION, number, 1_700_000_000_000 + number, b"key", b"{}", ()), made)
