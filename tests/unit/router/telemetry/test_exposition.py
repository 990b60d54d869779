"""`/metrics` is rendered in short steps, with the same text as the client library's."""

import asyncio
import math
import statistics
import time
from collections.abc import Iterator, MutableMapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Enum,
    Gauge,
    Histogram,
    Info,
    Metric,
    Summary,
    disable_created_metrics,
    enable_created_metrics,
)
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from router.telemetry import exposition
from router.telemetry.exposition import PIECE_SAMPLES, Exposition, RenderPace, pieces
from router.telemetry.management import management_app, process_registry
from tests.parts.edge.many_endpoints import edge_registry

LIMIT_SECONDS = 0.02

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_numbers = st.floats(allow_nan=True, allow_infinity=True)
_amounts = st.floats(0, 1e12)


class _Families(Collector):
    """A collector that builds its families at each call, and counts the calls."""

    def __init__(self) -> None:
        self.asked = 0
        self.problem: Exception | None = None

    def collect(self) -> Iterator[Metric]:
        """Return a long family, one of a type that only OpenMetrics has, and an untyped one."""
        self.asked += 1
        if self.problem is not None:
            raise self.problem
        long = GaugeMetricFamily("long_bytes", "Long", labels=["number"])
        for number in range(3 * PIECE_SAMPLES):
            long.add_metric([str(number)], number, timestamp=number)
        yield long
        held = GaugeHistogramMetricFamily("held_seconds", "Held", labels=["a"])
        for name in ("x", "y"):
            held.add_metric([name], buckets=[("1.0", 1), ("+Inf", 2)], gsum_value=3)
        yield held
        untyped = Metric("untyped", "Of no type", "unknown")
        untyped.add_sample("untyped", {}, 1)
        yield untyped


