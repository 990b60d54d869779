"""Commands that are shown to be typed."""

import shlex

from hypothesis import given
from hypothesis import strategies as st

from router.terminal.typed import typed

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


def test_foreign_text_is_quoted() -> None:
    """A shell passes it on as one word and runs nothing in it."""
    assert typed("payrouter trace", ["A 1; $(reboot)"]) == "payrouter trace 'A 1; $(reboot)'"


def test_an_argument_that_begins_with_a_hyphen_is_not_read_as_an_option() -> None:
    """It follows `--`, after the options."""
    command = typed("payrouter ledger record", ["-5"], {"--account": "shop"}, ["--yes"])
    assert command == "payrouter ledger record --account shop --yes -- -5"


def test_a_value_that_begins_with_a_hyphen_belongs_to_its_option() -> None:
    """It is joined to its name."""
    assert typed("payrouter cases list", [], {"--account": "-x"}) == (
        "payrouter cases list --account=-x"
    )


@given(WORDS, WORDS)
def test_a_shell_reads_every_word_unchanged(argument: str, value: str) -> None:
    """Any argument and any value."""
    words = shlex.split(typed("payrouter trace", [argument], {"--account": value}))
    assert words.count(argument) == 1 or argument in {"payrouter", "trace", "--account", value}
    assert value in words or f"--account={value}" in words
