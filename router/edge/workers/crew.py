"""All slots of an edge: their health, their metrics and their configuration as if they were one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry

from router.configuration.settings import Settings
from router.edge.gate import Gate
from router.edge.reload import without_restart
from router.edge.workers.merging import merged, still_exported
from router.edge.workers.messages import (
    AskHealth,
    AskMetrics,
    JudgeSettings,
    OwnHealth,
    Reply,
    SettingsAnswer,
    ToWorker,
    UseSettings,
    packed,
)
from router.edge.workers.metrics import WorkerMetrics
from router.edge.workers.slot import WorkerSlot
from router.edge.workers.slot_state import SlotState
from router.errors import ConfigurationError
from router.telemetry.logs import set_level
from router.telemetry.management import Health
from router.telemetry.snapshot import Snapshot, read_snapshot, snapshot_pieces, text_of

HEALTH_SECONDS: Final = 2.0
"""How long a worker may take to answer a probe: less than the probe's own time-out."""

METRICS_SECONDS: Final = 5.0
"""How long a worker may take to render its metrics: less than a scrape's time-out."""

SETTINGS_SECONDS: Final = 10.0
"""How long a worker may take to check a configuration."""


@dataclass
class Crew:
    """The slots, and the configuration in force.

    `judge` raises ConfigurationError for settings that an edge would not start with.
    """

    started: Settings
    registry: CollectorRegistry
    metrics: WorkerMetrics
    judge: Callable[[Settings], Mapping[str, Gate]]
    slots: Sequence[WorkerSlot] = ()

    def __post_init__(self) -> None:
        """Begin with the configuration of the start."""
        self.in_force = self.started
        self.metrics.measure(self._count)

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Bind the listening sockets; close them at the end of the block. Raises OSError."""
        try:
            for slot in self.slots:
                slot.open()
            yield
        finally:
            for slot in self.slots:
                slot.close()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run a process in every slot until the block ends; then stop them all."""
        async with asyncio.TaskGroup() as keepers:
            for slot in self.slots:
                keepers.create_task(slot.keep())
            try:
                yield
            finally:
                for slot in self.slots:
                    slot.stop()

    @property
    def failed(self) -> WorkerSlot | None:
        """The first slot whose first process did not start."""
        return next((slot for slot in self.slots if slot.state is SlotState.FAILED), None)

    async def alive(self) -> Health:
        """Return whether every worker that takes deliveries answers."""
        running = [slot for slot in self.slots if slot.state is SlotState.RUNNING]
        answers = await _ask(running, AskHealth, HEALTH_SECONDS)
        silent = [slot for slot, answer in zip(running, answers, strict=True) if answer is None]
        if silent:
            return Health(good=False, detail="\n".join(map(_silent, silent)))
        return Health(good=True, detail="the event loops respond")

    async def ready(self) -> Health:
        """Return whether every worker is ready; name those that are not."""
        answers = await _ask(self.slots, AskHealth, HEALTH_SECONDS)
        problems = list(filter(None, map(_problem, self.slots, answers)))
        if problems:
            return Health(good=False, detail="\n".join(problems))
        details = dict.fromkeys(a.detail for a in answers if isinstance(a, OwnHealth))
        return Health(good=True, detail=f"{len(self.slots)} workers: {'; '.join(details)}")

    async def text(self) -> bytes:
        """Return the text of `/metrics` for all workers, including those that have ended."""
        running = [slot for slot in self.slots if slot.has_process]
        answers = await _ask(running, AskMetrics, METRICS_SECONDS)
        for slot, answer in zip(running, answers, strict=True):
            if answer is None and slot.state is SlotState.RUNNING:
                self.metrics.unanswered()
        # Without a pause from here on: a process that ends must count once.
        own = b"".join(snapshot_pieces(self.registry))
        present = [slot.snapshot for slot in self.slots]
        past = [slot.past for slot in self.slots]
        providers = {name: each.provider for name, each in self.in_force.endpoints.items()}
        return await asyncio.to_thread(_merged_text, [own, *present], past, providers)

    async def take(self, settings: Settings) -> None:
        """Put settings in force in all workers, or raise ConfigurationError and change none."""
        await asyncio.to_thread(self.judge, settings)
        joining = without_restart(self.started, settings)
        data = packed(joining)
        await self._agreed(lambda question: JudgeSettings(question, data))
        # A process that starts from now on begins with them.
        self.in_force = joining
        set_level(settings.log.level)
        await self._agreed(lambda question: UseSettings(question, data))

    async def _agreed(self, question: Callable[[int], ToWorker]) -> None:
        """Ask all workers; raise ConfigurationError with the problems of any.

        A worker that does not answer has not refused: it receives every message in order.
        """
        asked = [slot for slot in self.slots if slot.has_process]
        answers = await _ask(asked, question, SETTINGS_SECONDS)
        problems = [
            problem
            for answer in answers
            if isinstance(answer, SettingsAnswer)
            for problem in answer.problems
        ]
        if problems:
            raise ConfigurationError(*dict.fromkeys(problems))

    def _count(self, state: SlotState) -> int:
        return sum(slot.state is state for slot in self.slots)


async def _ask(
    slots: Sequence[WorkerSlot], question: Callable[[int], ToWorker], seconds: float
) -> list[Reply | None]:
    return await asyncio.gather(*(slot.ask(question, seconds) for slot in slots))


def _silent(slot: WorkerSlot) -> str:
    return f"worker {slot.number} does not answer"


def _problem(slot: WorkerSlot, answer: Reply | None) -> str | None:
    """Return why a worker is not ready, None if it is."""
    if slot.state is not SlotState.RUNNING:
        return f"worker {slot.number} is {slot.state.value.replace('_', ' ')}"
    if not isinstance(answer, OwnHealth):
        return _silent(slot)
    return None if answer.good else f"worker {slot.number}: {answer.detail}"


def _merged_text(
    present: Sequence[bytes], past: Sequence[Snapshot], providers: Mapping[str, str]
) -> bytes:
    read = [read_snapshot(data) for data in present]
    return text_of(merged([*read, *(still_exported(each, providers) for each in past)]))
