"""`payrouter metrics`: every metric there is, with its meaning."""

import json
from collections.abc import Sequence

import click
from prometheus_client import CollectorRegistry
from rich.text import Text

from router.broker.topics.watch import TopicMetrics
from router.commands.invocation import Invocation, console, invoked, json_option, listing
from router.edge.http.admission import Admission
from router.edge.http.watch import ConnectionWatch
from router.edge.intake import Endpoint
from router.edge.metrics import EdgeMetrics
from router.edge.reload import ReloadMetrics
from router.providers import Key, discover
from router.telemetry.catalogue import Described, catalogue, markdown
from router.telemetry.logs import get_log
from router.telemetry.loop_delay import LoopDelay
from router.telemetry.management import process_registry


@click.command()
@invoked
@json_option
@click.option("--markdown", "as_page", is_flag=True, help="Print the page of the documentation.")
def metrics(invocation: Invocation, *, as_json: bool, as_page: bool) -> None:
    """List every metric: what it means, its labels, and which processes say it."""
    found = catalogue({"edge": declared(), **invocation.consumers.metrics()})
    if as_page:
        click.echo(markdown(found), nl=False)
    elif as_json:
        click.echo(json.dumps([metric.as_json() for metric in found]))
    else:
        _show(found)


def declared() -> CollectorRegistry:
    """Return what an edge measures, with an endpoint that stands for those of a configuration."""
    registry = process_registry()
    LoopDelay(registry)
    ConnectionWatch(registry, get_log("connection")).measure(Admission(0, 0))
    provider = next(iter(discover().values()))
    ReloadMetrics(registry)
    TopicMetrics(registry, ["payment"])
    EdgeMetrics(registry, [Endpoint("shop", "shop", provider, [Key(b"", "fp:0")], None, 1)])
    return registry


def _show(found: Sequence[Described]) -> None:
    table = listing("metric", "type", "labels", "said by", "meaning")
    for metric in found:
        cells = (metric.name, metric.kind, ", ".join(metric.labels), ", ".join(metric.processes))
        table.add_row(*map(Text, (*cells, metric.meaning)))
    console().print(table)
