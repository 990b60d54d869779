"""`payrouter refused list|show`."""

from typing import Any

import click

from router.commands.invocation import Invocation, invoked
from router.commands.kept_filters import filtered
from router.terminal.command_tree import example
from router.terminal.options import json_option, limit_option


@click.command("list", epilog=example("refused list --reason signature_wrong --limit 20"))
@invoked
@filtered
@click.option("--source", help="Address it was sent from.")
@limit_option(100, most=None)
@json_option
def list_(
    invocation: Invocation,
    *,
    filters: dict[str, Any],
    source: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the samples on the topic, newest last, and count them by reason."""
    from router.commands.actions.refused import list_refused

    list_refused(invocation, {**filters, "source": source}, limit, as_json=as_json)


@click.command("show", epilog=example("refused show 8f7af8a8"))
@click.argument("sample")
@invoked
@json_option
def show(invocation: Invocation, sample: str, *, as_json: bool) -> None:
    """Show one sample in full.

    SAMPLE is its id or the beginning of its id. The body is printed as text if it is
    text, as base64 otherwise, under a name that shows which.
    """
    from router.commands.actions.refused import show_refused

    show_refused(invocation, sample, as_json=as_json)
