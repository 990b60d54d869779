"""Composition root of a consumer process."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.apply.brake import release_command
from consumers.runtime.apply.failures import Action, Phase, back_off, decide, describe
from consumers.runtime.apply.process import Applier
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.casebook.count import count_cases
from consumers.runtime.casebook.stored_case import kinds_of
from consumers.runtime.measures.metrics import ConsumerMetrics
from consumers.runtime.measures.stored import MeasureGauges, measure_gauges, read_measures
from consumers.runtime.measures.waiting import read_waiting
from consumers.runtime.measures.withheld import Withholding
from consumers.runtime.member.halts import remedy
from consumers.runtime.member.loop import Loop
from consumers.runtime.member.recall import recall_outcomes
from consumers.runtime.member.report import Report, explained
from consumers.runtime.member.subscription import RebalanceListener, Subscription, broker_cluster_id
from consumers.runtime.member.upkeep import Upkeep
from consumers.runtime.member.watches import StoreWatch, topic_watch
from consumers.runtime.plain.batches import PlainBatches
from consumers.runtime.service import ConsumerActions, Recall, Service
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import transaction_of
from consumers.runtime.store.engines import open_engine
from consumers.runtime.store.schema_version import require_upgraded
from consumers.runtime.store.tables import RuntimeTables
from router.background import end, in_background
from router.broker.topics.watch import TopicWatch
from router.telemetry.logs import Log, get_log
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

LASTING_SECONDS = 60.0
"""A client that worked for so long starts a new count of failures."""

_T = TypeVar("_T")


@dataclass
class ConsumerProcess:
    """A consumer process and its parts."""

    service: Service
    actions: ConsumerActions
    settings: ConsumerSettings
    engine: AsyncEngine
    registry: CollectorRegistry
    metrics: ConsumerMetrics
    log: Log
    stopped: asyncio.Event
    topics: TopicWatch
    store: StoreWatch
    withholding: Withholding
    loop: Loop | None = None
    waiting_for: str = "starting"

    def alive(self) -> Health:
        """Return whether the loop is making turns."""
        if self.loop is None:
            return Health(good=True, detail=self.waiting_for)
        silent = time.monotonic() - self.loop.member.ticked
        patience = max(self.settings.timing.stuck_seconds, self.settings.tuning.turn_seconds)
        return Health(good=silent < patience, detail=f"last turn {silent:.0f} s ago")

    def ready(self) -> Health:
        """Return whether the process is assigned and consuming, with topics and rights in order."""
        return self.topics.health(self.store.health(self._consuming()))

    def _consuming(self) -> Health:
        loop = self.loop
        if loop is None:
            return Health(good=False, detail=self.waiting_for)
        trouble = self._blocked_by(loop)
        if trouble:
            return Health(good=False, detail=trouble)
        if not loop.member.joined:
            return Health(good=False, detail="joining the group")
        positions = loop.positions
        if positions.unpositioned:
            problems = positions.problems
            wait = f": {'; '.join(problems)}" if problems else ""
            return Health(good=False, detail=f"positioning {len(positions.unpositioned)}{wait}")
        return Health(good=True, detail=f"{len(positions.placed)} partitions assigned and moving")

    def _blocked_by(self, loop: Loop) -> str | None:
        """Return what blocks consumption until an operator acts or the store recovers."""
        name = self.service.name
        brakes = loop.member.brakes
        if brakes:
            held = "\n".join(map(str, brakes.values()))
            return f"{held}\n`{release_command(name, brakes)}` releases it"
        halts = loop.positions.halts
        if halts:
            return "\n".join(sorted(f"{halt}. {remedy(halt, name)}" for halt in halts))
        if loop.member.retrying:
            return f"retrying: {loop.member.retrying}"
        return "\n".join(map(self.withholding.sentence, self.withholding.troubles())) or None


async def run_consumer(
    service: Service, settings: ConsumerSettings, *, supervised: bool = False
) -> None:
    """Consume until SIGTERM or SIGINT; then finish the running batch and leave.

    Raises SchemaOutdated if `payrouter db upgrade` has to run first.
    """
    tuning = settings.tuning
    management = listen(tuning.management_host, tuning.management_port)
    stopped = stop_signal()
    if supervised:
        stop_with_parent(stopped)
    process = build_consumer(service, settings, stopped)
    app = management_app(process.alive, process.ready, process.registry)
    try:
        delay = LoopDelay(process.registry).measured()
        async with delay, serving(app, management, lifespan="off"):
            await consume(process)
    finally:
        await process.engine.dispose()
    process.log.info("consumer_stopped")


def build_consumer(
    service: Service, settings: ConsumerSettings, stopped: asyncio.Event
) -> ConsumerProcess:
    """Put a consumer process together; connects to nothing."""
    registry = process_registry()
    actions = service.actions(settings.setup)
    engine, log, check = open_engine(settings), get_log(service.name), settings.topic_check
    process = ConsumerProcess(
        service=service,
        actions=actions,
        settings=settings,
        engine=engine,
        registry=registry,
        metrics=ConsumerMetrics(registry, service.name, [work.name for work in actions.work]),
        log=log,
        stopped=stopped,
        topics=topic_watch(check, settings.kafka, registry),
        store=StoreWatch(engine, service, log, check.every_seconds),
        withholding=Withholding(settings.tuning.open_transaction_seconds, settings.bootstrap),
    )
    process.metrics.waiting.begin(service.name, map(settings.topics.name, service.topics))
    process.metrics.cases.begin(service.name, kinds_of(service).values())
    limit = settings.tuning.open_transaction_seconds
    process.metrics.transaction_limit.labels(service.name).set(limit)
    # Computed at every scrape, since the probes may not be in use.
    process.metrics.ready.labels(service.name).set_function(lambda: float(process.ready().good))
    return process


async def consume(process: ConsumerProcess) -> None:
    """Wait for database and broker, then run the loop; restart it after a broker failure."""
    if await _wait_for_schema(process):
        async with _measuring(process), process.topics.running(), process.store.running():
            await _consume_until_stopped(process)


async def _consume_until_stopped(process: ConsumerProcess) -> None:
    attempt = 0
    while not process.stopped.is_set():
        started = time.monotonic()
        try:
            await _consume_once(process)
        except Exception as error:
            if decide(error, Phase.START) is Action.RAISE:
                raise
            lasted = time.monotonic() - started > LASTING_SECONDS
            attempt = 1 if lasted else attempt + 1
            problem = explained(error, process.topics.rights)
            process.waiting_for = f"cannot consume from the broker: {problem}"
            process.log.warning("broker_failed", error=problem, attempt=attempt)
            await _pause(process, attempt)
        finally:
            process.loop = None


async def _consume_once(process: ConsumerProcess) -> None:
    settings, service, actions = process.settings, process.service, process.actions
    cluster_id = settings.cluster_id
    if cluster_id is None:
        cluster_id = await _unless_stopped(process, broker_cluster_id(settings.kafka))
    if cluster_id is None:
        return
    tuning = settings.tuning
    stored = StoredBooks(process.engine, service, cluster_id)
    applier = Applier(
        books=stored,
        service=service,
        handler=actions.handle,
        brake_after=tuning.brake_after,
        readers={settings.topics.name(topic): read for topic, read in actions.readers.items()},
        idle_seconds=tuning.transaction_timeout_seconds,
        other_cluster_too=tuning.other_cluster == "read",
        shorter=None if actions.plain is None else PlainBatches(stored, actions.plain, process.log),
    )
    report = Report(service.name, process.metrics, process.log, rights=process.topics.rights)
    loop = Loop(applier, settings.tuning, report, settings.timing)
    topics = [settings.topics.name(family) for family in service.topics]
    listener = RebalanceListener(loop.on_assigned, loop.on_revoked)
    subscription = Subscription(settings, topics, listener)
    try:
        if actions.recall is not None:
            await _unless_stopped(process, _recall(process, stored, actions.recall))
        client = await _unless_stopped(process, subscription.start())
        if client is not None:
            process.loop = loop
            process.log.info("consumer_started", topics=topics, cluster_id=cluster_id)
            upkeep = Upkeep(
                applier, stored, settings, actions.work, loop, report, client, process.withholding
            )
            async with upkeep.running():
                await _until_stopped(process, loop, loop.run(client))
    finally:
        await subscription.stop()
        loop.forget()


async def _recall(process: ConsumerProcess, stored: StoredBooks, recall: Recall) -> None:
    """Let the consumer compare its store with its own outcomes, before it does any work."""
    process.waiting_for = "reading its own outcomes"
    found = await recall_outcomes(process.engine, stored.tables, process.settings, recall)
    if found.lacked:
        process.log.warning("outcomes_recalled", lacked=found.lacked)
    if found.unread:
        process.log.warning("outcomes_unread", records=found.unread)


async def _until_stopped(
    process: ConsumerProcess, loop: Loop, running: Coroutine[Any, Any, None]
) -> None:
    """Run the loop until the process stops; then let it finish its batch."""
    task = asyncio.create_task(running)
    await _wait_for_either(process, task)
    loop.stop()
    await task


async def _unless_stopped(process: ConsumerProcess, waiting: Coroutine[Any, Any, _T]) -> _T | None:
    """Await a coroutine that may never end; cancel it and return None if the process stops."""
    task = asyncio.create_task(waiting)
    await _wait_for_either(process, task)
    if task.done():
        return task.result()
    await end(task)
    return None


async def _wait_for_either(process: ConsumerProcess, task: asyncio.Task[Any]) -> None:
    stop = asyncio.create_task(process.stopped.wait())
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()


async def _wait_for_schema(process: ConsumerProcess) -> bool:
    """Wait for the database and its schema; return False if the process stops first."""
    attempt = 0
    while not process.stopped.is_set():
        try:
            async with transaction_of(process.engine) as connection:
                await require_upgraded(connection, process.service)
        except Exception as error:
            if decide(error, Phase.START) is Action.RAISE:
                raise
            attempt += 1
            process.waiting_for = describe(error)
            process.log.warning("database_unreachable", error=describe(error), attempt=attempt)
            await _pause(process, attempt)
        else:
            return True
    return False


async def _pause(process: ConsumerProcess, attempt: int) -> None:
    seconds = back_off(attempt, process.settings.tuning.retry_longest_seconds)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await process.stopped.wait()


@contextlib.asynccontextmanager
async def _measuring(process: ConsumerProcess) -> AsyncIterator[None]:
    """Read the service's own measures from the store at intervals, during the block."""
    async with in_background(_measure(process)):
        yield


