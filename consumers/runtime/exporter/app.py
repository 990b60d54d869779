"""The composition root of the exporter.

A consumer that is frozen, halted or stopped does not export its own lag. So this separate process
calculates it from the logs and from every consumer's store. It joins no group and writes nothing.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.apply.failures import describe
from consumers.runtime.apply.offsets import read_fence_rows
from consumers.runtime.casebook.count import count_cases
from consumers.runtime.casebook.stored_case import kinds_of
from consumers.runtime.configured import Consumer
from consumers.runtime.exporter.metrics import ExporterMetrics, PictureCollector
from consumers.runtime.exporter.rounds import END_SECONDS, Every, Rounds
from consumers.runtime.measures.stored import (
    MeasureGauges,
    measure_gauges,
    read_measures,
)
from consumers.runtime.measures.waiting import read_waiting
from consumers.runtime.progress.picture import Picture
from consumers.runtime.progress.survey import (
    ConsumerGroup,
    FencesByConsumer,
    LogReader,
    SurveyLimits,
)
from consumers.runtime.store.engines import open_engine
from router.telemetry.logs import get_log
from router.telemetry.loop_delay import LoopDelay
from router.telemetry.management import (
    Health,
    listen,
    management_app,
    process_registry,
    serving,
    stop_signal,
    stop_with_parent,
)

BROKER = "broker"
"""Name of the source that is not a consumer's store."""

STUCK_SECONDS = 60.0
"""Time without a round, in addition to the interval, after which the process is not alive."""


@dataclass(frozen=True)
class Exporting:
    """Address of the management port; interval and time-outs of the rounds."""

    management_host: str = "127.0.0.1"
    management_port: int = 9082
    every_seconds: float = 5.0
    deadline_seconds: float = 10.0
    """Time-out for reading a source; after that, its values are unknown."""
    survey: SurveyLimits = field(default_factory=SurveyLimits)


@dataclass(frozen=True)
class StoreSource:
    """Reads the store of one consumer."""

    consumer: Consumer
    engine: AsyncEngine
    picture: Picture
    metrics: ExporterMetrics
    measures: MeasureGauges

    async def read(self) -> str | None:
        """Read fences and backlog, then the service's measures and cases, which may fail alone."""
        name, tables = self.consumer.service.name, self.consumer.tables
        async with self.engine.connect() as connection:
            await connection.execution_options(
                postgresql_readonly=True, isolation_level="REPEATABLE READ"
            )
            fences = await read_fence_rows(connection, tables)
            waiting = await read_waiting(connection, tables)
            self.picture.set_fences(name, fences)
            self.metrics.waiting.set(name, waiting)
            problems = [await self._read_measures(connection), await self._read_cases(connection)]
        return "; ".join(filter(None, problems)) or None

    async def _read_measures(self, connection: AsyncConnection) -> str | None:
        try:
            # A failed query aborts its savepoint alone.
            async with connection.begin_nested():
                self.measures.set(await read_measures(connection, self.measures.measures))
        except Exception as error:  # noqa: BLE001 - a measure may raise anything
            self.measures.set(None)
            return f"measures: {describe(error)}"
        return None

    async def _read_cases(self, connection: AsyncConnection) -> str | None:
        service, cases = self.consumer.service, self.metrics.cases
        try:
            async with connection.begin_nested():
                counted = await count_cases(connection, service, self.consumer.tables)
                cases.set(service.name, counted)
        except Exception as error:  # noqa: BLE001 - a query of the service may raise anything
            cases.set(service.name, None)
            return f"cases: {describe(error)}"
        return None

    def lost(self) -> None:
        """Set all values to unknown."""
        name = self.consumer.service.name
        self.picture.set_fences(name, None)
        self.metrics.waiting.set(name, None)
        self.metrics.cases.set(name, None)
        self.measures.set(None)


