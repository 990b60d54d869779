"""The metrics of a process as data, so that another process can add them to its own."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import msgspec
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.samples import Sample

from router.telemetry.exposition import PIECE_SAMPLES, families

_LENGTH_BYTES = 4


class FamilySnapshot(msgspec.Struct, array_like=True):
    """A metric and its samples: name, labels, value."""

    name: str
    kind: str
    meaning: str
    samples: list[tuple[str, dict[str, str], float]]


Snapshot = Sequence[FamilySnapshot]
"""The metrics of one process at one moment, each once."""


def framed(data: bytes) -> bytes:
    """Return data with its length before it."""
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data


def snapshot_pieces(registry: CollectorRegistry) -> Iterator[bytes]:
    """Yield the snapshot of a registry in pieces of at most `PIECE_SAMPLES` samples."""
    encode = msgspec.msgpack.Encoder().encode
    for family, samples in families(registry):
        rest = ((sample.name, sample.labels, sample.value) for sample in samples)
        taken = list(islice(rest, PIECE_SAMPLES))
        # Even a family without samples has a piece.
        while True:
            piece = FamilySnapshot(family.name, family.type, family.documentation, taken)
            yield framed(encode(piece))
            taken = list(islice(rest, PIECE_SAMPLES))
            if not taken:
                break


def read_snapshot(data: bytes) -> Snapshot:
    """Read what `snapshot_pieces` wrote."""
    decoder = msgspec.msgpack.Decoder(FamilySnapshot)
    found: list[FamilySnapshot] = []
    for piece in _frames(data):
        family = decoder.decode(piece)
        if found and found[-1].name == family.name:
            found[-1].samples += family.samples
        else:
            found.append(family)
    return found


def _frames(data: bytes) -> Iterator[memoryview]:
    view, at = memoryview(data), 0
    while at < len(view):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(view[at:start], "big")
        yield view[start:at]


def text_of(snapshot: Snapshot) -> bytes:
    """Return the text of `/metrics` for a snapshot."""
    return generate_latest(_Families(snapshot))


class _Families:
    """A registry of the families of a snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        """Return the families."""
        for family in self._snapshot:
            metric = Metric(family.name, family.meaning, family.kind)
            metric.samples = [Sample(*sample) for sample in family.samples]
            yield metric