async def _measure(process: ConsumerProcess) -> None:
    gauges = measure_gauges(process.registry, process.service)
    while True:
        # Cases apart: a failing query of the one must not hide the other.
        await _measured(process, partial(_measure_store, process, gauges))
        await _measured(process, partial(_measure_cases, process))
        await asyncio.sleep(process.settings.timing.measure_seconds)


async def _measured(
    process: ConsumerProcess, measure: Callable[[AsyncConnection | None], Awaitable[None]]
) -> None:
    """Call a function that reads and sets gauges; after an error, with None instead of a store."""
    try:
        async with process.engine.connect() as connection:
            await measure(connection)
    except Exception as error:  # noqa: BLE001 - after any error the last values are out of date
        # An unknown value must not show as zero.
        await measure(None)
        process.log.warning("measuring_failed", error=describe(error))


async def _measure_store(
    process: ConsumerProcess, gauges: MeasureGauges, connection: AsyncConnection | None
) -> None:
    service, waiting = process.service, process.metrics.waiting
    if connection is None:
        gauges.set(None)
        waiting.set(service.name, None)
        return
    gauges.set(await read_measures(connection, service.measures))
    tables = RuntimeTables.of(service.schema)
    waiting.set(service.name, await read_waiting(connection, tables))


async def _measure_cases(process: ConsumerProcess, connection: AsyncConnection | None) -> None:
    service, tables = process.service, RuntimeTables.of(process.service.schema)
    counted = None if connection is None else await count_cases(connection, service, tables)
    process.metrics.cases.set(service.name, counted)
