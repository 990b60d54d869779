"""A snapshot carries every sample of a registry exactly."""

import math
import re
import sys

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from router.telemetry.declaring import MetricDeclarations
from router.telemetry.exposition import PIECE_SAMPLES
from router.telemetry.snapshot import read_snapshot, snapshot_pieces, text_of
from tests.parts.edge.many_endpoints import edge_registry


def _read(registry: CollectorRegistry) -> bytes:
    return text_of(read_snapshot(b"".join(snapshot_pieces(registry))))


def test_text_of_a_snapshot_is_that_of_the_registry() -> None:
    registry = edge_registry(2 * PIECE_SAMPLES)

    assert _read(registry) == generate_latest(registry)


@pytest.mark.parametrize("count", [0, 1, PIECE_SAMPLES, PIECE_SAMPLES + 1, 3 * PIECE_SAMPLES])
def test_a_family_of_any_size_is_read_as_one(count: int) -> None:
    registry = CollectorRegistry()
    gauge = MetricDeclarations(registry).gauge("numbers", "Of a test", "number")
    for number in range(count):
        gauge.labels(str(number)).set(number)

    (family,) = read_snapshot(b"".join(snapshot_pieces(registry)))

    assert [value for _, _, value in family.samples] == list(range(count))


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, -0.0, 0.1, sys.float_info.max, 2.0**53 + 2]
)
def test_every_value_arrives_as_it_is(value: float) -> None:
    registry = CollectorRegistry()
    MetricDeclarations(registry).gauge("one", "Of a test").set(value)

    text = _read(registry)

    assert text == generate_latest(registry)
    assert re.search(rb"^one ", text, re.MULTILINE)
