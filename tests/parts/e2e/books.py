"""Consumers in the test's own process, behind edges in the same, on real Kafka and PostgreSQL."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from pydantic import SecretStr

from consumers.ledger.service import SERVICE as LEDGER
from consumers.ledger.statement import Books, read_books
from consumers.runtime.member.app import ConsumerProcess, build_consumer, consume
from consumers.runtime.service import Service
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store.database import open_upgrade_engine, reading
from consumers.runtime.store.migrate import upgrade
from router.contract.topics import Topics
from tests.parts.brokers import Broker

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Running:
    """A consumer that runs now."""

    process: ConsumerProcess
    settings: ConsumerSettings

    async def books(self) -> Books:
        """Read the ledger's books, which lie in the same database."""
        async with reading(self.settings) as connection:
            return await read_books(connection)

    async def drained(self, records: int) -> None:
        """Wait until so many records are passed, whatever became of them."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.passed() < records:  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0.1)

    def passed(self) -> int:
        """Count the records passed, whatever became of them."""
        return sum(
            int(sample.value)
            for family in self.process.registry.collect()
            for sample in family.samples
            if sample.name == "payrouter_records_total"
        )

    def outcomes(self) -> dict[str, int]:
        """Count the records passed by what became of them."""
        counted: dict[str, int] = {}
        for family in self.process.registry.collect():
            for sample in family.samples:
                if sample.name == "payrouter_records_total" and sample.value:
                    word = sample.labels["outcome"]
                    counted[word] = counted.get(word, 0) + int(sample.value)
        return counted


@contextlib.asynccontextmanager
async def running(
    service: Service, broker: Broker, database_url: str, prefix: str, **options: object
) -> AsyncIterator[Running]:
    """Run a consumer, with some options of its own, while the block does."""
    settings = ConsumerSettings(
        name=service.name,
        kafka={"bootstrap_servers": broker.bootstrap},
        database_url=SecretStr(database_url),
        topics=Topics(prefix),
        tuning=Tuning.model_validate(
            {"group_id": f"{prefix}{service.name}", "session_timeout_seconds": 25}
        ),
        options=service.options.model_validate(options),
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
    """Run the ledger while the block does."""
    async with running(LEDGER, broker, database_url, prefix) as ledger:
        yield ledger
