"""Every kind of case has its steps and its meaning, in both languages."""

import pytest

from consumers.console.pages.cases.advice import read_advice, steps_of
from consumers.console.web.texts import read_texts
from consumers.discovery import discover
from consumers.runtime.casebook.stored_case import kinds_of

KINDS = sorted({kind for each in discover().values() for kind in kinds_of(each)})


@pytest.mark.parametrize("kind", KINDS)
def test_kind_has_steps_and_a_meaning_in_german(kind: str) -> None:
    assert read_advice(kind)
    assert f"cases.meaning.{kind}" in read_texts()["de"].by_key


def test_steps_keep_commands_apart_and_links_are_their_text() -> None:
    page = "## What to do\n\n1. Run `a\n   b`, see [ledger](../x.md).\n2. Wait.\n\n## Then\n\nno\n"

    first, second = steps_of(page)

    assert [(each.text, each.typed) for each in first] == [
        ("Run ", False),
        ("a b", True),
        (", see ledger.", False),
    ]
    assert [each.text for each in second] == ["Wait."]


@pytest.mark.parametrize("kind", ["of-another-distribution", "../README", "README", ""])
def test_kind_without_a_page_has_no_steps(kind: str) -> None:
    assert read_advice(kind) == ()
