"""The `payrouter` command line: all commands, none of them imported before it is used."""

import atexit
from collections.abc import Iterable
from functools import partial
from typing import Final, NoReturn

import click

from consumers import tree
from consumers.installation import Installation
from consumers.installed import installed
from router.commands import tree as edge_tree
from router.terminal.command_tree import CommandEntry, CommandTree, import_with_few_searches
from router.terminal.exits import run

YOURS: Final = "Consumers of other distributions"

_RUN = (tree.DEV, edge_tree.EDGE, tree.CONSUME, tree.EXPORTER, tree.CONSOLE, edge_tree.SEND)
_LOOK = (
    *(tree.DOCTOR, tree.TRACE, tree.OFFSETS, tree.LEDGER, tree.INVENTORY, tree.NOTIFICATIONS),
    *(edge_tree.REFUSED, edge_tree.VERIFY, edge_tree.METRICS),
)
_FIX = (
    *(tree.CASES, tree.PARKED, tree.DLQ, edge_tree.QUARANTINE, edge_tree.SPOOL),
    *(tree.BRAKE, tree.OUTBOX),
)
_SET_UP = (
    *(edge_tree.CONFIG, tree.DB, edge_tree.TOPICS, tree.RIGHTS, edge_tree.ENDPOINT),
    *(edge_tree.COMPLETION, edge_tree.MAN),
)


def _consumers_of_others() -> Iterable[CommandEntry]:
    for entry in installed():
        summary = f"Commands of the consumer {entry.name}."
        yield CommandEntry(
            entry.name, summary, partial(_group_of, entry.name, summary), YOURS, documented=False
        )


def _group_of(name: str, summary: str) -> click.Command:
    """Import a consumer of another distribution and return the group of its commands."""
    from consumers import discovery

    commands = discovery.discover()[name].commands
    return click.Group(name, {each.name or "": each for each in commands}, help=summary)


def command_line() -> CommandTree:
    """Return the command line with all commands."""
    entries = (*_RUN, *_LOOK, *_FIX, *_SET_UP)
    summary = "Put verified payment webhooks onto Kafka and apply every event exactly once."
    whole = CommandTree("payrouter", entries, summary=summary, more=_consumers_of_others)
    return click.version_option(package_name="payrouter", prog_name="payrouter")(whole)


def main() -> NoReturn:
    """Run the command line."""
    import_with_few_searches()
    atexit.register(_end_without_search)
    run(command_line(), Installation())


def _end_without_search() -> None:
    """Prevent that Python searches all objects for garbage when it ends.

    That takes longer than some commands.
    """
    import gc

    gc.freeze()
