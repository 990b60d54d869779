"""Reads the quarantine topic, changing nothing: what lies there, and what was replayed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from router.broker.connection import KafkaConnection
from router.contract.quarantine import Quarantined, Replayed
from router.contract.wire import UndecodableRecord, UnknownMajorVersion, decode_quarantine
from router.quarantine.kept_topic import Progress, Record, Wanted, read_topic

_OTHERS = 64
"""Forms of one delivery that are looked at beside the first, the youngest."""


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
class Found:
    """What was found: the deliveries, oldest first, and how many records could not be read."""

    entries: Sequence[Entry]
    unreadable: int


async def read_quarantine(
    kafka: KafkaConnection, topic: str, wanted: Wanted, progress: Progress
) -> Found:
    """Read the topic from the beginning (or from `since`) to where it ended at the start."""
    return gathered(await read_topic(kafka, topic, wanted.since, progress), wanted)


def gathered(records: Iterable[Record], wanted: Wanted) -> Found:
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
