"""`payrouter doctor`."""

import click

from consumers.doctor.results import CheckedArea
from router.commands.invocation import Invocation, invoked
from router.terminal.command_tree import example
from router.terminal.options import json_option


@click.command(
    "doctor",
    epilog=example(
        "doctor", "doctor --process ledger", "doctor --only broker --only stores --json"
    ),
)
@invoked
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([area.value for area in CheckedArea]),
    help="Check these areas only, besides the configuration. Repeatable.",
)
@click.option(
    "--process",
    "processes",
    multiple=True,
    metavar="PROCESS",
    help="Check what these processes need: edge, exporter, console, a consumer's name, topics or"
    " operator, as in `payrouter rights`. Repeatable.  [default: edge and consumers]",
)
@json_option
def doctor(
    invocation: Invocation, only: tuple[str, ...], processes: tuple[str, ...], *, as_json: bool
) -> int:
    """Check broker, databases, endpoints and configuration before and after a deployment.

    Prints what was checked, and what to do about each warning and failure. Exits with status 1
    if a check fails, and 2 if the configuration cannot be read. Changes nothing: it writes no
    record and no row, so it cannot prove that a write succeeds. Rights are those that broker and
    database report of the users in this configuration: if each process has its own, name the
    process.
    """
    from consumers.doctor.checks import check_and_show

    return check_and_show(invocation, only or tuple(CheckedArea), processes, as_json=as_json)
