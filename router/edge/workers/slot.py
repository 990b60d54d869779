"""A slot of the edge: one listening socket, and the worker process that takes from it.

The parent holds the socket, so that connections that wait in its queue are served by the next
process if one ends.
"""

import asyncio
import contextlib
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass, field

from router.configuration.settings import Settings
from router.edge.workers.channel import to_worker
from router.edge.workers.link import Link
from router.edge.workers.merging import totals
from router.edge.workers.messages import Begin, Reply, ToWorker, packed
from router.edge.workers.metrics import WorkerMetrics
from router.edge.workers.slot_state import WITH_PROCESS, SlotEvent, SlotState, after
from router.telemetry.logs import Log
from router.telemetry.management import listen
from router.telemetry.snapshot import Snapshot, read_snapshot

_WAITING_TO_START = (SlotState.STARTING, SlotState.RESTARTING)


@dataclass(frozen=True)
class SlotLimits:
    """How long a process may take to stop, and how long a slot waits for its next one."""

    stop_seconds: float
    long_life_seconds: float = 10.0
    """A process that lived longer did not end early."""
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 15.0


def pause_after(early_ends: int, limits: SlotLimits) -> float:
    """Return the pause, in seconds, after so many processes in a row that did not live long.

    There is none after the first: connections wait in its queue.
    """
    if early_ends <= 1:
        return 0.0
    # Limited before the power, which would become too large for a number.
    doublings = min(early_ends - 2, 32)
    return min(limits.first_pause_seconds * float(2**doublings), limits.longest_pause_seconds)


@dataclass(frozen=True)
class SlotPlan:
    """What all slots have in common."""

    host: str
    port: int
    slots: int
    settings: Callable[[], Settings]
    """Returns the configuration in force."""
    limits: SlotLimits
    metrics: WorkerMetrics
    log: Log
    on_failed: Callable[[], None]


@dataclass
class WorkerSlot:
    """One slot; the first has the number 1."""

    number: int
    plan: SlotPlan
    state: SlotState = SlotState.STARTING
    past: Snapshot = ()
    """What processes that have ended counted."""
    status: int = 0
    problems: tuple[str, ...] = ()
    """Why the first process did not start, if its configuration is invalid."""
    _listener: socket.socket | None = None
    _process: Process | None = None
    _link: Link | None = None
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self) -> socket.socket:
        """Bind the listening socket; raises OSError."""
        self._listener = listen(self.plan.host, self.plan.port, shared=True)
        return self._listener

    def close(self) -> None:
        """Close the listening socket; connections that are not accepted yet are reset."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    @property
    def snapshot(self) -> bytes:
        """The last metrics that the present process reported."""
        return b"" if self._link is None else self._link.snapshot

    async def keep(self) -> None:
        """Run one process after another, until the slot is stopped or cannot start."""
        early_ends = 0
        while self.state in _WAITING_TO_START:
            born = time.monotonic()
            self.status = await self._run_one()
            self._step(SlotEvent.EXITED)
            if self.state is SlotState.BACKING_OFF:
                early = time.monotonic() - born < self.plan.limits.long_life_seconds
                early_ends = early_ends + 1 if early else 0
                pause = pause_after(early_ends, self.plan.limits)
                self._log_end(pause)
                await self._back_off(pause)
        self.close()
        if self.state is SlotState.FAILED:
            self.plan.on_failed()

    def stop(self) -> None:
        """Tell the process to stop; kill it if it takes too long."""
        self._step(SlotEvent.STOP)
        self._stopped.set()
        # Connections that are not accepted yet are refused, as when a single process stops.
        self.close()
        if self._process is not None:
            self._terminate(self._process)

    async def ask(self, question: Callable[[int], ToWorker], seconds: float) -> Reply | None:
        """Ask the process; None if there is none or it does not answer in time."""
        return None if self._link is None else await self._link.ask(question, seconds)

    async def _run_one(self) -> int:
        """Run a process to its end and return its exit status."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await self._spawn(theirs)
        except OSError as error:
            ours.close()
            self.problems = (str(error.args[-1] if error.args else error),)
            return 1
        self._process = process
        if self.state is SlotState.STOPPING:
            self._terminate(process)
        link = self._link = Link(await to_worker(ours), lambda: self._step(SlotEvent.SERVING))
        begin = Begin(self.number, self.plan.slots, packed(self.plan.settings()))
        with contextlib.suppress(ConnectionError):
            await link.channel.send(begin)
        await link.follow()
        status = await self._ended(process)
        self._absorb(link)
        return status

    async def _spawn(self, theirs: socket.socket) -> Process:
        listener = self._listener or self.open()
        descriptors = listener.fileno(), theirs.fileno()
        # The number is for people who list the machine's processes.
        arguments = map(str, (self.number, *descriptors))
        # A fresh interpreter: a fork of this one could inherit locks that threads hold.
        # -P: a folder named `router` in the user's working directory must not be imported.
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "router.edge.workers", *arguments),
            # It stops when its standard input ends, so that it does not outlive this process.
            stdin=PIPE,
            pass_fds=descriptors,
            # Ctrl-C reaches only the parent.
            start_new_session=True,
        )

    async def _ended(self, process: Process) -> int:
        """Wait for the end of a process that has closed its connection."""
        try:
            async with asyncio.timeout(self.plan.limits.stop_seconds):
                await process.wait()
        except TimeoutError:
            self._kill(process)
        status = await process.wait()
        self._process = None
        return status

    def _absorb(self, link: Link) -> None:
        """Keep what the process counted, so that no counter falls."""
        self.past = totals([self.past, read_snapshot(link.snapshot)])
        self._link, self.problems = None, tuple(link.problems)

    async def _back_off(self, seconds: float) -> None:
        if seconds:
            # No process serves its queue for a while: the kernel gives connections to the others.
            self.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        if self.state is SlotState.BACKING_OFF:
            self._step(SlotEvent.DUE)

    def _terminate(self, process: Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        loop = asyncio.get_running_loop()
        loop.call_later(self.plan.limits.stop_seconds, self._kill, process)

    def _kill(self, process: Process) -> None:
        if process.returncode is None:
            self.plan.log.error(
                "worker_killed", worker=self.number, seconds=self.plan.limits.stop_seconds
            )
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def _log_end(self, pause: float) -> None:
        self.plan.metrics.ended(self.status)
        self.plan.log.error(
            "worker_ended",
            worker=self.number,
            status=self.status,
            detail="; ".join(self.problems) or None,
            pause_seconds=pause,
        )

    def _step(self, event: SlotEvent) -> None:
        self.state = after(self.state, event)

    @property
    def has_process(self) -> bool:
        """Whether a process is there, or is being started."""
        return self.state in WITH_PROCESS
