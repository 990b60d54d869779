"""Faults of topics, transactions, processes, broker and store, made one at a time.

Each fault is reverted at its end, except for what the operator of a consumer has to do. Events that
a fault removed from the logs are written again: by then, each consumer has reported the loss or has
not read that part yet. An event written twice is applied once.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.parts.databases import OwnPostgres
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.troubles import topics
from tests.parts.troubles.postgres import read_only
from tests.parts.troubles.site import Member, Site
from tests.parts.troubles.story import Story
from tests.parts.troubles.tales import TOPICS, Told
from tests.parts.troubles.writing import CODECS, open_transaction, write

MOST_PARTITIONS: Final = 6
UNREADABLE: Final = 25
TRIES: Final = 10
STILL_SECONDS: Final = 60.0
"""Maximum time without a moving fence while a consumer still has records to set aside.

When a log is read again from its start, each gap halts the consumer and needs a command, so the
total time has no limit.
"""

SET_ASIDE_SECONDS: Final = 600.0
MOST_TOLD: Final = 2000
PAUSE_SECONDS: Final = 0.05


@dataclass
class Scene:
    """The site to break, and the events written to it."""

    site: Site
    story: Story
    kafka: ApacheKafka
    postgres: OwnPostgres
    random: Random
    turns: Random
    told: list[Told] = field(default_factory=list)
    never: list[Told] = field(default_factory=list)
    unreadable: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOPICS, 0))
    flowing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the flow while it writes, and by faults that must not run during writes."""

    @property
    def read(self) -> Sequence[str]:
        """The topics that at least one member reads."""
        return [topic for topic in TOPICS if self.site.readers(topic)]

    async def flow(self) -> None:
        """Write a few events at a time, with random codecs, until cancelled between two writes."""
        while True:
            async with self.flowing:
                await asyncio.shield(asyncio.ensure_future(self._tell()))
            await asyncio.sleep(PAUSE_SECONDS)

    async def _tell(self) -> None:
        # A separate random sequence: the number of writes must not change the chosen faults.
        topic, codec = self.turns.choice(self.read), self.turns.choice(CODECS)
        told = self.story.made(topic, self.turns.randint(1, 15))
        await self.tell(told, codec)

    async def tell(self, told: Sequence[Told], codec: str = "none") -> None:
        """Write events, which every reader must apply from then on."""
        self.told += told
        self.story.missed(told)
        await write(self.site.bootstrap, told, codec=codec)

    async def tell_again(self, topic: str) -> None:
        """Write all events of a topic again that a member has not applied yet."""
        missing = set().union(*[await self.story.missing(m) for m in self.site.readers(topic)])
        left = [each for each in self.told if each.out.topic == topic and each.id in missing]
        await write(self.site.bootstrap, left)

    def unreadable_for(self, member: Member) -> int:
        """Count the records that a member must set aside."""
        return sum(self.unreadable[topic] for topic in member.topics)

    def some_topic(self) -> str:
        """Choose one."""
        return self.random.choice(self.read)

    def some_member(self) -> Member:
        """Choose one."""
        return self.random.choice(list(self.site.members.values()))

    def some_partition(self, topic: str) -> int:
        """Choose one."""
        return self.random.randrange(self.site.partitions[topic])


Fault = Callable[[Scene], Awaitable[str]]
"""Makes a fault and returns its description."""


async def killed(scene: Scene) -> str:
    """Kill a consumer, like a power cut, and start it again."""
    member = scene.some_member()
    await member.end(signal.SIGKILL)
    await member.start()
    return f"{member.name} killed"


async def frozen(scene: Scene) -> str:
    """Freeze a consumer, for less than its session or for more."""
    member, seconds = scene.some_member(), scene.random.choice([0.5, 2, 4, 9])
    member.process.freeze()
    await asyncio.sleep(seconds)
    member.process.thaw()
    return f"{member.name} frozen for {seconds} s"


async def broker_restarted(scene: Scene) -> str:
    """Kill the broker and start it again."""
    await asyncio.to_thread(scene.kafka.kill)
    await asyncio.sleep(scene.random.uniform(0, 2))
    await asyncio.to_thread(scene.kafka.start)
    return "broker restarted"


async def database_restarted(scene: Scene) -> str:
    """Kill the database and start it again."""
    await asyncio.to_thread(scene.postgres.kill)
    await asyncio.sleep(scene.random.uniform(0, 2))
    await asyncio.to_thread(scene.postgres.start)
    return "database restarted"


async def database_read_only(scene: Scene) -> str:
    """Make the database read-only for a while, as in a failover."""
    seconds = scene.random.uniform(1, 4)
    async with read_only(scene.site.database_url):
        await asyncio.sleep(seconds)
    return f"database read-only for {seconds:.1f} s"


async def topic_recreated(scene: Scene) -> str:
    """Recreate a topic under running, frozen or stopped consumers."""
    topic, how = scene.some_topic(), scene.random.choice(list(_OUT_OF_THE_WAY))
    async with scene.flowing, _OUT_OF_THE_WAY[how](scene.site):
        bootstrap, partitions = scene.site.bootstrap, scene.site.partitions[topic]
        ends = await topics.ends(bootstrap, topic, range(partitions))
        await topics.recreate(bootstrap, [topic], partitions)
        await scene.tell_again(topic)
        # The new log ends before the fences, or has other records at their offsets.
        more = scene.random.choice([10, min(max(ends.values()) * partitions, MOST_TOLD)])
        await scene.tell(scene.story.made(topic, more))
    return f"{topic} recreated under {how} consumers"


