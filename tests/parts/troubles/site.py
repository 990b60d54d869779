"""A broker, a database, and consumers as separate processes, for tests of faults.

The consumers run as in production, and tests observe them as users can: through the management port
and the commands that they name.
"""

import asyncio
import contextlib
import re
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from consumers.runtime.apply.offsets import read_fence_rows
from consumers.runtime.service import Service
from tests.conformance.bench import Bench, bench
from tests.conformance.programs import Programs
from tests.parts.ports import free_port
from tests.parts.runtime.running import Running, running
from tests.parts.troubles import topics
from tests.parts.troubles.shell import Shell, shell
from tests.parts.troubles.tales import TOPICS
from tests.parts.waiting import eventually

PARTITIONS: Final = 2
FROZEN_SECONDS: Final = 3.0
"""Long enough to be detected as a pause, shorter than the session."""
START_SECONDS: Final = 120.0
"""How long all processes may take to start on a busy machine."""

FETCH_SECONDS: Final = 0.7
"""Slightly longer than the broker lets a fetch wait for records."""

CONFIG: Final = """
[kafka]
bootstrap_servers = "{bootstrap}"
[topics]
partitions = {partitions}
replication_factor = 1
min_insync_replicas = 1
[database]
url = "{database}"
"""
CONSUMER: Final = """
[consumers.{name}]
management_port = {port}
batch_wait_seconds = 0.05
session_timeout_seconds = 6
transaction_timeout_seconds = 3
retry_longest_seconds = 0.5
beyond_end_seconds = 0.5
park_seconds = 0.05
open_transaction_seconds = 1
"""
_COMMAND: Final = re.compile(r"`(payrouter [^`]+)`")
_HALTED: Final = re.compile(
    r'^payrouter_partition_halted\{.*reason="(\w+)".*\} 1\.0$', re.MULTILINE
)
_NEEDS_YES: Final = "--yes does it"


@dataclass
class Member:
    """A consumer and its process, which may be stopped and started again."""

    bench: Bench
    programs: Programs
    port: int
    stack: contextlib.AsyncExitStack
    running: Running | None = None

    @property
    def name(self) -> str:
        """The consumer's name."""
        return self.bench.service.name

    @property
    def topics(self) -> Sequence[str]:
        """The topics it reads for which records can be made."""
        return self.bench.topics

    @property
    def process(self) -> Running:
        """Its running process."""
        assert self.running is not None
        return self.running

    async def start(self) -> None:
        """Start its process; it does not outlive the site."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "consumers", "consume", self.name),
            cwd=self.programs.folder,
            env=self.programs.environment(),
            stderr=PIPE,
        )
        self.running = await self.stack.enter_async_context(running(process, self.port))

    async def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End its process: in order, once it handles signals, or at once."""
        if how is signal.SIGTERM:
            await eventually(self._answers, f"an answer of {self.name}: {self.process.lines}")
        self.process.process.send_signal(how)
        status = await self.process.ended()
        assert status == (0 if how is signal.SIGTERM else -how), self.process.lines

    async def _answers(self) -> bool:
        status, _ = await self.process.asked("/healthz")
        return status != 0

    async def ready(self) -> tuple[bool, str]:
        """Return whether it is ready, and the detail of the probe."""
        if self.process.process.returncode is not None:
            return False, f"it has ended: {self.process.lines[-5:]}"
        status, said = await self.process.asked("/readyz")
        return status == 200, said

    async def halts(self) -> Sequence[str]:
        """Return the reasons of its halted partitions, according to its metric."""
        _, text = await self.process.asked("/metrics")
        found = re.findall(
            r'^payrouter_partition_halted\{.*reason="(\w+)".*\} 1\.0$', text, re.MULTILINE
        )
        return sorted(set(found))

    async def claimed(self) -> set[UUID]:
        """Read the ids of the applied events."""
        seen = self.bench.tables.seen_event
        async with self.bench.engine.connect() as connection:
            return set(await connection.scalars(select(seen.c.event_id)))

    async def dead(self) -> int:
        """Count its dead records."""
        held = self.bench.tables.held
        query = select(func.count()).where(held.c.state == "dead")
        async with self.bench.engine.connect() as connection:
            return int(await connection.scalar(query) or 0)

    async def next_offsets(self) -> Mapping[tuple[str, int], int]:
        """Read its next offsets, by topic and partition."""
        async with self.bench.engine.connect() as connection:
            rows = await read_fence_rows(connection, self.bench.tables)
        return {(row.topic, row.partition): row.next_offset for row in rows}