@dataclass(frozen=True)
class BrokerSource:
    """Reads logs and consumer groups."""

    reader: LogReader
    picture: Picture
    patience_seconds: float

    async def wait_for_stores(self) -> None:
        """Wait, for a limited time, so that the logs are compared with new fences."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.patience_seconds):
                await self.picture.every_store()

    async def read(self) -> str | None:
        """Read logs and groups, and compare them with the latest fences."""
        self.picture.set_log(await self.reader.read(self._fences))
        return "; ".join(self.reader.problems) or None

    def lost(self) -> None:
        """Set all values to unknown."""
        self.picture.set_log(None)

    def _fences(self, cluster_id: str) -> FencesByConsumer:
        return {name: self.picture.fences_of(name, cluster_id) for name in self.picture.topics}


@dataclass
class ExporterProcess:
    """The assembled exporter."""

    registry: CollectorRegistry
    rounds: Sequence[Rounds]
    reader: LogReader
    patience_seconds: float
    engines: Mapping[str, AsyncEngine] = field(repr=False)

    def alive(self) -> Health:
        """Return whether rounds still run, even if they fail."""
        silent = time.monotonic() - min(each.started for each in self.rounds)
        patience = STUCK_SECONDS + self.patience_seconds
        return Health(good=silent < patience, detail=f"last round {silent:.0f} s ago")

    def ready(self) -> Health:
        """Return whether every source was read completely in its last round."""
        failed = [f"{each.name}: {each.problem}" for each in self.rounds if each.problem]
        if failed:
            return Health(good=False, detail="\n".join(failed))
        return Health(good=True, detail=f"{len(self.rounds)} sources read")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run rounds until the block ends, then close everything; closing has a time limit."""
        tasks = [asyncio.create_task(each.run()) for each in self.rounds]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.reader.close()
            closing = {asyncio.create_task(each.dispose()) for each in self.engines.values()}
            await asyncio.wait(closing, timeout=END_SECONDS)


async def run_exporter(
    consumers: Sequence[Consumer], exporting: Exporting, *, supervised: bool = False
) -> None:
    """Export until SIGTERM or SIGINT."""
    management = listen(exporting.management_host, exporting.management_port)
    stopped = stop_signal()
    if supervised:
        stop_with_parent(stopped)
    process = build_exporter(consumers, exporting)
    app = management_app(process.alive, process.ready, process.registry)
    delay = LoopDelay(process.registry).measured()
    async with delay, serving(app, management, lifespan="off"), process.running():
        await stopped.wait()
    get_log("exporter").info("exporter_stopped")


def build_exporter(consumers: Sequence[Consumer], exporting: Exporting) -> ExporterProcess:
    """Assemble the exporter without connecting. All consumers must use the same broker."""
    registry, log = process_registry(), get_log("exporter")
    names = [each.service.name for each in consumers]
    metrics = ExporterMetrics(registry, [BROKER, *names])
    groups = {each.service.name: _group(each) for each in consumers}
    picture = Picture({name: group.topics for name, group in groups.items()})
    registry.register(PictureCollector(picture))
    first = consumers[0].settings
    reader = LogReader(first.kafka, groups, first.cluster_id, exporting.survey)
    engines = {each.service.name: open_engine(each.settings, "exporter") for each in consumers}
    sources = {
        each.service.name: StoreSource(
            each,
            engines[each.service.name],
            picture,
            metrics,
            measure_gauges(registry, each.service),
        )
        for each in consumers
    }
    for each in consumers:
        name, tuning = each.service.name, each.settings.tuning
        metrics.waiting.begin(name, each.topics)
        metrics.cases.begin(name, kinds_of(each.service).values())
        metrics.transaction_limit.labels(name).set(tuning.open_transaction_seconds)
    broker = BrokerSource(reader, picture, exporting.every_seconds)
    deadline = exporting.deadline_seconds
    rounds = [
        Rounds(name, source, metrics, log, Every(exporting.every_seconds), deadline)
        for name, source in sources.items()
    ]
    rounds.append(Rounds(BROKER, broker, metrics, log, broker.wait_for_stores, deadline))
    return ExporterProcess(registry, rounds, reader, exporting.every_seconds, engines)


def _group(consumer: Consumer) -> ConsumerGroup:
    settings = consumer.settings
    topics = [settings.topics.name(family) for family in consumer.service.topics]
    return ConsumerGroup(settings.group_id, topics)
