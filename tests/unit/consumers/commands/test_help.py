"""Every command explains itself: help that fits 80 columns, an example that works."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from consumers.cli import command_line
from consumers.installation import Installation
from consumers.inventory.commands import DECISIONS
from consumers.inventory.commands import STATUSES as DECLARED_STATUSES
from consumers.inventory.store.listing import STATUSES
from consumers.notifications.commands import STATES as DECLARED_STATES
from consumers.notifications.tables import STATES
from consumers.runtime.apply.held import HeldReason
from consumers.runtime.commands.held import REASONS
from router.commands.send import TAMPERS as DECLARED_TAMPERS
from router.contract.operator import Decision
from router.evaluation.send import TAMPERS
from router.providers import discover
from router.terminal.command_tree import CommandEntry, CommandTree
from router.terminal.completion import provider_names
from router.terminal.reference import examples_of

ROOT = command_line()


@dataclass(frozen=True)
class Found:
    """A command of the tree, with the description in its group."""

    path: str
    entry: CommandEntry
    command: click.Command


def _commands(tree: CommandTree, path: str = "") -> Iterator[Found]:
    for entry in tree.entries.values():
        found = Found(f"{path} {entry.name}".strip(), entry, entry.load())
        yield found
        if isinstance(found.command, CommandTree):
            yield from _commands(found.command, found.path)


COMMANDS = list(_commands(ROOT))
LEAVES = [found for found in COMMANDS if not isinstance(found.command, click.Group)]


def _help_of(path: str) -> str:
    command: click.Command = ROOT
    context = click.Context(ROOT, info_name="payrouter", terminal_width=80)
    for word in path.split():
        assert isinstance(command, click.Group)
        found = command.get_command(context, word)
        assert found is not None
        command = found
        context = click.Context(command, info_name=word, parent=context, terminal_width=80)
    return command.get_help(context)


@pytest.mark.parametrize("path", ["", *(found.path for found in COMMANDS)])
def test_help_fits_80_columns_and_leaves_nothing_out(path: str) -> None:
    text = _help_of(path)

    assert max(map(len, text.splitlines())) <= 80
    # click shortens with three dots; only the usage of a group has them as a sign.
    assert "..." not in text.replace("[ARGS]...", "").replace("[MESSAGES]...", "")


@pytest.mark.parametrize("found", COMMANDS, ids=lambda found: found.path)
def test_a_group_describes_a_command_as_the_command_describes_itself(found: Found) -> None:
    first, *_ = (found.command.help or "").splitlines()

    assert found.entry.help == first
    assert first.endswith(".")


@pytest.mark.parametrize("found", LEAVES, ids=lambda found: found.path)
def test_every_option_is_explained(found: Found) -> None:
    options = [each for each in found.command.params if isinstance(each, click.Option)]

    assert [each.opts for each in options if not each.help] == []


@pytest.mark.parametrize("found", LEAVES, ids=lambda found: found.path)
def test_every_command_has_an_example_that_can_be_typed(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "request.txt").write_text("POST / HTTP/1.1\n\n")
    (tmp_path / "operations.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    lines = examples_of(found.command)

    assert lines
    for line in lines:
        words = shlex.split(line.partition(" > ")[0].partition(" | ")[0])
        assert line.startswith(f"payrouter {found.path}")
        with click.Context(ROOT, obj=Installation()) as context:
            own = words[1 + len(found.path.split()) :]
            found.command.make_context(found.entry.name, own, parent=context)


def test_the_sections_are_what_one_wants_to_do() -> None:
    sections = dict.fromkeys(entry.section for entry in ROOT.entries.values())

    assert list(sections) == ["Run", "Look", "Fix", "Set up"]


def test_choices_declared_without_imports_are_those_of_the_code() -> None:
    assert set(REASONS) == {reason.value for reason in HeldReason}
    assert DECLARED_STATUSES == STATUSES
    assert set(DECISIONS) == set(Decision)
    assert DECLARED_STATES == STATES
    assert set(DECLARED_TAMPERS) == set(TAMPERS)
    assert provider_names() == sorted(discover())


def test_an_unknown_command_is_not_found() -> None:
    assert ROOT.get_command(click.Context(ROOT), "leger") is None
