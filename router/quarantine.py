"""Reads the quarantine topic, changing nothing: what lies there, and what was replayed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from router.contract.quarantine import Quarantined, Replayed
from router.contract.wire import UndecodableRecord, UnknownMajorVersion, decode_quarantine

_FETCH_MILLISECONDS = 500
_QUIET_FETCHES = 60
"""Fetches without a record, though the end is not reached, after which the broker is given up."""

_OTHERS = 64
"""Forms of one delivery that are looked at beside the first, the youngest."""

Progress = Callable[[int, int], None]
"""Told how many records of how many were read."""


@dataclass(frozen=True)
class Entry:
    """A delivery on quarantine: as it came first, how often it was written, who replayed it last.

    `others` are those of the same signed body under other unsigned headers,
    which may decide what it means.
    """

    kept: Quarantined
    times: int = 1
    replayed: Replayed | None = None
    others: Sequence[Quarantined] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON takes it, without the delivery itself."""
        told = self.kept.model_dump(mode="json", exclude={"raw", "verification"})
        told["times"] = self.times
        told["replayed"] = None if self.replayed is None else _replay_told(self.replayed)
        return told


@dataclass(frozen=True)
class Wanted:
    """Which deliveries are asked for; None and nothing ask for all."""

    ids: Sequence[str] = ()
    reason: str | None = None
    provider: str | None = None
    endpoint: str | None = None
    since: datetime | None = None

    def fits(self, kept: Quarantined) -> bool:
        """Tell whether it is one of them; an id may be given by its beginning."""
        pairs = (
            (self.reason, kept.reason),
            (self.provider, kept.provider),
            (self.endpoint, kept.endpoint),
        )
        named = not self.ids or any(str(kept.id).startswith(each.lower()) for each in self.ids)
        young = self.since is None or kept.received_at >= self.since
        return named and young and all(want in {None, has} for want, has in pairs)


@dataclass(frozen=True)
class Found:
    """What was found: the deliveries, oldest first, and how many records could not be read."""

    entries: Sequence[Entry]
    unreadable: int


async def read_quarantine(
    options: dict[str, Any], topic: str, wanted: Wanted, progress: Progress
) -> Found:
    """Read the topic from the beginning (or from `since`) to where it ended at the start."""
    consumer = AIOKafkaConsumer(**options, enable_auto_commit=False)
    try:
        await consumer.start()
        parts = await _positioned(consumer, topic, wanted.since)
        ends = await consumer.end_offsets(parts)
        return gathered(await _values(consumer, ends, progress), wanted)
    finally:
        await consumer.stop()


def gathered(records: Iterable[tuple[bytes | None, Any]], wanted: Wanted) -> Found:
    """Fold records, in their order, to one entry of each delivery."""
    entries: dict[object, Entry] = {}
    replays: dict[object, Replayed] = {}
    unreadable = 0
    for value, headers in records:
        try:
            said = decode_quarantine(value, headers)
        except (UndecodableRecord, UnknownMajorVersion):
            unreadable += 1
            continue
        if isinstance(said, Replayed):
            replays[said.quarantined] = said
        elif wanted.fits(said):
            entry = entries.get(said.id)
            entries[said.id] = Entry(said) if entry is None else _again(entry, said)
    found = [replace(entry, replayed=replays.get(entry.kept.id)) for entry in entries.values()]
    return Found(sorted(found, key=lambda entry: entry.kept.received_at), unreadable)


def _again(entry: Entry, said: Quarantined) -> Entry:
    known = [each.raw for each in (entry.kept, *entry.others)]
    others = entry.others if said.raw in known else (*entry.others, said)[-_OTHERS:]
    return replace(entry, times=entry.times + 1, others=others)


def _replay_told(replayed: Replayed) -> dict[str, Any]:
    return replayed.model_dump(mode="json", include={"at", "by", "events"})


async def _positioned(
    consumer: AIOKafkaConsumer, topic: str, since: datetime | None
) -> Sequence[TopicPartition]:
    await consumer._client._wait_on_metadata(topic)  # noqa: SLF001 - no other way to ask
    numbers = consumer.partitions_for_topic(topic) or set()
    parts = [TopicPartition(topic, number) for number in sorted(numbers)]
    consumer.assign(parts)
    if since is None:
        await consumer.seek_to_beginning(*parts)
        return parts
    moment = int(since.timestamp() * 1000)
    found = await consumer.offsets_for_times(dict.fromkeys(parts, moment))
    begin = await consumer.beginning_offsets(parts)
    for part in parts:
        # No place: nothing is younger, or the broker (that of `dev`) does not look by time.
        place = found.get(part)
        consumer.seek(part, begin[part] if place is None else place.offset)
    return parts


async def _values(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], progress: Progress
) -> Sequence[tuple[bytes | None, Any]]:
    places = {part: await consumer.position(part) for part in ends}
    total = sum(max(ends[part] - places[part], 0) for part in ends)
    records: list[tuple[bytes | None, Any]] = []
    done, quiet = 0, 0
    while any(places[part] < ends[part] for part in ends):
        batches = await consumer.getmany(timeout_ms=_FETCH_MILLISECONDS)
        for part, batch in batches.items():
            kept = [record for record in batch if record.offset < ends[part]]
            records += [(record.value, record.headers) for record in kept]
            done += len(kept)
        quiet = 0 if batches else quiet + 1
        if quiet > _QUIET_FETCHES:
            raise TimeoutError
        places = {part: await consumer.position(part) for part in ends}
        progress(done, total)
    return records
