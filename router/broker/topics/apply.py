"""Compares the topics with their needs, creates what is missing, and alters what may be altered."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from router.broker.topics.contract import (
    PARTITIONS,
    Change,
    Difference,
    Mend,
    TopicFound,
    TopicNeed,
    changes,
    compare,
)
from router.broker.topics.listing import MakeAdmin, administering, alter, create, look

LOOKS = 50
LOOK_SECONDS = 0.2
"""A broker learns of a change a little later than the controller makes it."""

CONFIRMING_LOOKS = 3
"""So a topic is missing only if it still is at a later look."""


class Mode(StrEnum):
    """What may be changed."""

    CHECK = "check"
    CREATE = "create"
    ALTER = "alter"


class Result(StrEnum):
    """What is to be said of a topic."""

    THERE = "there"
    CREATED = "created"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class TopicReport:
    """One topic: what became of it, what was altered, and which differences are left."""

    name: str
    result: Result
    altered: Sequence[Difference]
    left: Sequence[Difference]
    unchecked: str | None

    def as_json(self) -> dict[str, Any]:
        """Return it for programs; wanted and found in Kafka's own units."""
        return {
            "topic": self.name,
            "result": self.result.value,
            "unchecked": self.unchecked,
            "differences": [
                *(_as_json(each, altered=True) for each in self.altered),
                *(_as_json(each, altered=False) for each in self.left),
            ],
        }


@dataclass(frozen=True)
class Report:
    """Every topic in the order of the needs, and what the broker refused to do."""

    topics: Sequence[TopicReport]
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def left(self) -> Sequence[Difference]:
        """Every difference that is left."""
        return [difference for topic in self.topics for difference in topic.left]

    @property
    def well(self) -> bool:
        """Whether every topic was compared, and none differs."""
        return not self.left and not self.refused and not any(t.unchecked for t in self.topics)


async def apply_topics(
    make: MakeAdmin, where: str, needs: Sequence[TopicNeed], mode: Mode
) -> Report:
    """Bring the topics as near to their needs as the mode allows; raises TopicsUnavailable.

    Never deletes a topic or a record, never makes a retention, a size or a number of
    partitions smaller.
    """
    async with administering(make, where) as admin:
        return await _Applying(admin, needs, mode).report()


class _Applying:
    """One run, with what was found before it and what was done."""

    def __init__(self, admin: AIOKafkaAdminClient, needs: Sequence[TopicNeed], mode: Mode) -> None:
        self._admin = admin
        self._needs = needs
        self._mode = mode
        self._created: set[str] = set()
        self._refused: dict[str, str] = {}
        self._altered: list[Difference] = []

    async def report(self) -> Report:
        found = await self._look_until(lambda now: not self._missing(now), CONFIRMING_LOOKS)
        if self._mode is not Mode.CHECK:
            found = await self._create(found)
            found = await self._alter(found)
        left = compare(self._needs, found)
        topics = [self._of_topic(need.name, found[need.name], left) for need in self._needs]
        return Report(topics, self._refused)

    async def _create(self, found: Mapping[str, TopicFound]) -> Mapping[str, TopicFound]:
        missing = self._missing(found)
        if not missing:
            return found
        self._created, refused = await create(self._admin, missing)
        self._refused |= refused
        wanted = {need.name for need in missing} - refused.keys()
        return await self._look_until(lambda now: all(now[name].partitions for name in wanted))

    async def _alter(self, found: Mapping[str, TopicFound]) -> Mapping[str, TopicFound]:
        before = compare(self._needs, found)
        planned = changes(self._may_be_altered(), before)
        if not planned:
            return found
        refused = await alter(self._admin, planned)
        self._refused |= refused
        done = [each for each in planned if each.topic not in refused]
        now = await self._look_until(lambda now: not _pending(done, compare(self._needs, now)))
        pending = _pending(planned, compare(self._needs, now))
        self._altered = [d for d in before if _planned(d, planned) and d not in pending]
        return now

    def _may_be_altered(self) -> Sequence[TopicNeed]:
        """Return the topics that may be altered: all, or those that nobody has used yet."""
        if self._mode is Mode.ALTER:
            return self._needs
        return [need for need in self._needs if need.name in self._created]

    def _missing(self, found: Mapping[str, TopicFound]) -> Sequence[TopicNeed]:
        return [need for need in self._needs if found[need.name].partitions == {}]

    async def _look_until(
        self, enough: Callable[[Mapping[str, TopicFound]], bool], looks: int = LOOKS
    ) -> Mapping[str, TopicFound]:
        found = await look(self._admin, self._needs)
        for _ in range(looks):
            if enough(found):
                break
            await asyncio.sleep(LOOK_SECONDS)
            found = await look(self._admin, self._needs)
        return found

    def _of_topic(
        self, name: str, found: TopicFound, differences: Collection[Difference]
    ) -> TopicReport:
        result = Result.CREATED if name in self._created else Result.THERE
        if not found.partitions:
            result = Result.UNKNOWN if found.partitions is None else Result.MISSING
        return TopicReport(
            name,
            result,
            [each for each in self._altered if each.topic == name],
            [each for each in differences if each.topic == name],
            found.unchecked,
        )


def moves_keys(difference: Difference) -> bool:
    """Tell whether what mends it has later events of an order go to another partition."""
    return difference.what == PARTITIONS


def _planned(difference: Difference, planned: Collection[Change]) -> bool:
    for each in planned:
        if each.topic == difference.topic and difference.mend is Mend.ALTER:
            return difference.what in each.configs or difference.what == PARTITIONS
    return False


def _pending(planned: Collection[Change], now: Collection[Difference]) -> list[Difference]:
    return [each for each in now if _planned(each, planned)]


def _as_json(difference: Difference, *, altered: bool) -> dict[str, Any]:
    return {
        "what": difference.what,
        "wanted": difference.wanted,
        "at_least": difference.at_least,
        "found": difference.found,
        "endangers": difference.endangers,
        "mend": difference.mend.value,
        "action": difference.action,
        "altered": altered,
    }
