"""Wrong usage is explained as text of this program, with what to type instead."""

import click
import pytest
from click.testing import CliRunner

from consumers.cli import command_line
from consumers.installation import Installation


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("inventry",), "No such command 'inventry'. Did you mean 'inventory'?"),
        (("dlq", "lst"), "No such command 'lst'. Did you mean 'list'?"),
        (("send", "blokatm"), "No such command 'blokatm'. Did you mean 'blockatm'?"),
        (("inventory", "set", "tea", "x"), "'QUANTITY': 'x' is not a valid integer."),
        (("dev", "--rate", "x"), "'--rate': 'x' is not a valid number."),
        (("dev", "--rate", "0"), "'--rate': 0.0 is not in the range 0.01<=x<=1000."),
        (("ledger", "statement", "--limit", "0"), "0 is not in the range 1<=x<=100000."),
        (
            ("quarantine", "list", "--since", "yesterday"),
            "'yesterday' is not a time; use 2026-11-22 or 2026-11-22T10:00:00Z",
        ),
        (("completion", "csh"), "'SHELL': 'csh' is not one of 'bash', 'zsh', 'fish'."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_message_names_the_mistake(arguments: tuple[str, ...], message: str) -> None:
    ended = CliRunner().invoke(command_line(), arguments, obj=Installation())

    assert ended.exit_code == 2
    assert message in ended.stderr


def test_unknown_command_among_no_similar_ones_has_no_suggestion() -> None:
    with pytest.raises(click.NoSuchCommand) as refused:
        command_line().main(["zzz"], standalone_mode=False, obj=Installation())

    assert refused.value.format_message() == "No such command 'zzz'."
