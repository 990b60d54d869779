"""Reads the topic `refused`, read-only."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from router.broker.connection import KafkaConnection
from router.contract.refused import Refused
from router.contract.wire import ReaderOutdated, UndecodableRecord, decode_refused
from router.quarantine.kept_topic import KeptFilter, KeptRecord, ReadProgress, read_topic


@dataclass(frozen=True)
class Samples:
    """The samples found, oldest first, and the number of records that could not be read."""

    entries: Sequence[Refused]
    unreadable: int

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of samples per reason, the most frequent first."""
        return dict(Counter(each.reason for each in self.entries).most_common())


async def read_refused(
    kafka: KafkaConnection, topic: str, wanted: KeptFilter, progress: ReadProgress
) -> Samples:
    """Read the topic from its beginning (or from `since`) to its end at the time of the call."""
    return samples_of(await read_topic(kafka, topic, wanted.since, progress), wanted)


def samples_of(records: Iterable[KeptRecord], wanted: KeptFilter) -> Samples:
    """Return the matching samples, each once: a producer's retry may write one twice."""
    entries: dict[object, Refused] = {}
    unreadable = 0
    for value, headers in records:
        try:
            sample = decode_refused(value, headers)
        except (UndecodableRecord, ReaderOutdated):
            unreadable += 1
            continue
        if wanted.fits(sample):
            entries[sample.id] = sample
    return Samples(sorted(entries.values(), key=lambda each: each.received_at), unreadable)
