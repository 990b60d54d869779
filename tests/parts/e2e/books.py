"""Consumers in the test process, with edges in the same process, on real Kafka and PostgreSQL."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from pydantic import SecretStr

from consumers.ledger.reading.statement import TrialBalance, read_books
from consumers.ledger.service import SERVICE as LEDGER
from consumers.runtime.member.app import ConsumerProcess, build_consumer, consume
from consumers.runtime.service import Service
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store.database import reading
from consumers.runtime.store.engines import open_upgrade_engine
from consumers.runtime.store.migrate import upgrade
from router.contract.topics import Topics
from tests.parts.brokers import Broker
from tests.parts.connections import connection_to
from tests.parts.waiting import eventually

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Running:
    """A running consumer."""

    process: ConsumerProcess
    settings: ConsumerSettings

    async def books(self) -> TrialBalance:
        """Read the ledger's balances, which are in the same database."""
        async with reading(self.settings) as connection:
            return await read_books(connection)

    async def drained(self, records: int) -> None:
        """Wait until `records` records are passed, with any outcome."""
        await eventually(lambda: self.passed() >= records, f"{records} records", pause=0.1)

    def passed(self) -> int:
        """Return the number of records passed, with any outcome."""
        return sum(
            int(sample.value)
            for family in self.process.registry.collect()
            for sample in family.samples
            if sample.name == "payrouter_records_total"
        )

    def outcomes(self) -> dict[str, int]:
        """Return the number of records passed, by outcome."""
        counted: dict[str, int] = {}
        for family in self.process.registry.collect():
            for sample in family.samples:
                if sample.name == "payrouter_records_total" and sample.value:
                    word = sample.labels["outcome"]
                    counted[word] = counted.get(word, 0) + int(sample.value)
        return counted


@contextlib.asynccontextmanager
async def running(
    service: Service,
    broker: Broker,
    database_url: str,
    prefix: str,
    *,
    batch_records: int = 500,
    pooled: bool = False,
    **options: object,
) -> AsyncIterator[Running]:
    """Run a consumer with these options during the block."""
    group = f"{prefix}{service.name}"
    settings = ConsumerSettings(
        name=service.name,
        kafka=connection_to(broker.bootstrap),
        database_url=SecretStr(database_url),
        topics=Topics(prefix),
        tuning=Tuning(group_id=group, session_timeout_seconds=25, batch_records=batch_records),
        options=service.options.model_validate(options),
        pooled=pooled,
    )
    engine = open_upgrade_engine(settings)
    await upgrade(engine, service)
    await engine.dispose()
    process = build_consumer(service, settings, asyncio.Event())
    task = asyncio.create_task(consume(process))
    try:
        yield Running(process, settings)
    finally:
        process.stopped.set()
        await asyncio.wait_for(task, PATIENCE_SECONDS)
        await process.engine.dispose()


@contextlib.asynccontextmanager
async def running_ledger(broker: Broker, database_url: str, prefix: str) -> AsyncIterator[Running]:
    """Run the ledger during the block."""
    async with running(LEDGER, broker, database_url, prefix) as ledger:
        yield ledger
