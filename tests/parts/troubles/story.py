"""What one test tells the consumers of a site, and what has become of it in each of them."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from tests.parts.troubles.site import Member, Site
from tests.parts.troubles.tales import Told, avro, tale
from tests.parts.troubles.writing import write

PATIENCE_SECONDS: Final = 120.0
"""How long what has to come may take; nothing is said about how fast it comes."""

GREEN_SECONDS: Final = 6.0
"""So long a member may say that all is well, having passed everything, while something is missing.

It looks at the identity of a log after an error or a pause, and so a moment later than it reads.
"""

WHOLE: Final = "whole"


@dataclass
class Story:
    """The events of one test, by topic."""

    site: Site
    told: dict[str, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    lost: dict[str, set[UUID]] = field(default_factory=lambda: defaultdict(set))

    def made(self, topic: str, count: int) -> list[Told]:
        """Make so many records of events that nobody has told, not to be missed yet."""
        numbers = [next(self.site.numbers) for _ in range(count)]
        return [tale(topic, topic, number) for number in numbers]

    def missed(self, told: Sequence[Told]) -> None:
        """Have every event of these records be missed until it has had its effect."""
        for each in told:
            if each.id is not None:
                self.told[each.out.topic].add(each.id)

    async def tell(
        self, topic: str, count: int, partition: int | None = None, codec: str = "none"
    ) -> Sequence[Told]:
        """Write so many new events to a topic."""
        told = self.made(topic, count)
        self.missed(told)
        await write(self.site.bootstrap, told, partition, codec)
        return told

    async def tell_framed(self, topic: str, count: int) -> None:
        """Write so many new events behind the frame of a schema registry."""
        told = self.made(topic, count)
        self.missed(told)
        await write(self.site.bootstrap, [each.framed() for each in told])

    async def tell_avro(self, topic: str, count: int) -> None:
        """Write so many records that nobody can read."""
        numbers = [next(self.site.numbers) for _ in range(count)]
        await write(self.site.bootstrap, [avro(topic, topic, each) for each in numbers])

    def gone(self, topic: str, told: Sequence[Told]) -> None:
        """Note that these are in no log any more; they are missed until `accept`."""
        self.lost[topic] |= {each.id for each in told if each.id is not None}

    def accept(self) -> None:
        """Miss no more what is gone: it was said."""
        for topic, gone in self.lost.items():
            self.told[topic] -= gone

    def due(self, member: Member) -> set[UUID]:
        """Return what a member has to have applied."""
        return set().union(*(self.told[topic] for topic in member.topics))

    async def missing(self, member: Member) -> set[UUID]:
        """Return what a member has to have applied and has not."""
        return self.due(member) - await member.claimed()

    async def applied(self, member: Member) -> None:
        """Wait until a member has applied all of it, whatever it says about other things."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.missing(member):  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.1)

    async def seen(self) -> Mapping[str, str]:
        """Tell what has become of the story in every member it is told to; see `seen_by`."""
        due = [each for each in self.site.members.values() if self.due(each)]
        found = await asyncio.gather(*map(self.seen_by, due))
        return {each.name: said for each, said in zip(due, found, strict=True)}

    async def seen_by(self, member: Member) -> str:
        """Tell what has become of the story in a member, as soon as it is settled.

        `whole`: all applied and ready. `halted: REASONS`: it is not ready, and says so.
        `withheld`: it is not ready, for an open transaction. Else what is wrong, such as
        `green, 11 of 12 missing`.
        """
        loop = asyncio.get_running_loop()
        began, passed_since = loop.time(), None
        while True:
            good, said = await member.ready()
            missing = await self.missing(member)
            what = "green" if good else f"not ready ({said})"
            judged = f"{what}, {len(missing)} of {len(self.due(member))} missing"
            if good and not missing:
                return WHOLE
            told = None if good else await _told(member, said)
            if told is not None:
                return told
            passed = good and await self.site.at_the_end(member, await self.site.ends(member))
            passed_since = (passed_since or loop.time()) if passed else None
            if passed_since is not None and loop.time() - passed_since > GREEN_SECONDS:
                return judged
            if loop.time() - began > PATIENCE_SECONDS:
                return judged
            await asyncio.sleep(0.2)


async def _told(member: Member, said: str) -> str | None:
    halts = await member.halts()
    if halts and " halted: " in said:
        return f"halted: {', '.join(halts)}"
    if "open transaction" in said:
        return "withheld"
    return None
