"""A spool over a simulated disk and a simulated broker, driven step by step without threads."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from prometheus_client import CollectorRegistry

from router.contract.wire import OutgoingRecord
from router.edge.spool.drainer import Drainer, DrainTiming
from router.edge.spool.metrics import SpoolMetrics
from router.edge.spool.spool import Spool, SpoolBounds
from router.edge.spool.spooled_submit import SpooledSubmit
from router.edge.spool.storage.all_files import AllFiles
from router.edge.spool.storage.codec import decode_aside
from router.edge.spool.storage.files import SpoolFiles
from router.edge.spool.storage.jobs import DiskJob, perform
from router.errors import NotDurable
from router.telemetry.logs import get_log
from tests.parts.edge.spool.simulated_broker import SimulatedBroker
from tests.parts.edge.spool.simulated_disk import SimulatedDisk

FOLDER = Path("/spool/slot-1")
ROOM = SpoolBounds(10**9, 10**6)
TOPIC = "payment"


@dataclass(eq=False)
class Sent:
    """A delivery: its values, and its answer if it has one."""

    keys: Sequence[bytes]
    values: Sequence[bytes]
    kept: bool | None = None
    """Whether it was answered with success."""
    detail: str = ""
    after: frozenset[int] = frozenset()
    """Numbers of the deliveries that were answered with success before it arrived."""

    def answer(self, problem: NotDurable | None) -> None:
        """Take the answer."""
        assert self.kept is None
        self.kept, self.detail = problem is None, "" if problem is None else problem.detail


class World:
    """One process with a spool; `disk` and `broker` outlive it."""

    def __init__(
        self,
        disk: SimulatedDisk,
        broker: SimulatedBroker,
        bounds: SpoolBounds = ROOM,
        segment_bytes: int = 400,
    ) -> None:
        """Read what an earlier process left."""
        self.disk, self.broker = disk, broker
        self.jobs: list[DiskJob] = []
        self.now = 0.0
        numbers = itertools.count()
        ids = Random(len(broker.log) * 7919 + len(disk.files))
        self.files = SpoolFiles(
            disk, FOLDER, lambda: ids.randbytes(15) + bytes([next(numbers) % 256]), segment_bytes
        )
        self.metrics = SpoolMetrics(CollectorRegistry())
        log = get_log("spool")
        self.all_files = AllFiles(self.files)
        self.spool = Spool(
            self.jobs.append,
            lambda: self.files.size,
            bounds,
            self.metrics,
            log,
            lambda: self.now,
            lambda: self.now,
        )
        self.submit = SpooledSubmit(broker, broker.give_up, self.spool, 0.5, lambda: 0.0)
        self.drainer = Drainer(
            self.spool,
            broker,
            self.files.read,
            self.submit.broker_answered,
            _permitted,
            log,
            1000.0,
            DrainTiming(30, 0, 0),
            _at_once,
        )
        self.spool.wake = self.drainer.wake
        self.recovered = self.files.recover()
        for place, entry, done in self.recovered.entries:
            self.spool.load(place, entry, done)
        self._task = asyncio.create_task(self.drainer.run())

    def send(self, sent: Sent) -> None:
        """Let a delivery arrive."""
        records = [
            OutgoingRecord(TOPIC, key, value, ())
            for key, value in zip(sent.keys, sent.values, strict=True)
        ]
        try:
            self.submit(records, sent.answer, None)
        except NotDurable as problem:
            sent.answer(problem)

    def work(self) -> None:
        """Let the disk do everything that is queued."""
        jobs = list(self.jobs)
        self.jobs.clear()
        for report in perform(self.all_files, jobs, lambda _error: None):
            report()

    async def turns(self) -> None:
        """Let the event loop do what is due."""
        for _ in range(6):
            await asyncio.sleep(0)

    async def end(self) -> None:
        """End the process at once."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def settle(self) -> None:
        """Let disk and broker work until nothing is left."""
        self.disk.failing.clear()
        self.broker.unavailable = False
        self.now += 10
        for _ in range(1000):
            self.work()
            await self.turns()
            for key in list(self.broker.lanes):
                self.broker.hold(key)
                self.broker.acknowledge(key)
            await self.turns()
            if not (len(self.spool.book) or self.jobs or self.broker.pending()):
                return
        message = f"{len(self.spool.book)} records are left"
        raise AssertionError(message)


