"""Reads the newest deliveries from the ends of the topics backwards, as many as are needed."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aiokafka import TopicPartition

from consumers.console.pages.deliveries.bounds import Bounds, bounds_from, bounds_text
from consumers.console.pages.deliveries.seen import (
    DeliveryOutcome,
    SeenDelivery,
    decoded,
    outcomes_of,
    seen,
    stored_at,
)
from router.broker.connection import KafkaConnection
from router.broker.topic_reader import TopicReader, opened_topics
from router.contract.quarantine import Replayed
from router.contract.topics import Topics

BUDGET = 5_000
"""Most records that one page reads."""

_CHUNK = 200
"""Most records of a partition that each later read adds."""

_LEAST = 16
"""Least records of a partition that the first read asks for."""

_FETCH_BYTES = 128 * 1024
"""Most bytes that the broker sends of a partition at once, so that memory stays bounded."""

_BEGINNING = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class DeliveryFilter:
    """Which deliveries to list; None and empty match all.

    `since` and `until` are about the time at which a delivery was stored, `until` excluded.
    `accounts` are those that may be shown.
    """

    outcome: DeliveryOutcome | None = None
    endpoint: str | None = None
    provider: str | None = None
    account: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    accounts: Collection[str] | None = None

    def fits(self, row: SeenDelivery) -> bool:
        """Return whether a delivery matches."""
        pairs = (
            (self.endpoint, row.endpoint),
            (self.provider, row.provider),
            (self.account, row.account),
            (self.reason, row.reason),
        )
        return (
            (self.accounts is None or row.account in self.accounts)
            and (self.since is None or row.at >= self.since)
            and (self.until is None or row.at < self.until)
            and all(want in {None, has} for want, has in pairs)
        )


@dataclass(frozen=True)
class DeliveryPage:
    """Deliveries, newest first, and where the next page begins, None after the oldest.

    `read` is the number of records read. `whole` if every match is on this page or a later one
    was not looked for; otherwise the reading stopped at its limit, and all deliveries stored
    after `reached` were read. `missing` are topics that the broker does not have.
    """

    rows: Sequence[SeenDelivery]
    after: str | None
    read: int
    whole: bool
    reached: datetime | None = None
    unreadable: int = 0
    missing: Sequence[str] = ()


@dataclass
class _Partition:
    """One partition: what was read of it, newest first, and how far.

    `low` is the offset of the oldest record read. `frontier` is the time that no older record
    exceeds in the order of the list: times within a partition may not be in order.
    """

    begin: int
    low: int
    frontier: datetime = _END
    found: list[tuple[datetime, SeenDelivery]] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether there are older records."""
        return self.low > self.begin


@dataclass
class _Reading:
    """Everything that was read for one page.

    `asked` is the number of offsets, which may be more than the records: a topic may have gaps.
    """

    wanted: DeliveryFilter
    partitions: dict[TopicPartition, _Partition]
    replays: dict[UUID, Replayed] = field(default_factory=dict)
    read: int = 0
    asked: int = 0
    unreadable: int = 0

    def matches(self) -> list[tuple[datetime, TopicPartition, SeenDelivery]]:
        """Return what was found, newest first."""
        every = [(at, part, row) for part, own in self.partitions.items() for at, row in own.found]
        return sorted(every, key=_order, reverse=True)

    def lagging(self, limit: int) -> Sequence[TopicPartition]:
        """Return the partitions that may still have one of the `limit` newest matches, or the next.

        The next one shows whether there is a next page.
        """
        found = self.matches()
        cut = found[limit][0] if len(found) > limit else _BEGINNING
        oldest = self.wanted.since or _BEGINNING
        return [
            part
            for part, own in self.partitions.items()
            if own.open and own.frontier > cut and own.frontier >= oldest
        ]


def _order(found: tuple[datetime, TopicPartition, SeenDelivery]) -> tuple[datetime, str, int, int]:
    at, _, row = found
    return at, row.place.topic, row.place.partition, row.place.offset