@dataclass
class Site:
    """Broker, database, consumers and a shell for commands."""

    bootstrap: str
    database_url: str
    engine: AsyncEngine
    shell: Shell
    members: Mapping[str, Member]
    partitions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOPICS, PARTITIONS))
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 10**9)))

    def readers(self, topic: str) -> Sequence[Member]:
        """Return the members that read a topic."""
        return [each for each in self.members.values() if topic in each.topics]

    @contextlib.asynccontextmanager
    async def frozen(self) -> AsyncIterator[None]:
        """Freeze every member while the block runs, long enough to count as a pause.

        No fetch from before the block receives records that are written in it.
        """
        loop = asyncio.get_running_loop()
        since = loop.time()
        for each in self.members.values():
            each.process.freeze()
        try:
            await asyncio.sleep(FETCH_SECONDS)
            yield
            await asyncio.sleep(max(0.0, FROZEN_SECONDS - (loop.time() - since)))
        finally:
            for each in self.members.values():
                each.process.thaw()

    async def all_ready(self) -> None:
        """Wait until every member is ready."""
        loop = asyncio.get_running_loop()
        until = loop.time() + START_SECONDS
        while True:
            said = {name: await each.ready() for name, each in self.members.items()}
            if all(good for good, _ in said.values()):
                return
            assert loop.time() < until, f"not ready after {START_SECONDS} s: {said}"
            await asyncio.sleep(0.1)

    async def ends(self, member: Member) -> Mapping[tuple[str, int], int]:
        """Return the log ends of a member's topics, by topic and partition."""
        found: dict[tuple[str, int], int] = {}
        for topic in member.topics:
            ends = await topics.ends(
                self.bootstrap, topic, range(self.partitions.get(topic, PARTITIONS))
            )
            found |= {(topic, number): end for number, end in ends.items()}
        return found

    async def at_the_end(self, member: Member, ends: Mapping[tuple[str, int], int]) -> bool:
        """Return whether a member has passed all records before these log ends."""
        done = await member.next_offsets()
        return all(done.get(place, -1) >= end for place, end in ends.items() if end)

    async def run_fixes(self, member: Member) -> Sequence[str]:
        """Run the fixes that a member names in `/readyz`: the first fixing command of each line.

        If a command requires `--yes`, it is run again with it.
        """
        done = await self.named_fixes(member)
        for command in done:
            answer = await self.shell.run(command)
            if _NEEDS_YES in answer.out:
                await self.shell.run(f"{command} --yes")
        return done

    async def named_fixes(self, member: Member) -> Sequence[str]:
        """Return the commands that a member names in `/readyz`: the first fix of each line."""
        _, said = await member.ready()
        lines = (
            [c for c in _COMMAND.findall(line) if " show " not in c] for line in said.splitlines()
        )
        return [mending[0] for mending in lines if mending]


@contextlib.asynccontextmanager
async def site(
    bootstrap: str, database_url: str, services: Sequence[Service], programs: Programs
) -> AsyncIterator[Site]:
    """Create topics and run consumers on a separate broker and database until they are ready."""
    ports = {each.name: free_port() for each in services}
    config = CONFIG.format(bootstrap=bootstrap, database=database_url, partitions=PARTITIONS)
    config += "".join(CONSUMER.format(name=name, port=port) for name, port in ports.items())
    programs.configure(config)
    engine = create_async_engine(database_url, poolclass=NullPool)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        own = await stack.enter_async_context(shell(programs.folder, programs.environment()))
        members = {
            each.name: Member(bench(engine, each), programs, ports[each.name], stack)
            for each in services
        }
        await own.run("payrouter db upgrade")
        await own.run("payrouter topics apply")
        await topics.make_missing(bootstrap, TOPICS, PARTITIONS)
        here = Site(bootstrap, database_url, engine, own, members)
        for each in members.values():
            await each.start()
        await here.all_ready()
        yield here
