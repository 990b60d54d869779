"""The pages of the cases: one for each kind, with its severity and its commands."""

import re
from typing import Final

import click
import pytest

from consumers.cli import command_line
from consumers.discovery import discover
from consumers.runtime.casebook.stored_case import kinds_of
from consumers.runtime.cases.kind import CaseKind
from tests.parts.source import ROOT

FOLDER: Final = ROOT / "docs" / "cases"
PAGES: Final = {path.stem: path.read_text() for path in FOLDER.glob("*.md")}
INDEX: Final = PAGES.pop("README")
KINDS: Final = {
    name: kind for service in discover().values() for name, kind in kinds_of(service).items()
}
PARTS: Final = ["## What it means", "## What to do", "## When it is over"]


def test_every_kind_has_its_page_and_every_page_its_kind() -> None:
    assert sorted(PAGES) == sorted(KINDS)


def test_index_lists_every_kind_with_its_severity_and_meaning() -> None:
    rows = re.findall(
        r"^\| \[([\w-]+)\]\(([\w-]+)\.md\) \| (\w+) \| [\w ]+ \| (.*) \|$", INDEX, re.MULTILINE
    )
    declared = [
        (kind.name, kind.name, kind.severity.value, kind.meaning) for kind in KINDS.values()
    ]

    assert sorted(rows) == sorted(declared)


@pytest.mark.parametrize("name", PAGES)
def test_page_has_severity_meaning_remedy_and_end(name: str) -> None:
    text = PAGES[name]

    assert text.startswith(f"# {name}\n\nSeverity: {KINDS[name].severity.value}. Consumer: ")
    assert re.findall(r"^## .*$", text, re.MULTILINE) == PARTS
    assert all(part.strip() for part in re.split(r"^## .*$", text, flags=re.MULTILINE))


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_commands_of_a_kind_exist_and_are_on_its_page(kind: CaseKind) -> None:
    text = " ".join(PAGES[kind.name].split())
    for template in kind.commands:
        words = template.partition("{")[0].split()
        assert words[0] == "payrouter"
        command: click.Command = command_line()
        for word in words[1:]:
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), word)
            assert found is not None, template
            command = found
        assert " ".join(words) in text, template


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_kind_is_named_in_kebab_case_and_explained_in_one_sentence(kind: CaseKind) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+|[a-z]+", kind.name)
    assert re.fullmatch(r"[A-Z][^\n]*\.", kind.meaning)
    assert re.search(r"\. [A-Z]", kind.meaning) is None


@pytest.mark.parametrize("name", ["README", *PAGES])
def test_links_of_a_page_exist(name: str) -> None:
    for target in re.findall(r"\]\((\S+?)\)", (FOLDER / f"{name}.md").read_text()):
        assert (FOLDER / target.partition("#")[0]).is_file(), target
