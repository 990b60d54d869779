"""Lists and shows samples of refused deliveries."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from router.commands.actions.configured import load_settings
from router.commands.actions.kept import read_kept, report_omitted, show_delivery, single
from router.commands.invocation import Invocation
from router.configuration.settings import Settings
from router.contract.refused import Refused
from router.quarantine.kept_topic import KeptFilter
from router.quarantine.refused import Samples, read_refused
from router.terminal.output import show_json, show_table

_SHORT_ID = 8


def list_refused(
    invocation: Invocation, filters: Mapping[str, Any], limit: int, *, as_json: bool
) -> None:
    """Print the newest samples that match, and counts of all that match."""
    found = read_samples(load_settings(invocation), KeptFilter(**filters))
    entries = found.entries[-limit:]
    if as_json:
        deliveries = [each.model_dump(mode="json", exclude={"raw"}) for each in entries]
        show_json({"deliveries": deliveries, "counts": found.counts})
        return
    show_list(entries, found.counts)
    report_omitted(len(found.entries) - limit, found.unreadable)


def show_refused(invocation: Invocation, sample: str, *, as_json: bool) -> None:
    """Print one sample in full."""
    whole = read_sample(load_settings(invocation), sample).model_dump(mode="json")
    if as_json:
        show_json(whole)
    else:
        show_delivery("", whole)


def read_samples(settings: Settings, wanted: KeptFilter) -> Samples:
    """Return the samples that match, or end the command with one line."""
    topic = settings.topics.topics().refused
    return read_kept(settings, lambda kafka, progress: read_refused(kafka, topic, wanted, progress))


def read_sample(settings: Settings, id_: str) -> Refused:
    """Return the one sample with this id or beginning of an id, or end the command."""
    return single(read_samples(settings, KeptFilter(ids=(id_,))).entries, id_, "refused deliveries")


def show_list(entries: Sequence[Refused], counts: Mapping[str, int]) -> None:
    """Print samples in 80 columns: the beginning of the id, the time without the year."""
    rows = [
        (
            str(each.id)[:_SHORT_ID],
            f"{each.received_at:%m-%d %H:%M:%S}",
            each.endpoint,
            each.source,
            each.reason,
        )
        for each in entries
    ]
    show_table("", ("id", "received", "endpoint", "source", "reason"), rows, lined=False)
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    click.echo(f"by reason: {reasons or 'none'}")
