"""The parent of several workers: it takes no delivery itself.

It reads the configuration, opens a listening socket for every worker, replaces workers that end,
and answers for all of them on the one management port.
"""

import asyncio
import contextlib
from typing import Final

from prometheus_client import CollectorRegistry

from router.configuration.settings import Settings
from router.edge.app import checked_gates
from router.edge.gate import longest_deadline
from router.edge.reload import ConfigurationSource, Reloading, ReloadMetrics
from router.edge.workers.crew import Crew
from router.edge.workers.metrics import WorkerMetrics
from router.edge.workers.slot import SlotLimits, SlotPlan, WorkerSlot
from router.edge.workers.slot_state import SlotState
from router.errors import ConfigurationError
from router.telemetry.declaring import MetricDeclarations
from router.telemetry.exposition import SharedRender
from router.telemetry.logs import get_log
from router.telemetry.management import (
    listen,
    management_routes,
    process_registry,
    serving,
    stop_signal,
    stop_with_parent,
)

STOP_SECONDS: Final = 10.0
"""How much longer than its drain time a worker may take to stop: for its producer and its log."""


class WorkerFailed(Exception):  # noqa: N818 - names what happened
    """A worker that ended before it took deliveries, for a reason that it has logged."""

    def __init__(self, number: int, status: int) -> None:
        """Store the exit status that the edge ends with; that of a signal becomes 1."""
        super().__init__(f"worker {number} ended with status {status} while it started")
        self.exit_code = status if status > 0 else 1


async def run_workers(
    settings: Settings, *, supervised: bool = False, source: ConfigurationSource | None = None
) -> None:
    """Run workers until SIGTERM or SIGINT, then let them drain.

    Raises what one process raises if it cannot start.
    """
    gates = checked_gates(settings)
    edge = settings.edge
    registry = process_registry()
    stopped = stop_signal()
    if supervised:
        stop_with_parent(stopped)
    spool_seconds = 0.0 if settings.spool.path is None else settings.spool.drain_seconds
    limits = SlotLimits(
        max(edge.drain_seconds, longest_deadline(gates)) + spool_seconds + STOP_SECONDS
    )
    crew = _crew(settings, registry, limits, stopped)
    app = management_routes(crew.alive, crew.ready, SharedRender(crew.text).latest)
    log = get_log("edge")
    reloading = Reloading(settings, crew, ReloadMetrics(registry), log)
    following = reloading.following(source) if source else contextlib.nullcontext()
    with crew.open(), listen(edge.management_host, edge.management_port) as management:
        async with serving(app, management, lifespan="off"), crew.running(), following:
            log.info("edge_started", endpoints=sorted(settings.endpoints), port=edge.port)
            await stopped.wait()
            log.info("edge_stopping")
    _raise_failure(crew.failed)
    log.info("edge_stopped")


def _crew(
    settings: Settings, registry: CollectorRegistry, limits: SlotLimits, stopped: asyncio.Event
) -> Crew:
    edge = settings.edge
    metrics = WorkerMetrics(registry)
    crew = Crew(settings, registry, metrics, checked_gates)
    plan = SlotPlan(
        edge.host,
        _free_port(edge.host, edge.port),
        edge.workers,
        lambda: crew.in_force,
        limits,
        metrics,
        get_log("edge"),
        stopped.set,
    )
    crew.slots = [WorkerSlot(number, plan) for number in range(1, edge.workers + 1)]
    all_run = MetricDeclarations(registry).gauge(
        "payrouter_edge_ready", "1 if the edge can publish events now"
    )
    all_run.set_function(lambda: all(slot.state is SlotState.RUNNING for slot in crew.slots))
    return crew


def _free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0; raises OSError if another process listens there.

    Sockets that share a port would not notice: another edge of this user may share its port too.
    """
    with listen(host, port) as probe:
        return int(probe.getsockname()[1])


def _raise_failure(failed: WorkerSlot | None) -> None:
    if failed is None:
        return
    if failed.problems:
        raise ConfigurationError(*failed.problems)
    raise WorkerFailed(failed.number, failed.status)
