"""`payrouter spool show|drain|verify`."""

import click

from router.commands.invocation import Invocation, invoked
from router.terminal.command_tree import example
from router.terminal.options import json_option


@click.command("show", epilog=example("spool show", "spool show --json"))
@invoked
@json_option
def show(invocation: Invocation, *, as_json: bool) -> None:
    """Show what waits in the spool on this machine, and what the broker refuses for good."""
    from router.commands.actions.spool.show import show_spools

    show_spools(invocation, as_json=as_json)


@click.command("verify", epilog=example("spool verify", "spool verify --json"))
@invoked
@json_option
def verify(invocation: Invocation, *, as_json: bool) -> int:
    """Check every file of the spool; exit with status 1 if one is damaged or foreign."""
    from router.commands.actions.spool.show import verify_spools

    return verify_spools(invocation, as_json=as_json)


@click.command("drain", epilog=example("spool drain", "spool drain --yes"))
@invoked
@click.option("--yes", is_flag=True, help="Do it. Without, only print what would be done.")
@click.option(
    "--seconds",
    type=click.FloatRange(1, 86400),
    default=300.0,
    show_default=True,
    help="How long to try.",
)
@json_option
def drain(invocation: Invocation, *, yes: bool, seconds: float, as_json: bool) -> int:
    """Publish what waits in spools without a running edge, and what is set aside.

    Events keep their ids: publishing one twice has no second effect. Exits with status 1
    if something is left.
    """
    from router.commands.actions.spool.drain import drain_spools

    return drain_spools(invocation, yes=yes, seconds=seconds, as_json=as_json)
