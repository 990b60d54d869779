"""The runbooks: one for each alert, and every command in them can be typed."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import promql_parser
import pytest

from consumers.cli import command_line
from tests.parts.monitoring.rule_files import ALERTS, NAMES, ROOT, RUNBOOKS

PAGES: Final = {path.stem: path for path in sorted(RUNBOOKS.glob("*.md")) if path.stem != "README"}
PARTS: Final = [
    "## What it means",
    "## Look here",
    "## Do this",
    "## When it is over",
    "## Whom to wake",
]


def _quoted(path: Path) -> list[str]:
    """Return the texts between backticks, line ends as blanks."""
    return [re.sub(r"\s+", " ", each) for each in re.findall(r"`([^`]+)`", path.read_text())]


def _commands() -> Iterator[tuple[str, str]]:
    for path in sorted(RUNBOOKS.glob("*.md")):
        for quoted in _quoted(path):
            if match := re.search(r"\bpayrouter .*", quoted):
                yield path.stem, match[0]


COMMANDS: Final = sorted(set(_commands()))


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    assert sorted(PAGES) == NAMES


def test_index_lists_every_alert_with_its_severities() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \| ([\w ]+) \| \S", _index(), re.MULTILINE)
    severities = {
        name: {rule["labels"]["severity"] for rule in ALERTS if rule["alert"] == name}
        for name in NAMES
    }

    assert sorted(name for name, _, _ in rows) == NAMES
    for name, target, said in rows:
        assert target == name
        assert set(said.split(" or ")) == severities[name], name


def _index() -> str:
    return (RUNBOOKS / "README.md").read_text()


@pytest.mark.parametrize("name", PAGES)
def test_page_has_meaning_checks_remedy_and_end(name: str) -> None:
    text = PAGES[name].read_text()

    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## .*$", text, re.MULTILINE) == PARTS
    assert all(part.strip() for part in re.split(r"^## .*$", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", PAGES)
def test_links_and_panels_of_a_page_exist(name: str) -> None:
    text = PAGES[name].read_text()

    for target in re.findall(r"\]\((\S+?)\)", text):
        assert (RUNBOOKS / target.partition("#")[0]).is_file(), target
    for uid, number in re.findall(r"/d/([\w-]+)\?viewPanel=(\d+)", text):
        dashboard = ROOT / "deploy" / "grafana" / "dashboards" / f"{uid}.json"
        assert re.search(rf'"id": {number},', dashboard.read_text()), (uid, number)


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_command_exists_with_its_options_and_arguments(page: str, line: str) -> None:
    words = shlex.split(line.partition(" > ")[0].replace("PROVIDER", "blockatm"))[1:]
    if words == ["…"]:
        return
    command: click.Command = command_line()
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None, f"{page}: {line}"
        command = found
    options = {name: each for each in _options(command) for name in each.opts}
    for word in [word for word in words if word.startswith("--")]:
        assert word in options, f"{page}: {word} of {line}"
    # The value of an option is not an argument.
    pairs = zip(words, ["", *words], strict=False)
    given = [word for word, before in pairs if _is_given(word, before, options)]
    wanted = [each for each in command.params if isinstance(each, click.Argument)]
    assert len(given) <= len(wanted) or any(each.nargs < 0 for each in wanted), line


def _options(command: click.Command) -> list[click.Option]:
    return [each for each in command.params if isinstance(each, click.Option)]


def _is_given(word: str, before: str, options: dict[str, click.Option]) -> bool:
    takes_value = before in options and not options[before].is_flag
    return not word.startswith("--") and not takes_value


@pytest.mark.parametrize("name", PAGES)
def test_queries_of_a_page_are_valid(name: str) -> None:
    for quoted in _quoted(PAGES[name]):
        if re.search(r"\b(sum|rate|increase|count|topk)\b.*\(", quoted) and "payrouter_" in quoted:
            promql_parser.parse(quoted)
