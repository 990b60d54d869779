"""`payrouter quarantine list|show|replay`."""

from typing import Any

import click

from router.commands.invocation import Invocation, invoked
from router.commands.kept_filters import filtered
from router.terminal.command_tree import example
from router.terminal.options import json_option, limit_option


@click.command("list", epilog=example("quarantine list --reason stale --since 2026-11-22"))
@invoked
@filtered
@limit_option(100, most=None)
@json_option
def list_(invocation: Invocation, *, filters: dict[str, Any], limit: int, as_json: bool) -> None:
    """List quarantined deliveries, newest last.

    Reads the topic and changes nothing.
    """
    from router.commands.actions.quarantine import list_quarantine

    list_quarantine(invocation, filters, limit, as_json=as_json)


@click.command("show", epilog=example("quarantine show 8f7af8a8"))
@click.argument("quarantined")
@invoked
@json_option
def show(invocation: Invocation, quarantined: str, *, as_json: bool) -> None:
    """Show one quarantined delivery in full.

    QUARANTINED is its id or the beginning of its id. The body is printed as text if
    it is text, as base64 otherwise, under a name that shows which.
    """
    from router.commands.actions.quarantine import show_quarantined

    show_quarantined(invocation, quarantined, as_json=as_json)


@click.command(
    "replay",
    epilog=example(
        "quarantine replay --reason unknown_status", "quarantine replay --id 8f7af8a8 --yes"
    ),
)
@invoked
@filtered
@limit_option(1000, most=None)
@click.option("--yes", is_flag=True, help="Do it. Without, only print what would be done.")
@click.option("--again", is_flag=True, help="Include deliveries that were replayed before.")
@json_option
def replay(
    invocation: Invocation,
    *,
    filters: dict[str, Any],
    limit: int,
    yes: bool,
    again: bool,
    as_json: bool,
) -> None:
    """Verify, normalize and publish quarantined deliveries again, oldest first.

    They keep their event ids: publishing one twice has no second effect. Exits with
    status 1 if a delivery could not be replayed.
    """
    from router.commands.actions.quarantine import replay_quarantined

    replay_quarantined(invocation, filters, limit, yes=yes, again=again, as_json=as_json)