async def read_deliveries(
    kafka: KafkaConnection,
    topics: Topics,
    wanted: DeliveryFilter,
    after: str | None,
    limit: int,
    budget: int = BUDGET,
) -> DeliveryPage:
    """Return the newest deliveries that match, at most `limit`, older than those before `after`.

    Raises BoundsMalformed, and KafkaError or TimeoutError if the broker does not answer.
    """
    names, outcomes = every_topic(topics), outcomes_of(topics)
    asked = [name for name in names if wanted.outcome in {None, outcomes[name]}]
    given = None if after is None else bounds_from(after, names)
    async with opened_topics(kafka, asked, max_partition_fetch_bytes=_FETCH_BYTES) as reader:
        start = await _start(reader, given, wanted.until)
        reading = _Reading(
            wanted,
            {
                part: _Partition(reader.begin[part], max(at, reader.begin[part]))
                for part, at in start.items()
            },
        )
        # With many partitions, few of the newest deliveries are of the same one.
        size = min(limit + 1, max(_LEAST, 2 * (limit + 1) // max(len(start), 1)))
        while (lagging := reading.lagging(limit)) and reading.asked < budget:
            await _read_back(reader, reading, lagging, size, topics)
            size = min(_CHUNK, max(1, (budget - reading.asked) // len(lagging)))
        stopped = bool(reading.lagging(limit))
        page = _page(reading, limit, names, stopped=stopped)
        later = await _later_replays(reader, topics, page.rows, start)
    rows = [_with_replay(row, {**later, **reading.replays}) for row in page.rows]
    return replace(page, rows=rows, missing=reader.missing)


def every_topic(topics: Topics) -> Sequence[str]:
    """Return the topics with deliveries, in the order of their numbers in a URL."""
    return [*topics.events, topics.quarantine, topics.refused]


async def _start(reader: TopicReader, given: Bounds | None, until: datetime | None) -> Bounds:
    """Return the offsets before which to read."""
    start = dict(reader.end)
    if given is not None:
        # A partition that a page did not know yet has newer deliveries only.
        start = {part: min(given.get(part, reader.begin[part]), at) for part, at in start.items()}
    elif until is not None and start:
        milliseconds = int(until.timestamp() * 1000)
        found = await reader.consumer.offsets_for_times(dict.fromkeys(start, milliseconds))
        start = {
            part: at if found.get(part) is None else found[part].offset
            for part, at in start.items()
        }
    return start


async def _read_back(
    reader: TopicReader,
    reading: _Reading,
    parts: Sequence[TopicPartition],
    size: int,
    topics: Topics,
) -> None:
    """Read the records of each partition before those that were read."""
    own = reading.partitions
    first = {part: max(own[part].begin, own[part].low - size) for part in parts}
    ends = {part: own[part].low for part in parts}
    outcomes = outcomes_of(topics)
    fetched: dict[TopicPartition, list[tuple[datetime, SeenDelivery | None]]] = {
        part: [] for part in parts
    }
    async for records in reader.until(ends).fetched(first):
        reading.read += len(records)
        for record in records:
            part = TopicPartition(record.topic, record.partition)
            fetched[part].append((stored_at(record), _row(record, outcomes[part.topic], reading)))
    for part, rows in fetched.items():
        reading.asked += own[part].low - first[part]
        own[part].low = first[part]
        own[part].found += _in_order(own[part], rows)


def _row(record: Any, outcome: DeliveryOutcome, reading: _Reading) -> SeenDelivery | None:  # noqa: ANN401 - aiokafka's
    kept = decoded(record, outcome)
    if kept is None:
        reading.unreadable += 1
        return None
    if isinstance(kept, Replayed):
        reading.replays.setdefault(kept.quarantined, kept)
        return None
    row = seen(record, kept)
    return row if reading.wanted.fits(row) else None


def _in_order(
    own: _Partition, rows: Sequence[tuple[datetime, SeenDelivery | None]]
) -> Iterator[tuple[datetime, SeenDelivery]]:
    """Yield the matches, newest first, none with a later time than a newer one."""
    for at, row in reversed(rows):
        own.frontier = min(own.frontier, at)
        if row is not None:
            yield own.frontier, row


def _page(reading: _Reading, limit: int, names: Sequence[str], *, stopped: bool) -> DeliveryPage:
    found = reading.matches()
    shown, rest = found[:limit], found[limit:]
    bounds = {part: own.low for part, own in reading.partitions.items()}
    # The newest of each partition comes last, and counts.
    for _, part, row in reversed(rest):
        bounds[part] = row.place.offset + 1
    more = bool(rest) or stopped
    opened = [own.frontier for own in reading.partitions.values() if own.open]
    return DeliveryPage(
        [row for _, _, row in shown],
        bounds_text(bounds, names) if more and bounds else None,
        reading.read,
        whole=not stopped,
        reached=max(opened, default=None) if stopped else None,
        unreadable=reading.unreadable,
    )


async def _later_replays(
    reader: TopicReader, topics: Topics, rows: Sequence[SeenDelivery], start: Bounds
) -> dict[UUID, Replayed]:
    """Read the notes of replays that were stored after the records of a later page."""
    ids = {row.id for row in rows if row.outcome is DeliveryOutcome.QUARANTINED}
    parts = {
        part: max(at, reader.end[part] - BUDGET)
        for part, at in start.items()
        if part.topic == topics.quarantine and at < reader.end[part]
    }
    if not ids or not parts:
        return {}
    found = {}
    async for records in reader.fetched(parts):
        for record in records:
            kept = decoded(record, DeliveryOutcome.QUARANTINED)
            if isinstance(kept, Replayed) and kept.quarantined in ids:
                found[kept.quarantined] = kept
    return found


def _with_replay(row: SeenDelivery, replays: dict[UUID, Replayed]) -> SeenDelivery:
    return row if row.id not in replays else replace(row, replayed=replays[row.id])
