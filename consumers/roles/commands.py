"""`payrouter db roles`."""

from pathlib import Path

import click

from router.commands.invocation import Invocation, invoked
from router.terminal.command_tree import example
from router.terminal.options import json_option


@click.command(
    "roles",
    epilog=example("db roles --print", "db roles --admin-url-file /run/secrets/admin_url"),
)
@click.option(
    "--admin-url-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the URL of a role that may create roles.  [default: the owner's URL]",
)
@click.option(
    "--print",
    "only_print",
    is_flag=True,
    help="Print the statements and change nothing: they are executed and rolled back.",
)
@invoked
@json_option
def roles(
    invocation: Invocation, admin_url_file: Path | None, *, only_print: bool, as_json: bool
) -> None:
    """Create the database roles of the configuration's URLs, with least privilege.

    The user of `owner_url` owns all tables, that of each consumer's `url` gets exactly the rights
    that this consumer needs, and that of `reader_url` may read. A new role gets the password of
    its URL; an existing one keeps its password. Run it again at any time: it makes what is missing
    and takes away what is too much.
    """
    from consumers.roles.acting import make_and_show

    make_and_show(invocation, admin_url_file, only_print=only_print, as_json=as_json)