async def transaction_aborted(scene: Scene) -> str:
    """Leave a transaction open for a while, among other records, and abort it."""
    topic, seconds = scene.some_topic(), scene.random.uniform(0.5, 3)
    foreign = scene.story.made(topic, 3)
    scene.never += foreign
    where = scene.some_partition(topic)
    async with open_transaction(scene.site.bootstrap, "foreign", foreign, where):
        await asyncio.sleep(seconds)
    return f"transaction open on {topic}-{where} for {seconds:.1f} s"


async def topic_compacted(scene: Scene) -> str:
    """Compact records away that no consumer has read."""
    topic = scene.some_topic()
    where = scene.some_partition(topic)
    async with scene.flowing:
        async with scene.site.frozen():
            told = scene.story.made(topic, 12)
            await topics.compact(scene.site.bootstrap, told, where)
        await scene.tell(told)
    return f"{topic}-{where} compacted"


async def records_deleted(scene: Scene) -> str:
    """Delete records that no consumer has read."""
    topic = scene.some_topic()
    where = scene.some_partition(topic)
    async with scene.flowing:
        async with scene.site.frozen():
            told = scene.story.made(topic, 10)
            await write(scene.site.bootstrap, told, where)
            end = await topics.end(scene.site.bootstrap, topic, where)
            await topics.cut_off(scene.site.bootstrap, topic, where, end - 3)
        await scene.tell_again(topic)
        await scene.tell(told)
    return f"{topic}-{where} cut off"


async def codec_changed(scene: Scene) -> str:
    """Make the broker recompress a topic with another codec."""
    topic, codec = scene.some_topic(), scene.random.choice(["gzip", "snappy", "lz4", "zstd"])
    await topics.alter(scene.site.bootstrap, topic, {"compression.type": codec})
    return f"{topic} compressed by {codec}"


async def partitions_raised(scene: Scene) -> str:
    """Add a partition to a topic, up to the maximum."""
    topic = scene.some_topic()
    count = min(scene.site.partitions[topic] + 1, MOST_PARTITIONS)
    if count > scene.site.partitions[topic]:
        async with scene.flowing:
            await topics.grow(scene.site.bootstrap, [topic], count)
            scene.site.partitions[topic] = count
    return f"{topic} has {count} partitions"


async def fence_reset(scene: Scene) -> str:
    """Make a consumer read a topic again from the start."""
    member = scene.some_member()
    topic = scene.random.choice(member.topics)
    reset = f"payrouter offsets reset {member.name} --topic {topic} --to earliest --yes"
    tries = 1
    # A running batch may lock the fence for longer than the command waits.
    while (await scene.site.shell.tried(reset)).status:
        tries += 1
        assert tries <= TRIES, f"{reset}: {await scene.site.shell.tried(reset)}"
    return f"{member.name} reads {topic} again, after {tries} tries"


async def unreadable_written(scene: Scene) -> str:
    """Write records that no consumer can read, and wait until all are set aside.

    In a consumer that has read everything else, this triggers the brake.
    """
    topic = scene.some_topic()
    async with scene.flowing:
        await scene.story.tell_avro(topic, UNREADABLE)
        scene.unreadable[topic] += UNREADABLE
        async with asyncio.timeout(SET_ASIDE_SECONDS):
            for member in scene.site.readers(topic):
                await _set_aside(scene, member)
    return f"{UNREADABLE} unreadable records on {topic}"


async def _set_aside(scene: Scene, member: Member) -> None:
    """Wait until a member has set aside all it must; fail if it stops making progress."""
    loop = asyncio.get_running_loop()
    before, until = None, 0.0
    while (dead := await member.dead()) < scene.unreadable_for(member):
        where = (dead, await member.next_offsets())
        if where != before:
            before, until = where, loop.time() + STILL_SECONDS
        assert loop.time() < until, f"{member.name} makes no progress at {where}"
        await asyncio.sleep(PAUSE_SECONDS)


NEW: Sequence[Fault] = (
    topic_recreated,
    database_read_only,
    transaction_aborted,
    topic_compacted,
    unreadable_written,
)
"""Faults that corrupt logs and stores without an error: each is part of the short form too."""

FAULTS: Sequence[Fault] = (
    *NEW,
    records_deleted,
    killed,
    frozen,
    broker_restarted,
    database_restarted,
    codec_changed,
    partitions_raised,
    fence_reset,
)


@contextlib.asynccontextmanager
async def _running(_site: Site) -> AsyncIterator[None]:
    yield


@contextlib.asynccontextmanager
async def _stopped(site: Site) -> AsyncIterator[None]:
    members = site.members.values()
    await asyncio.gather(*(each.end() for each in members))
    try:
        yield
    finally:
        for each in members:
            await each.start()


_OUT_OF_THE_WAY: Mapping[str, Callable[[Site], contextlib.AbstractAsyncContextManager[None]]] = {
    "running": _running,
    "frozen": lambda site: site.frozen(),
    "stopped": _stopped,
}
