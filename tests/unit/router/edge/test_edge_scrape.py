"""A scrape of an edge with a thousand endpoints: its size, its series, and its delays."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from router.edge.metrics import EdgeMetrics
from router.edge.outcomes import ACCEPTED, IGNORED, OUTCOMES, QUARANTINED, REFUSED
from tests.conformance import kit
from tests.parts.edge.edge_server import RunningEdge, running_edge
from tests.parts.edge.many_endpoints import edge_registry, endpoints, tables
from tests.parts.edge.raw_http import connected, request

ENDPOINTS = 1000
FEWER = 500
NOW = datetime(2026, 11, 28, tzinfo=UTC)


def serving(count: int) -> AbstractAsyncContextManager[RunningEdge]:
    """Serve `count` endpoints without a broker, which is not needed here."""
    values = kit.values(tables(count)) | {"kafka": {"bootstrap_servers": "127.0.0.1:1"}}
    return running_edge(values)


def _samples(text: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(text):
        yield from family.samples


def _found(registry: CollectorRegistry, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """Return the values other than 0 of a series, by some of its labels."""
    return {
        tuple(sample.labels[label] for label in labels): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name and sample.value
    }


async def test_scrape_of_a_thousand_endpoints_is_small_and_has_every_one_of_them() -> None:
    async with serving(ENDPOINTS) as edge:
        body = (await edge.probe("/metrics")).body

    assert len(body) <= 3_000_000
    counted = {
        (sample.labels["endpoint"], sample.labels["outcome"])
        for sample in _samples(body.decode())
        if sample.name == "payrouter_deliveries_total"
    }
    # An endpoint has a series of ignored deliveries only if its mapping ignores some.
    always = [outcome for outcome in OUTCOMES if outcome != IGNORED]
    assert counted > {(name, outcome) for name in tables(ENDPOINTS) for outcome in always}


def test_endpoint_adds_few_series_and_only_with_its_name() -> None:
    def series(count: int) -> Counter[str]:
        return Counter(
            sample.labels.get("endpoint", "")
            for family in edge_registry(count).collect()
            for sample in family.samples
        )

    few, many = series(60), series(61)

    (added,) = many - few
    assert many[added] == 11
    assert many - few == Counter({added: 11})


async def test_requests_are_answered_while_a_scrape_is_rendered() -> None:
    answered = 0

    async with serving(FEWER) as edge, connected(edge.port) as line:
        scrape = asyncio.create_task(edge.probe("/metrics"))
        while not scrape.done():
            await line.send(request("/webhooks/merchant-0000"))
            await line.answer()
            answered += 1

    assert (await scrape).status == 200
    assert answered > 10


def test_reasons_and_durations_of_the_endpoints_of_a_provider_are_added_up() -> None:
    registry = CollectorRegistry()
    known = endpoints(14)
    metrics = EdgeMetrics(registry, known)
    names = [each.name for each in known if each.provider.name == known[0].provider.name]
    assert len(names) > 1

    for name in names:
        metrics.of(name).answered(REFUSED, "signature_wrong", None, 0.1)
        metrics.of(name).answered(QUARANTINED, "unknown_event", "fp:0123456789ab", 0.1)
        metrics.of(name).answered(ACCEPTED, "none", "fp:0123456789ab", 0.1)
        metrics.phase(name, "verify", 0.1)

    provider, count = known[0].provider.name, len(names)
    assert _found(registry, "payrouter_delivery_reasons_total", "provider", "reason") == {
        (provider, "signature_wrong"): count,
        (provider, "unknown_event"): count,
    }
    durations = "payrouter_delivery_duration_seconds_count"
    assert _found(registry, durations, "provider", "outcome") == {
        (provider, outcome): count for outcome in (REFUSED, QUARANTINED, ACCEPTED)
    }
    phases = "payrouter_delivery_phase_duration_seconds_count"
    assert _found(registry, phases, "provider", "phase") == {(provider, "verify"): count}


def test_failing_and_genuine_deliveries_are_counted_for_their_endpoint_alone() -> None:
    registry = CollectorRegistry()
    metrics = EdgeMetrics(registry, endpoints(14))
    forged, genuine = "merchant-0001", "merchant-0008"

    metrics.of(forged).answered(REFUSED, "signature_wrong", None, 0.1)
    metrics.genuine(genuine, NOW, None)
    metrics.of(genuine).answered(REFUSED, "stale", None, 0.1)

    def found(name: str) -> dict[tuple[str, ...], float]:
        return _found(registry, name, "endpoint")

    assert found("payrouter_verification_failures_total") == {(forged,): 1}
    assert found("payrouter_deliveries_genuine_total") == {(genuine,): 1}
    last = "payrouter_last_genuine_delivery_timestamp_seconds"
    assert found(last) == {(genuine,): NOW.timestamp()}
    assert found("payrouter_deliveries_total") == {(forged,): 1, (genuine,): 1}


def test_delivery_to_an_unknown_endpoint_is_counted_with_its_reason() -> None:
    registry = CollectorRegistry()

    EdgeMetrics(registry).stranger(REFUSED, "unknown_endpoint")

    reasons = _found(registry, "payrouter_delivery_reasons_total", "provider", "reason")
    assert reasons == {("unknown", "unknown_endpoint"): 1}
    assert _found(registry, "payrouter_deliveries_total", "endpoint") == {("unknown",): 1}
