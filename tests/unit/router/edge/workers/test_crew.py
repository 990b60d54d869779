"""All workers take a configuration or none does, and their answers become one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from router.configuration.settings import Settings, settings_from
from router.edge.workers.crew import Crew
from router.edge.workers.messages import (
    AskHealth,
    JudgeSettings,
    OwnHealth,
    Reply,
    SettingsAnswer,
    ToWorker,
    UseSettings,
    unpacked,
)
from router.edge.workers.metrics import WorkerMetrics
from router.edge.workers.slot_state import SlotState
from router.errors import ConfigurationError
from router.telemetry.management import Health
from tests.parts.edge.edge_server import configuration

_READY = Health(good=True, detail="ready")


@dataclass
class _Worker:
    """A slot whose process answers as a test requires; None is silence."""

    number: int
    problems: list[str] | None = field(default_factory=list)
    health: Health | None = _READY
    state: SlotState = SlotState.RUNNING
    asked: list[ToWorker] = field(default_factory=list)
    has_process: bool = True

    async def ask(self, question: Callable[[int], ToWorker], seconds: float) -> Reply | None:
        del seconds
        message = question(0)
        self.asked.append(message)
        if isinstance(message, AskHealth):
            health = self.health
            return None if health is None else OwnHealth(0, health.good, health.detail)
        return None if self.problems is None else SettingsAnswer(0, self.problems)


def _settings(**edge: Any) -> Settings:  # noqa: ANN401 - of any key
    return settings_from(configuration("127.0.0.1:1", "", **edge))


def _crew(*workers: _Worker) -> Crew:
    registry = CollectorRegistry()
    slots: Any = workers
    return Crew(_settings(), registry, WorkerMetrics(registry), lambda _settings: {}, slots)


def _kinds(worker: _Worker) -> list[type]:
    return [type(message) for message in worker.asked]


async def test_a_configuration_that_all_take_is_in_force() -> None:
    workers = _Worker(1), _Worker(2)
    crew = _crew(*workers)

    await crew.take(_settings(trusted_proxies="10.0.0.1", port=1))

    assert [_kinds(worker) for worker in workers] == [[JudgeSettings, UseSettings]] * 2
    # The port needs a restart: a successor must not have another than its siblings.
    assert crew.in_force.edge.port == 0
    assert crew.in_force.edge.trusted_proxies
    last = cast("Any", workers[1].asked[-1])
    assert unpacked(last.settings) == crew.in_force


async def test_a_configuration_that_one_refuses_is_used_by_none() -> None:
    workers = _Worker(1), _Worker(2, ["edge.tls_certificate: expired"]), _Worker(3)
    crew = _crew(*workers)
    before = crew.in_force

    with pytest.raises(ConfigurationError, match="expired"):
        await crew.take(_settings(trusted_proxies="10.0.0.1"))

    assert [_kinds(worker) for worker in workers] == [[JudgeSettings]] * 3
    assert crew.in_force is before


async def test_a_silent_worker_delays_no_configuration_but_is_sent_it() -> None:
    workers = _Worker(1), _Worker(2, None)

    await _crew(*workers).take(_settings())

    assert _kinds(workers[1]) == [JudgeSettings, UseSettings]


@pytest.mark.parametrize(
    ("worker", "problem"),
    [
        (_Worker(2, health=Health(good=False, detail="no leader")), "worker 2: no leader"),
        (_Worker(2, health=None), "worker 2 does not answer"),
        (_Worker(2, state=SlotState.BACKING_OFF), "worker 2 is backing off"),
        (_Worker(2, state=SlotState.RESTARTING), "worker 2 is restarting"),
    ],
    ids=["not ready", "silent", "backing off", "restarting"],
)
async def test_edge_is_ready_only_if_every_worker_is(worker: _Worker, problem: str) -> None:
    assert await _crew(_Worker(1), worker).ready() == Health(good=False, detail=problem)


async def test_ready_workers_make_a_ready_edge() -> None:
    health = await _crew(_Worker(1), _Worker(2)).ready()

    assert health == Health(good=True, detail="2 workers: ready")


async def test_a_worker_that_is_being_replaced_does_not_make_the_edge_dead() -> None:
    replaced = _Worker(2, health=None, state=SlotState.RESTARTING)

    assert (await _crew(_Worker(1), replaced).alive()).good
    assert not (await _crew(_Worker(1), _Worker(2, health=None)).alive()).good
