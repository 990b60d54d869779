"""Plain counters and histograms are exported like those of the client library."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest

from router.telemetry.catalogue import catalogue
from router.telemetry.exposition import PIECE_SAMPLES, pieces
from router.telemetry.plain_metrics import plain_counter, plain_histogram

BUCKETS = (0.0001, 0.005, 0.25, 1, 2.5, 10)

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_durations = st.floats(0, 1e6) | st.sampled_from([*BUCKETS, math.inf])


@pytest.fixture(autouse=True)
def _as_in_every_process() -> None:
    disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client has no types


@given(
    meaning=_texts,
    counted=st.lists(st.tuples(_texts, _texts), max_size=8),
    observed=st.lists(st.tuples(_texts, _durations), max_size=8),
)
def test_text_and_catalogue_are_those_of_the_client_library(
    meaning: str, counted: list[tuple[str, str]], observed: list[tuple[str, float]]
) -> None:
    plain, theirs = CollectorRegistry(), CollectorRegistry()
    tries = plain_counter(plain, "tries", meaning, ["endpoint", "provider"])
    waits = plain_histogram(plain, "wait_seconds", meaning, ["topic"], BUCKETS)
    their_tries = Counter("tries", meaning, ["endpoint", "provider"], registry=theirs)
    their_waits = Histogram("wait_seconds", meaning, ["topic"], buckets=BUCKETS, registry=theirs)

    for labels in counted:
        tries.labels(*labels).inc()
        their_tries.labels(*labels).inc()
    for topic, seconds in observed:
        waits.labels(topic).observe(seconds)
        their_waits.labels(topic).observe(seconds)

    assert generate_latest(plain) == generate_latest(theirs)
    assert b"".join(pieces(plain)) == generate_latest(theirs)
    assert catalogue({"edge": plain}) == catalogue({"edge": theirs})


def test_removed_series_are_no_longer_exported_and_remain_usable() -> None:
    registry = CollectorRegistry()
    tries = plain_counter(registry, "tries", "Tries", ["endpoint", "outcome"])
    removed = [tries.labels("shop", outcome) for outcome in ("accepted", "refused")]
    tries.labels("other", "accepted").inc()

    tries.remove("endpoint", "shop")
    for series in removed:
        series.inc()

    assert registry.get_sample_value("tries_total", {"endpoint": "other", "outcome": "accepted"})
    assert b"shop" not in generate_latest(registry)


def test_series_is_made_once() -> None:
    tries = plain_counter(CollectorRegistry(), "tries", "Tries", ["endpoint"])

    assert tries.labels("shop") is tries.labels("shop")


def test_wrong_number_of_labels_is_an_error() -> None:
    tries = plain_counter(CollectorRegistry(), "tries", "Tries", ["endpoint", "outcome"])

    with pytest.raises(ValueError, match="tries has the labels endpoint, outcome"):
        tries.labels("shop")


def test_large_metric_is_read_in_pieces() -> None:
    registry = CollectorRegistry()
    tries = plain_counter(registry, "tries", "Tries", ["number"])
    for number in range(3 * PIECE_SAMPLES):
        tries.labels(str(number))

    read = pieces(registry)
    begun = next(read) + next(read)
    tries.labels(str(3 * PIECE_SAMPLES - 1)).inc()

    assert b"tries_total{" in begun
    assert b'number="95"} 1.0' in b"".join(read)
