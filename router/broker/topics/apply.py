"""Compares topics with their needs, creates missing topics, and alters those that it may alter."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from router.broker.topics.changing import alter, create
from router.broker.topics.contract import (
    PARTITIONS,
    Change,
    Difference,
    Fix,
    TopicFound,
    TopicNeed,
    changes,
    compare,
)
from router.broker.topics.listing import MakeAdmin, administering, describe_topics

DESCRIBE_ATTEMPTS = 50
DESCRIBE_SECONDS = 0.2
"""Seconds between attempts: a broker learns of a change shortly after the controller made it."""

CONFIRM_ATTEMPTS = 3
"""For the same reason, a topic is missing only if a later attempt does not find it either."""


class ApplyMode(StrEnum):
    """Which changes `topics apply` may make."""

    CHECK = "check"
    CREATE = "create"
    ALTER = "alter"


class TopicResult(StrEnum):
    """State of a topic in the report."""

    THERE = "there"
    CREATED = "created"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class TopicReport:
    """One topic: the result, the differences that were fixed, and those that are left."""

    name: str
    result: TopicResult
    altered: Sequence[Difference]
    left: Sequence[Difference]
    unchecked: str | None

    def as_json(self) -> dict[str, Any]:
        """Return the JSON form; wanted and found are in Kafka's own units."""
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
class TopicsReport:
    """Every topic in the order of the needs, and by topic the changes that the broker refused."""

    topics: Sequence[TopicReport]
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def left(self) -> Sequence[Difference]:
        """All remaining differences."""
        return [difference for topic in self.topics for difference in topic.left]

    @property
    def well(self) -> bool:
        """Whether every topic was compared, and none differs."""
        return not self.left and not self.refused and not any(t.unchecked for t in self.topics)


async def apply_topics(
    make: MakeAdmin, where: str, needs: Sequence[TopicNeed], mode: ApplyMode
) -> TopicsReport:
    """Change the topics to match their needs, as far as the mode allows; raises TopicsUnavailable.

    Never deletes a topic or a record. Never reduces a retention, a size or a number of
    partitions.
    """
    async with administering(make, where) as admin:
        return await _Applying(admin, needs, mode).report()


class _Applying:
    """One run, and the changes it has made so far."""

    def __init__(
        self, admin: AIOKafkaAdminClient, needs: Sequence[TopicNeed], mode: ApplyMode
    ) -> None:
        self._admin = admin
        self._needs = needs
        self._mode = mode
        self._created: set[str] = set()
        self._refused: dict[str, str] = {}
        self._altered: list[Difference] = []

    async def report(self) -> TopicsReport:
        found = await self._describe_until(lambda now: not self._missing(now), CONFIRM_ATTEMPTS)
        if self._mode is not ApplyMode.CHECK:
            found = await self._create(found)
            found = await self._alter(found)
        left = compare(self._needs, found)
        topics = [self._of_topic(need.name, found[need.name], left) for need in self._needs]
        return TopicsReport(topics, self._refused)

    async def _create(self, found: Mapping[str, TopicFound]) -> Mapping[str, TopicFound]:
        missing = self._missing(found)
        if not missing:
            return found
        self._created, refused = await create(self._admin, missing)
        self._refused |= refused
        wanted = {need.name for need in missing} - refused.keys()
        return await self._describe_until(lambda now: all(now[name].partitions for name in wanted))

    async def _alter(self, found: Mapping[str, TopicFound]) -> Mapping[str, TopicFound]:
        before = compare(self._needs, found)
        planned = changes(self._may_be_altered(), before)
        if not planned:
            return found
        refused = await alter(self._admin, planned)
        self._refused |= refused
        done = [each for each in planned if each.topic not in refused]
        now = await self._describe_until(lambda now: not _pending(done, compare(self._needs, now)))
        pending = _pending(planned, compare(self._needs, now))
        self._altered = [d for d in before if _planned(d, planned) and d not in pending]
        return now

    def _may_be_altered(self) -> Sequence[TopicNeed]:
        """Return the topics that may be altered: all, or only those that this run created."""
        if self._mode is ApplyMode.ALTER:
            return self._needs
        return [need for need in self._needs if need.name in self._created]

    def _missing(self, found: Mapping[str, TopicFound]) -> Sequence[TopicNeed]:
        return [need for need in self._needs if found[need.name].partitions == {}]

    async def _describe_until(
        self, done: Callable[[Mapping[str, TopicFound]], bool], attempts: int = DESCRIBE_ATTEMPTS
    ) -> Mapping[str, TopicFound]:
        found = await describe_topics(self._admin, self._needs)
        for _ in range(attempts):
            if done(found):
                break
            await asyncio.sleep(DESCRIBE_SECONDS)
            found = await describe_topics(self._admin, self._needs)
        return found

    def _of_topic(
        self, name: str, found: TopicFound, differences: Collection[Difference]
    ) -> TopicReport:
        result = TopicResult.CREATED if name in self._created else TopicResult.THERE
        if not found.partitions:
            result = TopicResult.UNKNOWN if found.partitions is None else TopicResult.MISSING
        return TopicReport(
            name,
            result,
            [each for each in self._altered if each.topic == name],
            [each for each in differences if each.topic == name],
            found.unchecked,
        )


def moves_keys(difference: Difference) -> bool:
    """Return whether the fix moves later events of an order to another partition."""
    return difference.what == PARTITIONS


def _planned(difference: Difference, planned: Collection[Change]) -> bool:
    for each in planned:
        if each.topic == difference.topic and difference.fix is Fix.ALTER:
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
        "mend": difference.fix.value,
        "action": difference.action,
        "altered": altered,
    }
