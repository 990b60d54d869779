"""Real consumers under every fault of logs, stores and processes: all events are applied once.

Payments are written all the time. An operator only runs the commands that the consumers name. The
short form makes each of the new faults once, the long form makes random faults for minutes.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from consumers.discovery import discover
from consumers.ledger.reading.statement import read_books
from consumers.ledger.reading.verify import verify
from tests.conformance.programs import Programs
from tests.parts.chaos.diagnosis import described
from tests.parts.chaos.faults import FAULTS, NEW, Fault, Scene, killed
from tests.parts.databases import OwnPostgres, own_postgres
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.troubles import topics
from tests.parts.troubles.site import Member, Site, site
from tests.parts.troubles.story import Story

pytestmark = [pytest.mark.kafka, pytest.mark.chaos]

NAMES = ("inventory", "ledger")
LONG = 60
"""Number of faults in the long form."""

SEED = 20261129
SETTLE_SECONDS = 180.0
LOOK_SECONDS = 0.5
ANSWER_SECONDS = 20.0


@dataclass
class Operator:
    """Checks the consumers and runs the commands they name."""

    site: Site
    ran: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    last: dict[str, str] = field(default_factory=dict)
    """The last command for each member, and its output."""

    async def work(self) -> None:
        """Check each of them in a loop until cancelled."""
        async with asyncio.TaskGroup() as looking:
            for member in self.site.members.values():
                looking.create_task(self._look_after(member))

    async def _look_after(self, member: Member) -> None:
        while True:
            # A frozen member does not answer, a killed one refuses connections; both recover.
            with contextlib.suppress(OSError, EOFError, TimeoutError):
                if member.process.process.returncode is None:
                    await self._mend(member)
            await asyncio.sleep(LOOK_SECONDS)

    async def _mend(self, member: Member) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            commands = await self.site.named_fixes(member)
            halts = await member.halts()
        self.seen.update(halts if commands else [])
        for command in commands:
            words = command.split()
            self.last[member.name] = f"{command}: not answered yet"
            said = await self.site.shell.tried(f"{command} --yes" if "reset" in words else command)
            self.last[member.name] = f"{command}: {said}"
            self.ran[" ".join(words[1:3])] += said.status == 0


@pytest.fixture
def postgres() -> Iterator[OwnPostgres]:
    """Run a separate PostgreSQL."""
    with own_postgres() as server:
        yield server


@pytest.fixture
def kafka() -> Iterator[ApacheKafka]:
    """Run a separate Kafka, which compacts at once."""
    own = ApacheKafka(topics.QUICK_CLEANER)
    try:
        own.start()
        yield own
    finally:
        own.destroy()


@pytest.fixture
async def scene(kafka: ApacheKafka, postgres: OwnPostgres, tmp_path: Path) -> AsyncIterator[Scene]:
    """Run consumers; yield the scene to break."""
    known = discover()
    services = [known[name] for name in NAMES]
    programs = Programs(tmp_path, tmp_path / "nothing")
    async with site(kafka.bootstrap, postgres.start(), services, programs) as running:
        yield Scene(running, Story(running), kafka, postgres, Random(SEED), Random(SEED))


def sequence(random: Random, *, long: bool) -> Sequence[Fault]:
    """Choose the faults: each one once, and then random ones."""
    chosen = list(FAULTS if long else (*NEW, killed))
    random.shuffle(chosen)
    return [*chosen, *random.choices(FAULTS, k=LONG - len(chosen))] if long else chosen


async def made(fault: Fault, scene: Scene, beside: Sequence[asyncio.Task[None]]) -> str:
    """Make a fault while the other tasks continue; return its description."""
    making = asyncio.ensure_future(fault(scene))
    await asyncio.wait({making, *beside}, return_when=asyncio.FIRST_COMPLETED)
    for each in beside:
        if each.done():
            making.cancel()
            await each
    return await making


async def settled(scene: Scene) -> None:
    """Wait until all members have applied all events and are ready."""
    loop = asyncio.get_running_loop()
    until = loop.time() + SETTLE_SECONDS
    while True:
        left = {m.name: len(await scene.story.missing(m)) for m in scene.site.members.values()}
        said = {m.name: await m.ready() for m in scene.site.members.values()}
        if not any(left.values()) and all(good for good, _ in said.values()):
            return
        assert loop.time() < until, f"missing after {SETTLE_SECONDS} s: {left}; {said}"
        await asyncio.sleep(LOOK_SECONDS)


async def test_every_event_is_applied_once_despite_every_fault(
    scene: Scene,
    chaos_long: bool,  # noqa: FBT001 - a fixture
    capsys: pytest.CaptureFixture[str],
) -> None:
    started = time.monotonic()
    operator = Operator(scene.site)
    working = asyncio.create_task(operator.work())
    flowing = asyncio.create_task(scene.flow())

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"{time.monotonic() - started:6.0f} s  {text}", flush=True)  # noqa: T201

    say(f"seed {SEED}")
    async with described(scene, operator.last):
        faults = sequence(scene.random, long=chaos_long)
        for number, fault in enumerate(faults, start=1):
            said = await made(fault, scene, [working, flowing])
            say(f"{number:3}  {said}; told {len(scene.told)}, halts seen {dict(operator.seen)}")
            await asyncio.sleep(scene.random.uniform(0, 1))
        async with scene.flowing:
            flowing.cancel()
        await settled(scene)
        say(f"settled: {len(scene.told)} told, commands run {dict(operator.ran)}")
        await each_once(scene)
    working.cancel()


async def each_once(scene: Scene) -> None:
    """Assert that exactly the written events are applied, and none is held."""
    never = {each.id for each in scene.never}
    for member in scene.site.members.values():
        claimed = await member.claimed()
        assert claimed == scene.story.due(member)
        assert not claimed & never
        assert await member.dead() == scene.unreadable_for(member)
    booked = len(scene.story.told["payment"]) + len(scene.story.told["payout"])
    async with scene.site.engine.connect() as connection:
        books = await read_books(connection)
        assert (await verify(connection)).faults == []
    assert (books.transactions, books.balanced) == (booked, True)
