"""The events that one test writes for the consumers of a site, and their state in each consumer."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from tests.parts.troubles.site import Member, Site
from tests.parts.troubles.tales import Told, avro, tale
from tests.parts.troubles.writing import write
from tests.parts.waiting import eventually

PATIENCE_SECONDS: Final = 120.0
"""Time-out for an expected state. It is not a measure of speed."""

GREEN_SECONDS: Final = 6.0
"""How long a member may report that all is well while it has passed all records but misses events.

It checks the identity of a log after an error or a pause, and so shortly after it has read.
"""

WHOLE: Final = "whole"


@dataclass
class Story:
    """The events of one test, by topic."""

    site: Site
    told: dict[str, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    lost: dict[str, set[UUID]] = field(default_factory=lambda: defaultdict(set))

    def made(self, topic: str, count: int) -> list[Told]:
        """Make records of new events, which members need not apply yet."""
        numbers = [next(self.site.numbers) for _ in range(count)]
        return [tale(topic, topic, number) for number in numbers]

    def missed(self, told: Sequence[Told]) -> None:
        """Expect members to apply all events of these records."""
        for each in told:
            if each.id is not None:
                self.told[each.out.topic].add(each.id)

    async def tell(
        self, topic: str, count: int, partition: int | None = None, codec: str = "none"
    ) -> Sequence[Told]:
        """Write a number of new events to a topic."""
        told = self.made(topic, count)
        self.missed(told)
        await write(self.site.bootstrap, told, partition, codec)
        return told

    async def tell_framed(self, topic: str, count: int) -> None:
        """Write a number of new events with the frame of a schema registry."""
        told = self.made(topic, count)
        self.missed(told)
        await write(self.site.bootstrap, [each.framed() for each in told])

    async def tell_avro(self, topic: str, count: int) -> None:
        """Write a number of records that no consumer can read."""
        numbers = [next(self.site.numbers) for _ in range(count)]
        await write(self.site.bootstrap, [avro(topic, topic, each) for each in numbers])

    def gone(self, topic: str, told: Sequence[Told]) -> None:
        """Mark events as no longer in any log; they are still expected until `accept`."""
        self.lost[topic] |= {each.id for each in told if each.id is not None}

    def accept(self) -> None:
        """Stop expecting the lost events, since their loss was reported."""
        for topic, gone in self.lost.items():
            self.told[topic] -= gone

    def due(self, member: Member) -> set[UUID]:
        """Return the ids of the events that a member must have applied."""
        return set().union(*(self.told[topic] for topic in member.topics))

    async def missing(self, member: Member) -> set[UUID]:
        """Return the ids of the events that a member must have applied but has not."""
        return self.due(member) - await member.claimed()

    async def applied(self, member: Member) -> None:
        """Wait until a member has applied all events, even if it is not ready for other reasons."""

        async def applied() -> bool:
            return not await self.missing(member)

        await eventually(applied, f"{member.name} to apply all", seconds=PATIENCE_SECONDS)

    async def seen(self) -> Mapping[str, str]:
        """Return the state of the events in every member that reads them; see `seen_by`."""
        due = [each for each in self.site.members.values() if self.due(each)]
        found = await asyncio.gather(*map(self.seen_by, due))
        return {each.name: said for each, said in zip(due, found, strict=True)}

    async def seen_by(self, member: Member) -> str:
        """Return the state of the events in a member, as soon as it is stable.

        `whole`: all applied, and ready. `halted: REASONS`: not ready, with the reasons.
        `withheld`: not ready because of an open transaction. Otherwise the problem, such as
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
