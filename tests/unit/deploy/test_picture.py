"""The picture at the top of the README shows the README's commands and today's words."""

import html
import re
from functools import cache

import pytest

from tests.parts.e2e.recording import PICTURE, README, commands
from tests.parts.source import ROOT

_TEXT = re.compile(r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>')


@cache
def _shown() -> str:
    """Return the text of the picture, with one space between words."""
    found = _TEXT.findall(PICTURE.read_text(encoding="utf-8"))
    pieces = sorted((float(y), float(x), html.unescape(text)) for x, y, text in found)
    return " ".join(" ".join(text for _, _, text in pieces).split())


def test_readme_shows_the_picture() -> None:
    assert f"({PICTURE.relative_to(ROOT)})" in README.read_text(encoding="utf-8")


def test_picture_has_the_readme_s_commands_in_their_order() -> None:
    places = [_shown().index(f"$ {command}") for command in commands()]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("router/evaluation/system.py", "(for evaluation: in memory, lost when this stops)"),
        ("router/evaluation/activity.py", "records applied: "),
        ("router/evaluation/send.py", "with tampered "),
        ("router/evaluation/send.py", "refused, as expected"),
        ("consumers/runtime/trace/lines.py", "received by "),
        ("consumers/runtime/trace/verdict.py", "in the books, last as transaction "),
    ],
)
def test_picture_shows_what_the_program_prints(module: str, words: str) -> None:
    assert words in (ROOT / module).read_text(encoding="utf-8"), "update the words of this test"
    assert words in _shown(), "record the picture again: python -m tests.parts.e2e.recording"
