"""`payrouter console` and `payrouter console password`."""

import click

from router.commands.invocation import Invocation, invoked
from router.terminal.command_tree import example
from router.terminal.options import supervised_option


@click.group(
    "console",
    invoke_without_command=True,
    epilog=example("console --config payrouter.toml", "console password"),
)
@invoked
@supervised_option
def console(invocation: Invocation, *, supervised: bool) -> None:
    """Serve web pages for people who work with payments.

    They search, list and explain; they act if `[console] actions` is on. Without a way to sign in,
    the console listens only on the loopback interface.
    """
    if click.get_current_context().invoked_subcommand is not None:
        return
    from consumers.console.running import run

    run(invocation, supervised=supervised)


@console.command("password", epilog=example("console password"))
def password() -> None:
    """Ask for a password and print its hash, for `[console.users.NAME]`."""
    from consumers.console.access.passwords import hashed

    given = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    click.echo(hashed(given))
