"""The commands of a case, with what a gateway sent in them."""

import shlex
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from consumers.inventory.cases import KINDS as INVENTORY_KINDS
from consumers.ledger.cases import KINDS as LEDGER_KINDS
from consumers.runtime.casebook.advice import commands_of
from consumers.runtime.casebook.entry import entries_of
from tests.unit.consumers.runtime.casebook.test_entry import IN_LEDGER

REFERENCES = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.isprintable)


def _commands(reference: str, kind_name: str) -> list[str]:
    kind = next(kind for kind in (*LEDGER_KINDS, *INVENTORY_KINDS) if kind.name == kind_name)
    (entry,) = entries_of(
        [replace(IN_LEDGER, kind=kind, reference=reference, provider_reference=reference)]
    )
    return list(commands_of(entry))


def test_reference_that_begins_with_a_hyphen_is_an_argument() -> None:
    """It follows `--`, and the options precede it."""
    assert "payrouter trace -- --help" in _commands("--help", "amount-unknown")


@given(REFERENCES)
def test_a_shell_reads_the_reference_as_one_word(reference: str) -> None:
    """In each command of each kind, for any printable reference."""
    for kind in (*LEDGER_KINDS, *INVENTORY_KINDS):
        for command in _commands(reference, kind.name)[:-1]:
            assert reference in shlex.split(command)
