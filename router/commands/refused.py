"""`payrouter refused list|show`: deliveries that the edge refused, for an operator."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from router.commands.invocation import Invocation, console, invoked, json_option
from router.commands.kept import filtered, read_kept, say_rest, show_fields, single
from router.configuration.settings import Settings
from router.contract.refused import Refused
from router.quarantine.kept_topic import KeptFilter
from router.quarantine.refused import Samples, read_refused

_SHORT_ID = 8


@click.group()
def refused() -> None:
    """Show samples of deliveries that were refused. Nothing in them is proven."""


@refused.command("list")
@invoked
@filtered
@click.option("--source", help="Sent from this address.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most.")
@json_option
def refused_list(
    invocation: Invocation, *, wanted: KeptFilter, source: str | None, limit: int, as_json: bool
) -> None:
    """List the samples on the topic, newest last, and count them by reason."""
    found = read_samples(invocation.settings(), wanted.of_source(source))
    entries = found.entries[-limit:]
    if as_json:
        deliveries = [_as_json(each) for each in entries]
        click.echo(json.dumps({"deliveries": deliveries, "counts": found.counts}))
        return
    show_list(console(), entries, found.counts)
    say_rest(len(found.entries) - limit, found.unreadable)


@refused.command("show")
@click.argument("sample")
@invoked
@json_option
def refused_show(invocation: Invocation, sample: str, *, as_json: bool) -> None:
    """Show one sample in full, by its id or the beginning of it."""
    whole = read_sample(invocation.settings(), sample).model_dump(mode="json")
    if as_json:
        click.echo(json.dumps(whole))
    else:
        show_fields(whole)


def read_samples(settings: Settings, wanted: KeptFilter) -> Samples:
    """Read the samples wanted, or fail in one line."""
    topic = settings.topics.topics().refused
    return read_kept(settings, lambda kafka, told: read_refused(kafka, topic, wanted, told))


def read_sample(settings: Settings, id_: str) -> Refused:
    """Read the one sample whose id begins so, or fail in one line."""
    return single(read_samples(settings, KeptFilter(ids=(id_,))).entries, id_, "refused deliveries")


def show_list(out: Console, entries: Sequence[Refused], counts: Mapping[str, int]) -> None:
    """Print samples in 80 columns: the id by its beginning, without the year."""
    table = Table(box=None, pad_edge=False)
    for column in ("id", "received", "endpoint", "source", "reason"):
        table.add_column(column, overflow="fold")
    for each in entries:
        table.add_row(
            str(each.id)[:_SHORT_ID],
            f"{each.received_at:%m-%d %H:%M:%S}",
            Text(each.endpoint),
            Text(each.source),
            Text(each.reason),
        )
    out.print(table)
    told = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    out.print(Text(f"by reason: {told or 'none'}"), soft_wrap=True)


def _as_json(sample: Refused) -> dict[str, Any]:
    return sample.model_dump(mode="json", exclude={"raw"})
