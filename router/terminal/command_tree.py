"""Trees of commands, each described lightly and imported only when it is used."""

import gc
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


USUAL_SEARCHES: Final = gc.get_threshold()
"""Thresholds of Python's search for garbage."""

_FEW_SEARCHES: Final = 50_000
"""New objects after which a command searches for garbage: imports make many objects, which stay."""


def import_with_few_searches() -> None:
    """Let Python search rarely for garbage while a process starts."""
    gc.set_threshold(_FEW_SEARCHES, *USUAL_SEARCHES[1:])


@dataclass(frozen=True)
class CommandEntry:
    """Description of a command: enough for the help and the completion of its group."""

    name: str
    help: str
    """One line; equal to the first line of the command's own help."""
    load: Callable[[], click.Command]
    section: str = "Commands"
    """Heading under which the help of the group lists it."""
    documented: bool = True
    """Whether the generated reference has it: not if it depends on what is installed."""


class CommandTree(click.Group):
    """Group that imports a command only when it runs, or for its own help."""

    def __init__(
        self,
        name: str,
        entries: Sequence[CommandEntry],
        *,
        summary: str,
        details: str = "",
        more: Callable[[], Iterable[CommandEntry]] = tuple,
    ) -> None:
        """Take the entries; `more` finds those that depend on what is installed."""
        super().__init__(
            name,
            help=f"{summary}\n\n{details}" if details else summary,
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        self._entries = {entry.name: entry for entry in entries}
        self._more = more

    @property
    def entries(self) -> Mapping[str, CommandEntry]:
        """All entries by name, in the order of the help."""
        return {**self._entries, **{entry.name: entry for entry in self._more()}, **self._entries}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, section by section."""
        del ctx
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; None if there is no such name."""
        del ctx
        # `more` searches every installed distribution: only do so for unknown names.
        entry = self._entries.get(cmd_name) or self.entries.get(cmd_name)
        return None if entry is None else entry.load()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an error for an unknown name suggests similar ones."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            # Click's own suggestions come from commands that are already made.
            raise click.NoSuchCommand(args[0], possibilities=self.entries, ctx=ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their whole one-line help, below their section's heading."""
        del ctx
        for section, entries in groupby(self._by_section(), lambda entry: entry.section):
            with formatter.section(section):
                formatter.write_dl([(entry.name, entry.help) for entry in entries])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete the names of commands without importing any."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(entry.name, help=entry.help)
            for entry in self._by_section()
            if entry.name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def _by_section(self) -> Sequence[CommandEntry]:
        entries = list(self.entries.values())
        order = list(dict.fromkeys(entry.section for entry in self._entries.values()))
        order += [entry.section for entry in entries if entry.section not in order]
        return sorted(entries, key=lambda entry: order.index(entry.section))


def command(
    name: str, summary: str, target: str, section: str = CommandEntry.section
) -> CommandEntry:
    """Describe a command that is the `module:attribute` named by `target`."""
    return CommandEntry(name, summary, partial(_imported, target), section)


def group(
    name: str,
    summary: str,
    entries: Sequence[CommandEntry],
    section: str = CommandEntry.section,
    details: str = "",
) -> CommandEntry:
    """Describe a group of commands; `details` follow the summary in its own help."""
    load = partial(CommandTree, name, entries, summary=summary, details=details)
    return CommandEntry(name, summary, load, section)


def example(*lines: str) -> str:
    """Return the epilog that shows examples in a command's help, each without `payrouter`."""
    heading = "Example:" if len(lines) == 1 else "Examples:"
    # \b keeps click from joining the lines.
    return "\n".join(("\b", heading, *(f"  payrouter {line}" for line in lines)))


def _imported(target: str) -> click.Command:
    module, _, attribute = target.partition(":")
    found: click.Command = getattr(importlib.import_module(module), attribute)
    return found