@dataclass
class SpoolHistory:
    """Runs a random history of one disk and one broker, with crashes and power cuts."""

    random: Random
    keys: Sequence[bytes] = (b"a", b"b", b"c")
    world: World = field(init=False)
    deliveries: list[Sent] = field(default_factory=list)

    async def run(self, steps: Sequence[str]) -> None:
        """Run all steps, then let everything settle."""
        self.world = World(SimulatedDisk(), SimulatedBroker())
        doing: dict[str, Callable[[], Any]] = {
            "send": partial(self._send, 1),
            "send_two": partial(self._send, 2),
            "send_poison": partial(self._send, 1, poison=True),
            "turns": lambda: None,
            "work": self._work,
            "hold": lambda: self.world.broker.hold(self._key()),
            "acknowledge": lambda: self.world.broker.acknowledge(self._key()),
            "lose": lambda: self.world.broker.lose(self._key(), written=self._coin()),
            "expire": lambda: self.world.broker.expire(self.random.randrange(100)),
            "away": lambda: self._away(away=True),
            "back": lambda: self._away(away=False),
            "fail": self._fail,
            "repair": self._repair,
        }
        for step in steps:
            if step in {"kill", "power_cut"}:
                await self._restart(power_cut=step == "power_cut")
            else:
                doing[step]()
            if self._coin():
                await self.world.turns()
        await self.world.settle()
        await self.world.end()

    def missing(self) -> list[bytes]:
        """Return values that were answered with success and are neither written nor aside."""
        kept = {value for each in self.deliveries if each.kept for value in each.values}
        return sorted(kept - set(self.world.broker.log) - self._aside())

    def out_of_order(self) -> list[tuple[bytes, bytes]]:
        """Return values written before one of their key that had been answered before they came."""
        first = {value: at for at, value in reversed([*enumerate(self.world.broker.log)])}
        return [
            (old, new)
            for later in self.deliveries
            for number in later.after
            for key, new in zip(later.keys, later.values, strict=True)
            for same, old in zip(*_parts(self.deliveries[number]), strict=True)
            if key == same and old in first and new in first and first[new] < first[old]
        ]

    def reordered(self) -> list[tuple[bytes, bytes]]:
        """Return values written before an earlier one of their key, among those accepted.

        Without a crash that holds even for deliveries that wait at the same time.
        """
        first = {value: at for at, value in reversed([*enumerate(self.world.broker.log)])}
        by_key: dict[bytes, list[bytes]] = {}
        for each in self.deliveries:
            for key, value in zip(each.keys, each.values, strict=True):
                if each.kept and value in first:
                    by_key.setdefault(key, []).append(value)
        pairs = [pair for values in by_key.values() for pair in itertools.pairwise(values)]
        return [(old, new) for old, new in pairs if first[new] < first[old]]

    def _send(self, records: int, *, poison: bool = False) -> None:
        number = len(self.deliveries)
        keys = [self._key() for _ in range(records)]
        values = [b"%d.%d" % (number, index) for index in range(records)]
        if poison:
            self.world.broker.poison.update(values)
        answered = frozenset(at for at, each in enumerate(self.deliveries) if each.kept)
        sent = Sent(keys, values, after=answered)
        self.deliveries.append(sent)
        self.world.send(sent)

    async def _restart(self, *, power_cut: bool) -> None:
        world = self.world
        await world.end()
        world.broker.crash(written=self._coin())
        disk = world.disk.power_cut(self.random) if power_cut else world.disk
        disk.failing.clear()
        self.world = World(disk, world.broker)
        assert not self.world.recovered.refused

    def _work(self) -> None:
        self.world.work()

    def _aside(self) -> set[bytes]:
        found = set()
        for path, content in self.world.disk.files.items():
            if path.suffix == ".record":
                found.add(decode_aside(content.data).record.value)
        return found

    def _away(self, *, away: bool) -> None:
        self.world.broker.unavailable = away

    def _fail(self) -> None:
        self.world.disk.failing.add(self.random.choice(["append", "sync", "create", "sync_folder"]))

    def _repair(self) -> None:
        self.world.disk.failing.clear()
        self.world.now += 2

    def _key(self) -> bytes:
        return self.random.choice(self.keys)

    def _coin(self) -> bool:
        return self.random.random() < 0.5


def _parts(sent: Sent) -> tuple[Sequence[bytes], Sequence[bytes]]:
    return sent.keys, sent.values


async def _permitted() -> bool:
    return True


async def _at_once(function: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401 - any
    return function(*arguments)
