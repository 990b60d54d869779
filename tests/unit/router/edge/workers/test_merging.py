"""Metrics of several workers: sums of what is counted, a stated rule for each gauge."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, disable_created_metrics

from router.commands.actions.metrics import declared, declared_by_parent
from router.edge.workers.gauge_rules import GAUGE_RULES, NEWEST_BY
from router.edge.workers.merging import ADDED, NoRule, merged, still_exported, totals
from router.telemetry.declaring import MetricDeclarations
from router.telemetry.snapshot import Snapshot, read_snapshot, snapshot_pieces

_SKEW = "payrouter_gateway_clock_skew_seconds"


def _snapshot(registry: CollectorRegistry) -> Snapshot:
    return read_snapshot(b"".join(snapshot_pieces(registry)))


def _gauge(name: str, value: float | None, **labels: str) -> Snapshot:
    registry = CollectorRegistry()
    gauge = MetricDeclarations(registry).gauge(name, "Of a test", *labels)
    if value is not None:
        (gauge.labels(*labels.values()) if labels else gauge).set(value)
    return _snapshot(registry)


def _values(snapshot: Snapshot, name: str) -> list[float]:
    return [value for family in snapshot for own, _, value in family.samples if own == name]


_Counts = list[tuple[str, int]]

_counts = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 9)), max_size=6)


def _worker(counts: _Counts) -> Snapshot:
    disable_created_metrics()  # type: ignore[no-untyped-call] # as every process does
    registry = CollectorRegistry()
    declare = MetricDeclarations(registry)
    counter = declare.counter("seen", "Of a test", "word")
    plain = declare.plain_counter("plain", "Of a test", "word")
    seconds = declare.histogram("seconds", "Of a test", "word", buckets=(1, 5))
    for word, number in counts:
        counter.labels(word).inc(number)
        seconds.labels(word).observe(number)
        plain.labels(word).inc()
    return _snapshot(registry)


def _as_mapping(snapshot: Snapshot) -> dict[Any, float]:
    return {
        (name, tuple(sorted(labels.items()))): value
        for family in snapshot
        for name, labels, value in family.samples
    }


@given(workers=st.lists(_counts, min_size=1, max_size=4), ended=st.lists(_counts, max_size=3))
def test_counts_of_all_workers_are_those_of_one_that_did_everything(
    workers: list[_Counts], ended: list[_Counts]
) -> None:
    everything = [count for counts in (*workers, *ended) for count in counts]

    past: Snapshot = ()
    for counts in ended:
        past = totals([past, _worker(counts)])
    together = merged([*map(_worker, workers), past])

    assert _as_mapping(together) == _as_mapping(_worker(everything))


@given(before=_counts, more=_counts, others=st.lists(_counts, max_size=2))
def test_no_count_falls_when_a_worker_ends_and_another_begins(
    before: _Counts, more: _Counts, others: list[_Counts]
) -> None:
    rest = [_worker(counts) for counts in others]

    alive = _as_mapping(merged([_worker(before), *rest]))
    past = totals([_worker(before)])
    ended = _as_mapping(merged([*rest, past]))
    replaced = _as_mapping(merged([_worker(more), *rest, past]))

    assert ended == alive
    assert all(replaced[series] >= value for series, value in alive.items())


def test_what_has_ended_leaves_no_gauge() -> None:
    assert totals([_gauge("payrouter_deliveries_in_flight", 3)]) == []


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("payrouter_deliveries_in_flight", [0, 3, 4], 7),
        ("payrouter_last_publish_timestamp_seconds", [0, 30, 20], 30),
        ("payrouter_edge_ready", [1, 1, 0], 0),
        ("payrouter_edge_ready", [1, 1, 1], 1),
        ("process_open_fds", [10, 30, 20], 30),
        ("process_max_fds", [10, 30, 20], 10),
        ("process_start_time_seconds", [5, 9, 8], 5),
        ("payrouter_configuration_last_reload_successful", [0, 1, 1], 0),
        ("payrouter_tls_certificate_expiry_timestamp_seconds", [None, 40, 50], 40),
        ("payrouter_last_publish_timestamp_seconds", [None, math.nan, 20], 20),
    ],
)
def test_gauges_follow_their_rules(name: str, values: list[float | None], expected: float) -> None:
    together = merged([_gauge(name, value) if value is not None else () for value in values])

    assert _values(together, name) == [expected]


@pytest.mark.parametrize(
    ("last_genuine", "skews", "expected"),
    [([10, 20], [7.0, -3.0], -3.0), ([20, 10], [7.0, -3.0], 7.0), ([0, 20], [math.nan, 1.0], 1.0)],
)
def test_clock_skew_is_that_of_the_last_genuine_delivery(
    last_genuine: list[float], skews: list[float], expected: float
) -> None:
    workers = [
        [*_gauge(NEWEST_BY, at, endpoint="shop"), *_gauge(_SKEW, skew, endpoint="shop")]
        for at, skew in zip(last_genuine, skews, strict=True)
    ]

    assert _values(merged([(), *workers]), _SKEW) == [expected]


def test_clock_skew_is_unknown_before_the_first_delivery() -> None:
    workers = [
        [*_gauge(NEWEST_BY, 0, endpoint="shop"), *_gauge(_SKEW, math.nan, endpoint="shop")]
    ] * 2

    (skew,) = _values(merged([(), *workers]), _SKEW)

    assert math.isnan(skew)


def test_every_gauge_of_an_edge_has_a_rule_and_there_is_no_other_rule() -> None:
    families = [*_snapshot(declared()), *_snapshot(declared_by_parent())]

    assert {family.kind for family in families} <= {*ADDED, "gauge"}
    assert {family.name for family in families if family.kind == "gauge"} == GAUGE_RULES.keys()


def test_a_gauge_without_a_rule_is_never_guessed() -> None:
    with pytest.raises(NoRule, match="shelf"):
        merged([_gauge("shelf", 1)])


def test_endpoints_that_are_no_longer_configured_leave_nothing_behind() -> None:
    registry = CollectorRegistry()
    counter = MetricDeclarations(registry).counter("seen", "Of a test", "endpoint", "provider")
    for labels in (("shop", "blockatm"), ("shop", "resmic"), ("old", "blockatm"), ("unknown",) * 2):
        counter.labels(*labels).inc()
    plain = MetricDeclarations(registry).counter("genuine", "Of a test", "endpoint")
    plain.labels("shop").inc()
    plain.labels("old").inc()

    (seen, genuine) = still_exported(_snapshot(registry), {"shop": "blockatm"})

    assert [tuple(labels.values()) for _, labels, _ in seen.samples] == [
        ("shop", "blockatm"),
        ("unknown", "unknown"),
    ]
    assert [labels["endpoint"] for _, labels, _ in genuine.samples] == ["shop"]
