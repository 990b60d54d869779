"""A slot with real processes: what it does when they fail, hang, or end again and again."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from router.configuration.settings import settings_from
from router.edge.workers.metrics import WorkerMetrics
from router.edge.workers.slot import SlotLimits, SlotPlan, WorkerSlot
from router.edge.workers.slot_state import SlotState
from router.telemetry.logs import get_log
from tests.parts.edge.edge_server import configuration
from tests.parts.edge.workers import kill, worker_pids
from tests.parts.ports import free_port
from tests.parts.waiting import PATIENCE_SECONDS, eventually

_NOWHERE = "127.0.0.1:1"


@dataclass
class _Trial:
    """A slot, and the task that keeps a process in it."""

    slot: WorkerSlot
    registry: CollectorRegistry

    async def until(self, state: SlotState) -> None:
        await eventually(lambda: self.slot.state is state, f"a slot that is {state}")

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep a process in the slot, until it has ended after the block."""
        keeping = asyncio.create_task(self.slot.keep())
        try:
            yield
            async with asyncio.timeout(PATIENCE_SECONDS):
                await keeping
        finally:
            # None is left, even if the test fails.
            self.slot.stop()
            kill(worker_pids(os.getpid()).values())
            await asyncio.wait([keeping])

    @property
    def pid(self) -> int:
        return worker_pids(os.getpid())[self.slot.number]

    def ends(self, how: str) -> float | None:
        return self.registry.get_sample_value("payrouter_edge_worker_ends_total", {"how": how})


def _slot(
    limits: SlotLimits,
    on_failed: Callable[[], None],
    **edge: Any,  # noqa: ANN401 - of any key
) -> _Trial:
    settings = settings_from(configuration(_NOWHERE, "", **edge))
    registry = CollectorRegistry()
    plan = SlotPlan(
        *("127.0.0.1", free_port(), 1, lambda: settings, limits, WorkerMetrics(registry)),
        get_log("edge"),
        on_failed,
    )
    return _Trial(WorkerSlot(1, plan), registry)


async def test_a_process_that_does_not_stop_is_killed() -> None:
    trial = _slot(SlotLimits(stop_seconds=0.5), lambda: None)
    with capture_logs() as lines:
        async with trial.kept():
            await trial.until(SlotState.RUNNING)
            os.kill(trial.pid, signal.SIGSTOP)
            trial.slot.stop()

    assert trial.slot.state is SlotState.ENDED
    assert trial.slot.status == -signal.SIGKILL
    assert [line["event"] for line in lines] == ["worker_killed"]


async def test_first_process_that_refuses_its_configuration_fails_with_its_problems() -> None:
    failed = asyncio.Event()
    trial = _slot(
        SlotLimits(PATIENCE_SECONDS), failed.set, tls_certificate="/nowhere", tls_key="/nowhere"
    )

    await trial.slot.keep()

    assert failed.is_set()
    assert trial.slot.state is SlotState.FAILED
    assert trial.slot.status == 2
    (problem,) = trial.slot.problems
    assert problem.startswith("edge.tls_certificate, tls_key: cannot be used")


async def test_first_process_that_cannot_be_started_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.edge.workers.slot.sys.executable", "/nowhere/python")
    failed = asyncio.Event()
    trial = _slot(SlotLimits(PATIENCE_SECONDS), failed.set)

    await trial.slot.keep()

    assert failed.is_set()
    assert trial.slot.state is SlotState.FAILED
    assert "No such file" in trial.slot.problems[0]


async def test_processes_that_end_early_again_are_replaced_after_a_pause() -> None:
    pauses = {"first_pause_seconds": 600.0, "longest_pause_seconds": 600.0}
    # However long the start takes, the process ends early.
    limits = SlotLimits(stop_seconds=PATIENCE_SECONDS, long_life_seconds=3600, **pauses)
    trial = _slot(limits, lambda: None)
    address = "127.0.0.1", trial.slot.plan.port
    with capture_logs() as lines:
        async with trial.kept():
            await trial.until(SlotState.RUNNING)
            kill([trial.pid])
            # Without a pause: connections wait in the queue.
            await trial.until(SlotState.RESTARTING)
            socket.create_connection(address).close()
            await trial.until(SlotState.RUNNING)
            kill([trial.pid])
            await trial.until(SlotState.BACKING_OFF)
            # No process serves the queue for so long, so there is none.
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address)
            trial.slot.stop()

    assert trial.slot.state is SlotState.ENDED
    assert [line["pause_seconds"] for line in lines if line["event"] == "worker_ended"] == [0, 600]
    assert trial.ends("killed") == 2
    assert trial.ends("exited") == 0
