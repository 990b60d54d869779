"""The catalogue matches the metrics, and refuses incomplete declarations."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from router.commands.actions.metrics import declared
from router.configuration.settings import settings_from
from router.edge.app import build_edge
from router.telemetry.catalogue import CatalogueIncomplete, Described, catalogue, markdown
from tests.parts.edge.edge_command import Command, command
from tests.parts.edge.edge_server import configuration

said = pytest.fixture(command)


class _Shelves(Collector):
    """A collector that calculates its metric on each call."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return one family with one sample."""
        family = GaugeMetricFamily("shelf_bytes", "How much is there", labels=["consumer", "side"])
        family.add_metric(["ledger", "left"], 1)
        yield family


def _one(registry: CollectorRegistry) -> Described:
    (metric,) = catalogue({"edge": registry})
    return metric


def test_counter_is_listed_by_its_name_in_queries() -> None:
    registry = CollectorRegistry()
    tries = Counter("tries", "Tries made", ["endpoint", "end"], registry=registry)
    tries.labels("shop", "good")
    tries.labels("shop", "bad")

    found = _one(registry)

    assert (found.name, found.kind, found.meaning) == ("tries_total", "counter", "Tries made")
    assert found.labels == {"endpoint": (), "end": ["good", "bad"]}


def test_a_histogram_is_listed_with_its_unit_and_buckets() -> None:
    registry = CollectorRegistry()
    Histogram("wait_seconds", "Waiting", buckets=(0.5, 1), registry=registry)

    found = _one(registry)

    assert (found.kind, found.unit, found.buckets) == (
        "histogram",
        "seconds",
        ["0.5", "1.0", "+Inf"],
    )


def test_metric_of_a_collector_is_listed() -> None:
    registry = CollectorRegistry()
    registry.register(_Shelves())

    found = _one(registry)

    assert (found.name, found.unit) == ("shelf_bytes", "bytes")
    assert found.labels == {"consumer": (), "side": ["left"]}


def test_a_metric_of_several_processes_is_listed_once_with_all_of_them() -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    for registry in (first, second):
        Gauge("ready", "1 where ready", registry=registry)

    (found,) = catalogue({"edge": first, "consumer": second})

    assert found.processes == ["edge", "consumer"]
    assert "## edge · consumer\n" in markdown([found])


def test_one_name_with_two_meanings_is_refused() -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    Gauge("ready", "1 where ready", registry=first)
    Gauge("ready", "0 where ready", registry=second)

    with pytest.raises(CatalogueIncomplete, match="ready: consumer and edge"):
        catalogue({"edge": first, "consumer": second})


def test_a_closed_label_without_its_values_is_refused() -> None:
    registry = CollectorRegistry()
    Gauge("shelf", "Of one side", ["side"], registry=registry)

    with pytest.raises(CatalogueIncomplete, match="shelf: the values of its label side"):
        catalogue({"edge": registry})


def test_catalogue_of_an_edge_is_complete(tmp_path: Path) -> None:
    values = {**configuration("127.0.0.1:1", ""), "spool": {"path": str(tmp_path)}}
    built = build_edge(settings_from(values)).registry

    listed, measured = catalogue({"edge": declared()}), catalogue({"edge": built})

    by_name = {metric.name: metric for metric in listed}
    assert [each.name for each in measured if not _is_listed(each, by_name[each.name])] == []
    assert by_name.keys() == {metric.name for metric in measured}


def _is_listed(measured: Described, listed: Described) -> bool:
    """Return whether a metric is listed as measured; an edge may lack values of a label.

    The outcome `ignored` has a series only if an endpoint ignores events.
    """
    values = {
        name: set(values) <= set(listed.labels[name]) for name, values in measured.labels.items()
    }
    return all(values.values()) and replace(measured, labels=listed.labels) == listed


def test_edge_only_lists_its_own_metrics(said: Command) -> None:
    listed = said("metrics", "--json").json

    (skew,) = [each for each in listed if each["name"] == "payrouter_gateway_clock_skew_seconds"]
    assert (skew["type"], skew["unit"], skew["processes"]) == ("gauge", "seconds", ["edge"])
    assert skew["labels"] == {"endpoint": None}
    assert {tuple(each["processes"]) for each in listed} == {("edge",), ("edge --workers",)}


def test_printed_list_has_one_line_per_metric(said: Command) -> None:
    out = said("metrics").out

    for each in said("metrics", "--json").json:
        assert each["name"] in out
        assert each["meaning"] in out
