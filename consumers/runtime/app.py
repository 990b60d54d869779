"""The composition root of a consumer process."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.failures import describe, is_transient
from consumers.runtime.loop import Loop
from consumers.runtime.metrics import ConsumerMetrics
from consumers.runtime.migrate import require_upgraded
from consumers.runtime.process import Applier
from consumers.runtime.report import Report
from consumers.runtime.service import Service
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store import open_engine
from consumers.runtime.subscription import RebalanceListener, Subscription, broker_cluster_id
from consumers.runtime.tables import RuntimeTables
from router.telemetry.logs import Log, get_log
from router.telemetry.management import (
    Health,
    listen,
    management_app,
    process_registry,
    serving,
    stop_signal,
    stop_with_parent,
)

STUCK_SECONDS = 60.0
"""A loop without a turn for so long is not alive."""

MEASURE_SECONDS = 10.0
BROKER_SECONDS = 15.0


@dataclass
class ConsumerProcess:
    """A consumer process, put together."""

    service: Service
    settings: ConsumerSettings
    engine: AsyncEngine
    registry: CollectorRegistry
    metrics: ConsumerMetrics
    log: Log
    stopped: asyncio.Event
    loop: Loop | None = None
    waiting_for: str = "starting"

    def alive(self) -> Health:
        """Tell whether the loop makes its turns."""
        if self.loop is None:
            return Health(good=True, detail=self.waiting_for)
        silent = time.monotonic() - self.loop.ticked
        return Health(good=silent < STUCK_SECONDS, detail=f"last turn {silent:.0f} s ago")

    def ready(self) -> Health:
        """Tell whether it is assigned and moving."""
        health = self._ready()
        self.metrics.ready.labels(self.service.name).set(int(health.good))
        return health

    def _ready(self) -> Health:
        loop = self.loop
        if loop is None:
            return Health(good=False, detail=self.waiting_for)
        positions = loop.positions
        if positions.halted:
            halts = sorted(str(halt) for halt in positions.halted.values())
            return Health(good=False, detail="\n".join(halts))
        if loop.retrying:
            return Health(good=False, detail=f"retrying: {loop.retrying}")
        if not loop.joined:
            return Health(good=False, detail="joining the group")
        if positions.unpositioned:
            return Health(good=False, detail=f"positioning {len(positions.unpositioned)}")
        return Health(good=True, detail=f"{len(positions.placed)} partitions assigned and moving")


async def run_consumer(
    service: Service, settings: ConsumerSettings, *, supervised: bool = False
) -> None:
    """Consume until SIGTERM or SIGINT; then finish the running batch and leave.

    Raises SchemaOutdated where `payrouter db upgrade` has to run first.
    """
    tuning = settings.tuning
    management = listen(tuning.management_host, tuning.management_port)
    stopped = stop_signal()
    if supervised:
        stop_with_parent(stopped)
    process = build_consumer(service, settings, stopped)
    app = management_app(process.alive, process.ready, process.registry)
    try:
        async with serving(app, management, lifespan="off"), _measuring(process):
            await consume(process)
    finally:
        await process.engine.dispose()
    process.log.info("consumer_stopped")


def build_consumer(
    service: Service, settings: ConsumerSettings, stopped: asyncio.Event
) -> ConsumerProcess:
    """Put a consumer process together; connects to nothing."""
    registry = process_registry()
    return ConsumerProcess(
        service=service,
        settings=settings,
        engine=open_engine(settings),
        registry=registry,
        metrics=ConsumerMetrics(registry, service.name),
        log=get_log(service.name),
        stopped=stopped,
    )


async def consume(process: ConsumerProcess) -> None:
    """Wait for database and broker, then run the loop; again after a failure of the broker."""
    if not await _schema_is_there(process):
        return
    attempt = 0
    while not process.stopped.is_set():
        try:
            await _consume_once(process)
            attempt = 0
        except (KafkaError, TimeoutError, OSError) as error:
            attempt += 1
            process.waiting_for = f"cannot reach the broker: {type(error).__name__}"
            process.log.warning("broker_unreachable", error=describe(error), attempt=attempt)
            await _pause(process, attempt)
        finally:
            process.loop = None


async def _consume_once(process: ConsumerProcess) -> None:
    settings, service = process.settings, process.service
    cluster_id = settings.cluster_id
    if cluster_id is None:
        cluster_id = await asyncio.wait_for(broker_cluster_id(settings.kafka), BROKER_SECONDS)
    tables = RuntimeTables.of(service.schema)
    applier = Applier(process.engine, service, tables, cluster_id)
    loop = Loop(applier, settings.tuning, Report(service.name, process.metrics, process.log))
    topics = [settings.topics.name(family) for family in service.topics]
    listener = RebalanceListener(loop.on_assigned, loop.on_revoked)
    subscription = Subscription(settings, topics, listener)
    try:
        client = await subscription.start()
        process.loop = loop
        process.log.info("consumer_started", topics=topics, cluster_id=cluster_id)
        await _until_stopped(process, loop, loop.run(client))
    finally:
        await subscription.stop()


async def _until_stopped(process: ConsumerProcess, loop: Loop, running: object) -> None:
    task = asyncio.ensure_future(running)  # type: ignore[call-overload] # a coroutine
    stop = asyncio.create_task(process.stopped.wait())
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        loop.stop()
        await task
    finally:
        stop.cancel()


async def _schema_is_there(process: ConsumerProcess) -> bool:
    """Wait for the database; False where the process is told to stop meanwhile."""
    attempt = 0
    while not process.stopped.is_set():
        try:
            async with process.engine.connect() as connection:
                await require_upgraded(connection, process.service)
        except (SQLAlchemyError, OSError) as error:
            if not is_transient(error):
                raise
            attempt += 1
            process.waiting_for = f"cannot reach the database: {describe(error)}"
            process.log.warning("database_unreachable", error=describe(error), attempt=attempt)
            await _pause(process, attempt)
        else:
            return True
    return False


async def _pause(process: ConsumerProcess, attempt: int) -> None:
    longest = process.settings.tuning.retry_longest_seconds
    seconds = min(longest, 0.2 * 2 ** min(attempt, 16)) * random.uniform(0.5, 1)  # noqa: S311
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.stopped.wait(), seconds)


@contextlib.asynccontextmanager
async def _measuring(process: ConsumerProcess) -> AsyncIterator[None]:
    """Read the service's own measures from the store from time to time."""
    task = asyncio.create_task(_measure(process))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _measure(process: ConsumerProcess) -> None:
    gauges = {
        measure.name: Gauge(measure.name, measure.meaning, registry=process.registry)
        for measure in process.service.measures
    }
    while gauges:
        try:
            async with process.engine.connect() as connection:
                for measure in process.service.measures:
                    gauges[measure.name].set(await measure.read(connection))
        except (SQLAlchemyError, OSError) as error:
            process.log.warning("measuring_failed", error=describe(error))
        await asyncio.sleep(MEASURE_SECONDS)
