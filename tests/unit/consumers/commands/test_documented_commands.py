"""Every command that a page of the documentation shows exists, with the options it is given."""

import re
import shlex
from pathlib import Path
from typing import Final

import click
import pytest

from consumers.cli import command_line
from tests.parts.source import ROOT

PAGES: Final = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("d*/**/*.md")])
OF_SAMPLES: Final = {"tally", "acme_pay"}
"""Commands of a consumer and a gateway that pages add."""

_BLOCK: Final = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_FENCED: Final = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_SPAN: Final = re.compile(r"`([^`]+)`")
_COMMAND: Final = re.compile(r"(?:^|(?!helm ).*[\s/])payrouter ([a-z].*)")
"""The last such word of a line: `payrouter` may also be a user. For helm it is a release."""


def _shown(page: Path) -> set[str]:
    text = page.read_text(encoding="utf-8")
    lines = [line for block in _BLOCK.findall(text) for line in block.splitlines()]
    spans = [" ".join(span.split()) for span in _SPAN.findall(_FENCED.sub("", text))]
    found = [_COMMAND.match(line.partition(" # ")[0]) for line in lines]
    found += [_COMMAND.match(span) for span in spans]
    return {match[1].partition(" > ")[0].partition("|")[0] for match in found if match}


CASES: Final = [
    pytest.param(line, id=f"{page.stem}: {line}")
    for page in PAGES
    for line in sorted(_shown(page))
    if "…" not in line and "ARGS" not in line and not OF_SAMPLES & set(line.split()[:2])
]


@pytest.mark.parametrize("line", CASES)
def test_command_of_a_page_exists_with_its_options(line: str) -> None:
    command: click.Command = command_line()
    context = click.Context(command, info_name="payrouter")
    words = shlex.split(line, comments=True)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"{line}: there is no command {words[0]}"
        command, words = found, words[1:]
        context = click.Context(command, info_name=command.name, parent=context)
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    given = {word.partition("=")[0] for word in words if word.startswith("-")}
    assert given - known - {"--help", "-h"} == set()


def test_pages_show_many_commands() -> None:
    assert len(CASES) > 150
