"""Lists every metric, with its meaning."""

from collections.abc import Sequence

import click
from prometheus_client import CollectorRegistry

from router.broker.topics.watch import TopicMetrics
from router.commands.invocation import Invocation
from router.edge.http.admission import Admission
from router.edge.http.watch import ConnectionWatch
from router.edge.intake import Endpoint
from router.edge.metrics import EdgeMetrics
from router.edge.reload import CertificateMetrics, ReloadMetrics
from router.edge.spool.metrics import SpoolMetrics
from router.edge.workers.metrics import WorkerMetrics
from router.providers import Key, discover
from router.telemetry.catalogue import Described, catalogue, markdown
from router.telemetry.logs import get_log
from router.telemetry.loop_delay import LoopDelay
from router.telemetry.management import process_registry
from router.terminal.output import show_json, show_table


def show_metrics(invocation: Invocation, *, as_json: bool, as_page: bool) -> None:
    """Print the metrics of every kind of process."""
    edge = {"edge": declared(), "edge --workers": declared_by_parent()}
    found = catalogue({**edge, **invocation.consumers.metrics()})
    if as_page:
        click.echo(markdown(found), nl=False)
    elif as_json:
        show_json([metric.as_json() for metric in found])
    else:
        _show(found)


def declared() -> CollectorRegistry:
    """Return what an edge measures, with one endpoint as an example of those configured."""
    registry = process_registry()
    LoopDelay(registry)
    ConnectionWatch(registry, get_log("connection")).measure(Admission(0, 0))
    provider = next(iter(discover().values()))
    ReloadMetrics(registry)
    SpoolMetrics(registry)
    CertificateMetrics(registry)
    TopicMetrics(registry, ["payment"])
    shop = Endpoint("shop", "shop", provider, [Key(b"", "fp:0")], None, 1)
    EdgeMetrics(registry, [shop]).of("shop").add_ignored(["customer.created"])
    return registry


def declared_by_parent() -> CollectorRegistry:
    """Return what only the parent of several workers measures."""
    registry = CollectorRegistry()
    WorkerMetrics(registry)
    return registry


def _show(found: Sequence[Described]) -> None:
    rows = [
        (
            metric.name,
            metric.kind,
            ", ".join(metric.labels),
            ", ".join(metric.processes),
            metric.meaning,
        )
        for metric in found
    ]
    show_table("", ("metric", "type", "labels", "exported by", "meaning"), rows)