@pytest.fixture(params=[True, False], ids=["created", "no created"])
def _created(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param:
        enable_created_metrics()  # type: ignore[no-untyped-call]
    else:
        disable_created_metrics()  # type: ignore[no-untyped-call]
    yield
    disable_created_metrics()  # type: ignore[no-untyped-call]


@pytest.mark.usefixtures("_created")
@given(meaning=_texts, values=st.lists(st.tuples(_texts, _numbers, _amounts), max_size=5))
def test_text_of_every_metric_type_is_that_of_the_client_library(
    meaning: str, values: list[tuple[str, float, float]]
) -> None:
    registry = CollectorRegistry()
    counter = Counter("tries", meaning, ["b", "a"], registry=registry)
    gauge = Gauge("level", meaning, ["name"], registry=registry)
    histogram = Histogram("wait_seconds", meaning, ["name"], registry=registry)
    summary = Summary("size_bytes", meaning, ["name"], registry=registry)
    info = Info("build", meaning, ["name"], registry=registry)
    state = Enum("state", meaning, ["name"], states=["on", "off"], registry=registry)
    Counter("empty", meaning, ["name"], registry=registry)
    Gauge("alone", meaning, registry=registry).set(math.nan)
    Histogram("alone_seconds", meaning, registry=registry).observe(1)
    for text, number, amount in values:
        counter.labels(text, "x").inc(amount)
        gauge.labels(text).set(number)
        histogram.labels(text).observe(number)
        summary.labels(text).observe(amount)
        info.labels(text).info({"version": text})
        state.labels(text).state("off")
    registry.register(_Families())

    assert b"".join(pieces(registry)) == generate_latest(registry)


@pytest.fixture(scope="module")
def thousand() -> CollectorRegistry:
    """Return the metrics of an edge with 1,000 endpoints, which the tests only read."""
    return edge_registry(1000)


@pytest.fixture(scope="module")
def text_of_thousand(thousand: CollectorRegistry) -> bytes:
    """Return their text as the client library writes it."""
    return generate_latest(thousand)


def test_text_of_a_thousand_endpoints_is_complete(
    thousand: CollectorRegistry, text_of_thousand: bytes
) -> None:
    assert b"".join(pieces(thousand)) == text_of_thousand


def test_values_are_read_while_the_pieces_are_made() -> None:
    """Also shows that the client library still stores its children in the expected attribute."""
    registry, read = CollectorRegistry(), 0

    def value() -> float:
        nonlocal read
        read += 1
        return 0

    level = Gauge("level", "Level", ["number"], registry=registry)
    for number in range(10 * PIECE_SAMPLES):
        level.labels(str(number)).set_function(value)

    reads = [read for _ in pieces(registry)]

    assert reads == [number * PIECE_SAMPLES for number in range(11)]


def test_piece_has_few_samples_even_of_a_large_metric(thousand: CollectorRegistry) -> None:
    families = CollectorRegistry()
    families.register(_Families())

    for registry in (thousand, families):
        samples = [
            sum(not line.startswith(b"#") for line in piece.splitlines())
            for piece in pieces(registry)
        ]
        assert max(samples) == PIECE_SAMPLES


async def test_slices_of_a_render_take_little_processor_time(thousand: CollectorRegistry) -> None:
    scrapes = Exposition(thousand)
    turns: list[float] = []

    def turn() -> None:
        turns.append(time.thread_time())
        asyncio.get_running_loop().call_soon(turn)

    turn()
    await scrapes.latest()

    taken = sorted(after - before for before, after in pairwise(turns))
    assert statistics.quantiles(taken, n=100)[98] < LIMIT_SECONDS


async def test_other_callbacks_run_after_every_slice(thousand: CollectorRegistry) -> None:
    pace = RenderPace(slice_seconds=0.0, pause_seconds=1e-6)
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        asyncio.get_running_loop().call_soon(turn)

    turn()
    await Exposition(thousand, pace).latest()

    assert turns >= len(list(pieces(thousand))) > 200


def test_series_added_and_removed_during_a_render_are_harmless() -> None:
    registry = CollectorRegistry()
    lag = Gauge("lag", "Lag", ["partition"], registry=registry)
    for number in range(4 * PIECE_SAMPLES):
        lag.labels(str(number))

    rendering = pieces(registry)
    begun = next(rendering) + next(rendering)
    for number in range(4 * PIECE_SAMPLES):
        lag.remove(str(number))
        lag.labels(f"new {number}")
        lag.labels(f"newer {number}")

    text = begun + b"".join(rendering)
    assert text.count(b"\nlag{") == 4 * PIECE_SAMPLES
    assert b"new" not in text


async def test_slice_after_a_late_wake_up_is_longer_but_bounded() -> None:
    """On a busy loop, a scrape must not exceed the time-out of Prometheus."""
    pace = RenderPace()
    asyncio.get_running_loop().call_soon(time.sleep, 0.3)

    budget = await exposition._pause(pace)  # noqa: SLF001 - the rule itself

    assert pace.slice_seconds < budget == pace.longest_slice_seconds


async def test_concurrent_scrapes_share_one_render() -> None:
    registry, families = CollectorRegistry(), _Families()
    registry.register(families)
    scrapes = Exposition(registry)

    texts = await asyncio.gather(*(scrapes.latest() for _ in range(10)))

    assert families.asked == 1
    assert set(texts) == {generate_latest(registry)}


async def test_scrape_after_a_render_gets_a_new_one() -> None:
    registry = CollectorRegistry()
    level = Gauge("level", "Level", registry=registry)
    scrapes = Exposition(registry)

    assert b"level 0.0" in await scrapes.latest()
    level.set(1)
    assert b"level 1.0" in await scrapes.latest()


async def test_scraper_that_disconnects_does_not_cancel_the_render_for_others() -> None:
    registry, families = CollectorRegistry(), _Families()
    registry.register(families)
    scrapes = Exposition(registry)
    first, second = (asyncio.create_task(scrapes.latest()) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()

    assert await second == generate_latest(registry)
    assert first.cancelled()
    assert families.asked == 2  # once by generate_latest


async def test_failure_reaches_every_scraper_and_the_next_scrape_renders_again() -> None:
    registry, families = CollectorRegistry(), _Families()
    registry.register(families)
    scrapes = Exposition(registry)
    families.problem = OSError("the store is away")

    problems = await asyncio.gather(*(scrapes.latest() for _ in range(2)), return_exceptions=True)
    families.problem = None

    assert [type(problem) for problem in problems] == [OSError, OSError]
    assert await scrapes.latest() == generate_latest(registry)


async def _sent(registry: CollectorRegistry, method: str) -> list[MutableMapping[str, Any]]:
    app = management_app(_never, _never, registry)
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    await app({"type": "http", "path": "/metrics", "method": method}, receive, send)
    return sent


def _never() -> Any:  # noqa: ANN401 - never called
    raise AssertionError


async def test_response_is_sent_in_chunks_of_limited_size(
    thousand: CollectorRegistry, text_of_thousand: bytes
) -> None:
    head, *chunks = await _sent(thousand, "GET")

    body = b"".join(chunk["body"] for chunk in chunks)
    assert body == text_of_thousand
    assert (b"content-length", str(len(body)).encode()) in head["headers"]
    assert max(len(chunk["body"]) for chunk in chunks) <= 65536
    assert [chunk.get("more_body", False) for chunk in chunks] == [True] * (len(chunks) - 1) + [
        False
    ]


async def test_only_get_and_head_are_answered() -> None:
    head, *_ = await _sent(process_registry(), "POST")

    assert head["status"] == 405
