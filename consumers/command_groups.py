"""The groups of the runtime's own commands, and what makes a command's object."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from router.commands.cli import CommandGroup, Invocation, invoked


@click.group(cls=CommandGroup)
def parked() -> None:
    """Look at records that are tried again by themselves."""


@click.group(cls=CommandGroup)
def dlq() -> None:
    """Look at dead records, and have them tried again."""


@click.group(cls=CommandGroup)
def brake() -> None:
    """Look at what stops a topic after many failures in a row, and have it go on."""


@click.group(cls=CommandGroup)
def outbox() -> None:
    """Look at what a consumer has to publish."""


OF_ONE_CONSUMER: Mapping[CommandGroup, tuple[str, Mapping[str, str]]] = {
    parked: (
        "consumers.runtime.commands.held",
        {"list": "parked_list", "retry": "parked_retry"},
    ),
    dlq: (
        "consumers.runtime.commands.held",
        {
            "list": "dlq_list",
            "show": "dlq_show",
            "replay": "dlq_replay",
            "history": "dlq_history",
        },
    ),
    brake: ("consumers.runtime.commands.brake", {"show": "show", "clear": "clear"}),
    outbox: ("consumers.runtime.commands.outbox", {"show": "show", "retry": "retry"}),
}
"""The runtime's own commands, each about the consumer named first: where its function is."""


def given_object(
    command: click.Command,
    look: Callable[..., object],
    arguments: Sequence[click.Argument] = (),
) -> click.Command:
    """Give a command `--config` and `--data-dir`, and as its object what `look` makes of them.

    `look` also takes these arguments, which come before the command's own.
    """
    own = command.callback
    if own is None:
        return command

    @invoked
    @functools.wraps(own)
    def callback(invocation: Invocation, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        named = {str(each.name): options.pop(str(each.name)) for each in arguments}
        click.get_current_context().obj = look(invocation, **named)
        return _call(own, *args, **options)

    wrapped = click.command(command.name)(callback)
    wrapped.help = command.help
    wrapped.params = [*arguments, *command.params, *wrapped.params]
    return wrapped


def _call(callback: Callable[..., Any], *args: Any, **options: Any) -> Any:  # noqa: ANN401
    return callback(*args, **options)
