"""A group of commands that are imported when they are asked for, each from its own module."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import click

Found = Callable[[], click.Command]


class CommandGroup(click.Group):
    """Imports a command when it is given, and every one when they are listed."""

    elsewhere: dict[str, Found]
    """Returns the command of each name that is not one of `commands`."""
    rest: Callable[[], Mapping[str, click.Command]]
    """Finds the commands whose names are not known before."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - click's
        """Begin with the commands that are added."""
        super().__init__(*args, **options)
        self.elsewhere = {}
        self.rest = dict

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command, those that have to be looked for included."""
        return sorted({*super().list_commands(ctx), *self.elsewhere, *self.rest()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now if it is elsewhere; look further only if none is known."""
        known = super().get_command(ctx, cmd_name)
        if known is not None:
            return known
        if cmd_name in self.elsewhere:
            return self.elsewhere[cmd_name]()
        return self.rest().get(cmd_name)


def found_in(module: str, name: str) -> Found:
    """Return what imports a command by its module and its name there."""

    def find() -> click.Command:
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    return find
