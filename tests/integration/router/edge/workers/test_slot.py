"""A slot with real processes: what it does when they fail, hang, or end again and again."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
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
from tests.parts.waiting import eventually

_NOWHERE = "127.0.0.1:1"


@dataclass
class _Kept:
    """A slot, and the task that keeps a process in it."""

    slot: WorkerSlot
    registry: CollectorRegistry

    async def until(self, state: SlotState) -> None:
        await eventually(lambda: self.slot.state is state, f"a slot that is {state}")

    @property
    def pid(self) -> int:
        return worker_pids(os.getpid())[self.slot.number]

    def ends(self, how: str) -> float | None:
        return self.registry.get_sample_value("payrouter_edge_worker_ends_total", {"how": how})


def _slot(
    limits: SlotLimits,
    on_failed: Callable[[], None],
    **edge: Any,  # noqa: ANN401 - of any key
) -> _Kept:
    settings = settings_from(configuration(_NOWHERE, "", **edge))
    registry = CollectorRegistry()
    plan = SlotPlan(
        *("127.0.0.1", free_port(), 1, lambda: settings, limits, WorkerMetrics(registry)),
        get_log("edge"),
        on_failed,
    )
    return _Kept(WorkerSlot(1, plan), registry)


async def test_a_process_that_does_not_stop_is_killed() -> None:
    kept = _slot(SlotLimits(stop_seconds=0.5), lambda: None)
    with capture_logs() as lines:
        keeping = asyncio.create_task(kept.slot.keep())
        await kept.until(SlotState.RUNNING)
        os.kill(kept.pid, signal.SIGSTOP)
        kept.slot.stop()
        await keeping

    assert kept.slot.state is SlotState.ENDED
    assert kept.slot.status == -signal.SIGKILL
    assert [line["event"] for line in lines] == ["worker_killed"]


async def test_first_process_that_refuses_its_configuration_fails_with_its_problems() -> None:
    failed = asyncio.Event()
    kept = _slot(SlotLimits(1), failed.set, tls_certificate="/nowhere", tls_key="/nowhere")

    await kept.slot.keep()

    assert failed.is_set()
    assert kept.slot.state is SlotState.FAILED
    assert kept.slot.status == 2
    (problem,) = kept.slot.problems
    assert problem.startswith("edge.tls_certificate, tls_key: cannot be used")


async def test_first_process_that_cannot_be_started_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.edge.workers.slot.sys.executable", "/nowhere/python")
    failed = asyncio.Event()
    kept = _slot(SlotLimits(1), failed.set)

    await kept.slot.keep()

    assert failed.is_set()
    assert kept.slot.state is SlotState.FAILED
    assert "No such file" in kept.slot.problems[0]


async def test_processes_that_end_early_again_are_replaced_after_a_pause() -> None:
    kept = _slot(
        SlotLimits(stop_seconds=5, first_pause_seconds=600, longest_pause_seconds=600), lambda: None
    )
    address = "127.0.0.1", kept.slot.plan.port
    with capture_logs() as lines:
        keeping = asyncio.create_task(kept.slot.keep())
        await kept.until(SlotState.RUNNING)
        first = kept.pid
        kill([first])
        # Without a pause: connections wait in the queue.
        await kept.until(SlotState.RESTARTING)
        socket.create_connection(address).close()
        await kept.until(SlotState.RUNNING)
        kill([kept.pid])
        await kept.until(SlotState.BACKING_OFF)
        # No process serves the queue for so long, so there is none.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        kept.slot.stop()
        await keeping

    assert kept.slot.state is SlotState.ENDED
    assert [line["pause_seconds"] for line in lines if line["event"] == "worker_ended"] == [0, 600]
    assert kept.ends("killed") == 2
    assert kept.ends("exited") == 0
