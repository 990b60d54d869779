"""Progress of every consumer, read once for all people who look at the same time."""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from consumers.console.web.problems import Away, PageProblem, TooSlow
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.apply.brake import Brake
from consumers.runtime.progress.mending import mending_command, unmoved_since
from consumers.runtime.progress.reading import StoreReading, read_standings, read_store
from consumers.runtime.progress.standing import Standing
from consumers.runtime.progress.survey import SurveyLimits

STUCK_SECONDS: Final = 30.0
"""How long a record may wait while nothing is applied, before the consumer counts as stuck."""

_FRESH_SECONDS: Final = 2.0
_LIMITS: Final = SurveyLimits(answer_seconds=3.0, first_records_seconds=3.0)


@dataclass(frozen=True)
class PartitionRow:
    """A partition as a consumer has it, and the command that repairs it if it does not move."""

    consumer: str
    standing: Standing
    since: datetime | None
    command: str
    seconds: float | None
    """Age of the next record; 0 if there is none, None if it is unknown."""

    @property
    def name(self) -> str:
        """Topic and number, as Kafka's tools write them."""
        return str(self.standing.partition)


@dataclass(frozen=True)
class StoppedPartitions:
    """Partitions of a topic that stopped for the same reason."""

    rows: Sequence[PartitionRow]

    @property
    def first(self) -> PartitionRow:
        """One of them: topic, state and command are those of all."""
        return self.rows[0]

    @property
    def since(self) -> datetime | None:
        """When the first of them stopped to move, None if that is unknown."""
        return min((row.since for row in self.rows if row.since is not None), default=None)

    @property
    def waiting(self) -> int | None:
        """Records that wait, None if that is unknown for one partition."""
        counts = [row.standing.behind.records for row in self.rows]
        return None if None in counts else sum(each or 0 for each in counts)


@dataclass(frozen=True)
class GroupProgress:
    """One consumer: its partitions, those in trouble first, and the brakes that hold."""

    name: str
    rows: Sequence[PartitionRow]
    brakes: Mapping[str, Brake]
    away: PageProblem | None = None

    @property
    def trouble(self) -> Sequence[PartitionRow]:
        """The partitions that need an operator."""
        return [row for row in self.rows if row.standing.trouble]

    @property
    def stops(self) -> Sequence[StoppedPartitions]:
        """What stopped, once for all partitions of a topic that the same command repairs."""
        groups: dict[tuple[str, str, str], list[PartitionRow]] = {}
        for row in self.trouble:
            standing = row.standing
            same = (standing.partition.topic, standing.state.name, row.command)
            groups.setdefault(same, []).append(row)
        return [StoppedPartitions(rows) for rows in groups.values()]

    @property
    def lag(self) -> int | None:
        """Records that are not applied yet, None if that is unknown for one partition."""
        counts = [row.standing.behind.records for row in self.rows]
        return None if None in counts else sum(each or 0 for each in counts)

    @property
    def seconds(self) -> float | None:
        """Age of the oldest record that waits, None if it is unknown."""
        known = [row.seconds for row in self.rows]
        return None if None in known else max((each or 0 for each in known), default=0)

    @property
    def members(self) -> Sequence[str]:
        """The members that have a partition."""
        return sorted({row.standing.member for row in self.rows if row.standing.member})


@dataclass(frozen=True)
class GroupsProgress:
    """All consumers at one moment, and what the broker did not answer."""

    at: datetime
    groups: Sequence[GroupProgress]
    problems: Sequence[str]

    @property
    def rows(self) -> Sequence[PartitionRow]:
        """The partitions of every consumer."""
        return [row for group in self.groups for row in group.rows]


@dataclass
class GroupsSurvey:
    """Reads the progress, at most once in two seconds, however many people look."""

    _last: GroupsProgress | None = None
    _read_at: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def progress(self, visit: ConsoleVisit) -> GroupsProgress:
        """Return the progress, at most two seconds old."""
        async with self._lock:
            if self._last is None or time.monotonic() - self._read_at > _FRESH_SECONDS:
                self._last = await _surveyed(visit)
                self._read_at = time.monotonic()
            return self._last


def survey_of(visit: ConsoleVisit) -> GroupsSurvey:
    """Return the survey of this process."""
    kept: GroupsSurvey = visit.sources.kept.setdefault(__name__, GroupsSurvey())
    return kept


async def _surveyed(visit: ConsoleVisit) -> GroupsProgress:
    names = sorted(visit.sources.consumers)
    answers = dict(
        zip(names, await asyncio.gather(*(_store(visit, n) for n in names)), strict=True)
    )
    stores = [each for each in answers.values() if isinstance(each, StoreReading)]
    found = await read_standings(stores, STUCK_SECONDS, _LIMITS)
    groups = [_group(name, answers[name], found.of.get(name, ()), visit.now) for name in names]
    problems = [found.away] if found.away else found.problems
    return GroupsProgress(visit.now, groups, problems)


async def _store(visit: ConsoleVisit, name: str) -> StoreReading | PageProblem:
    try:
        async with visit.reading(name) as connection:
            return await read_store(connection, visit.sources.consumers[name])
    except (Away, TooSlow) as problem:
        return problem


def _group(
    name: str, store: StoreReading | PageProblem, standings: Sequence[Standing], now: datetime
) -> GroupProgress:
    if isinstance(store, PageProblem):
        return GroupProgress(name, (), {}, store)
    rows = [_row(name, each, store.braked.get(each.partition.topic), now) for each in standings]
    in_order = sorted(rows, key=lambda row: (not row.standing.trouble, row.standing.partition))
    return GroupProgress(name, in_order, store.braked)


def _row(name: str, standing: Standing, brake: Brake | None, now: datetime) -> PartitionRow:
    since = unmoved_since(standing, brake) if standing.trouble else None
    command = mending_command(standing, name) if standing.trouble else ""
    waits = standing.behind.seconds(now.timestamp())
    return PartitionRow(name, standing, since, command, waits if math.isfinite(waits) else None)
