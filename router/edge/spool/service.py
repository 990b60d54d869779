"""The spool of an edge process: opens its files, stores and publishes while the edge runs."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from router.background import in_background
from router.edge.spool.drainer import Drainer
from router.edge.spool.leftovers import Leftovers, slot_folder, slot_folders
from router.edge.spool.metrics import SpoolMetrics
from router.edge.spool.spool import Spool, SpoolBounds
from router.edge.spool.spooled_submit import DirectSubmit, SpooledSubmit
from router.edge.spool.storage.all_files import AllFiles
from router.edge.spool.storage.cluster_file import other_cluster
from router.edge.spool.storage.disk import Disk, RealDisk
from router.edge.spool.storage.disk_thread import DiskThread
from router.edge.spool.storage.files import Recovered, SpoolFiles
from router.edge.spool.storage.lock import SpoolInUse, locked
from router.errors import ConfigurationError
from router.telemetry.logs import Log
from router.telemetry.management import Health

LOOK_SECONDS = 10.0
"""Interval between searches for spools of processes that have ended."""


@dataclass(frozen=True)
class SpoolPlan:
    """Folder of the spool, and its bounds; `slot` is the number of the process, from 1."""

    root: Path
    slot: int
    bounds: SpoolBounds
    reserve_seconds: float
    drain_seconds: float


@dataclass(frozen=True)
class SpoolBroker:
    """The broker that records are for.

    `give_up` withdraws what `submit` returned. `cluster` returns the id of the broker's cluster,
    None if it is unknown; it raises nothing.
    """

    submit: DirectSubmit
    give_up: Callable[[object], None]
    cluster: Callable[[], Awaitable[str | None]]


class SpoolService:
    """Stores and publishes deliveries; `opened` comes first, then `running`."""

    def __init__(
        self,
        plan: SpoolPlan,
        broker: SpoolBroker,
        metrics: SpoolMetrics,
        log: Log,
        disk: Disk | None = None,
    ) -> None:
        """Store and connect the parts; nothing is opened yet."""
        self._plan = plan
        self._metrics = metrics
        self._log = log
        self._cluster = broker.cluster
        self._disk = disk or RealDisk()
        self._folder = slot_folder(plan.root, plan.slot)
        own = self._make(self._folder)
        self._own = own
        self._files = AllFiles(own)
        self._thread = DiskThread(self._files, self._disk_failed)
        self.spool = Spool(self._thread.post, lambda: self._files.size, plan.bounds, metrics, log)
        self.submit = SpooledSubmit(
            broker.submit, broker.give_up, self.spool, plan.reserve_seconds, _loop_time
        )
        self.drainer = Drainer(
            self.spool,
            broker.submit,
            self._files.read,
            self.submit.broker_answered,
            self._permitted,
            log,
            plan.bounds.oldest_seconds,
        )
        self.spool.wake = self.drainer.wake
        self._leftovers = Leftovers(
            self._disk,
            plan.root,
            self._folder,
            self._files,
            self._make,
            lambda: set(self.spool.book.segments()),
        )
        self._measure()

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Lock and read the spool; raises ConfigurationError if that is impossible."""
        with contextlib.ExitStack() as stack:
            try:
                self._disk.make_folder(self._folder)
                stack.enter_context(locked(self._folder))
                self._load(self._folder, self._own.recover())
            except SpoolInUse as problem:
                message = f"spool.path: {problem}; each process needs its own path"
                raise ConfigurationError(message) from None
            except OSError as error:
                message = f"spool.path: cannot use {self._folder}: {error.strerror}"
                raise ConfigurationError(message) from None
            stack.callback(self._leftovers.close)
            yield

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write to the disk while the block runs; everything is written at its end."""
        async with self._thread.running():
            yield

    @contextlib.asynccontextmanager
    async def publishing(self) -> AsyncIterator[None]:
        """Publish while the block runs, and afterwards until empty or `drain_seconds` are over."""
        async with in_background(self.drainer.run()), in_background(self._look()):
            yield
            if self.spool.foreign is None:
                await self.drainer.until_empty(self._plan.drain_seconds)

    @property
    def finished(self) -> int:
        """How many records were published or set aside since the start."""
        return self.spool.done

    def health(self, broker: Health) -> Health:
        """Return the health of the edge: good while deliveries can be stored."""
        problem = self.spool.problem()
        if broker.good or problem is not None:
            detail = broker.detail if problem is None else f"{broker.detail}\n{problem}"
            return Health(good=broker.good, detail=detail)
        waiting = len(self.spool.book)
        detail = f"deliveries are stored in the spool, {waiting} records wait: {broker.detail}"
        return Health(good=True, detail=detail)

    def _make(self, folder: Path) -> SpoolFiles:
        return SpoolFiles(self._disk, folder, partial(os.urandom, 16))

    def _load(self, folder: Path, found: Recovered) -> None:
        for place, entry, done in found.entries:
            self.spool.load(place, entry, done)
        if found.torn_files:
            self._metrics.torn.inc(found.torn_bytes)
            self._log.warning(
                "spool_torn", folder=str(folder), files=found.torn_files, bytes=found.torn_bytes
            )
        for each in found.refused:
            self._log.error("spool_file_refused", file=str(each.path), detail=each.why)
        self._metrics.refused.inc(len(found.refused))
        if found.entries:
            waiting = len(self.spool.book)
            self._log.info("spool_recovered", folder=str(folder), records=waiting)

    async def _permitted(self) -> bool:
        """Return whether the broker is the one that the records are for; False if unknown."""
        cluster = await self._cluster()
        if cluster is None:
            return False
        try:
            other = await asyncio.to_thread(other_cluster, self._disk, self._folder, cluster)
        except OSError as error:
            self.spool.disk_failed(error)
            return False
        if other is not None and self.spool.foreign is None:
            self._log.error("spool_other_cluster", folder=str(self._folder), detail=other)
        self.spool.foreign = other
        self._metrics.foreign.set(int(other is not None))
        return other is None

    async def _look(self) -> None:
        """Take over what other processes left, as long as the broker is known."""
        while True:
            await self._count_asides()
            self._leftovers.release_empty()
            cluster = await self._cluster()
            if cluster is not None and self.spool.foreign is None:
                await self._take_over(cluster)
            await asyncio.sleep(LOOK_SECONDS)

    async def _take_over(self, cluster: str) -> None:
        try:
            found = await asyncio.to_thread(lambda: list(self._leftovers.take_over(cluster)))
        except OSError as error:
            self._disk_failed(error)
            return
        for folder, recovered in found:
            self._load(folder, recovered)
        self.drainer.wake()

    async def _count_asides(self) -> None:
        def count() -> int:
            folders = slot_folders(self._disk, self._plan.root)
            return sum(self._make(folder).asides() for folder in folders)

        try:
            self._metrics.aside.set(await asyncio.to_thread(count))
        except OSError as error:
            self._disk_failed(error)

    def _disk_failed(self, error: OSError) -> None:
        self._metrics.disk_errors.inc()
        self._log.warning("spool_work_failed", detail=error.strerror or str(error))

    def _measure(self) -> None:
        metrics, spool = self._metrics, self.spool
        metrics.records.set_function(lambda: len(spool.book))
        metrics.bytes.set_function(lambda: self._files.size)
        metrics.limit.set(self._plan.bounds.most_bytes)
        metrics.oldest.set_function(spool.oldest_seconds)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
