"""Texts of the console: the same keys and values in every language, and all that templates use."""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Formatter

import pytest

from consumers.console.app import PAGES
from consumers.console.serving.rendering import FOLDER
from consumers.console.web.texts import LANGUAGES, preferred_language, read_texts

TEXTS = read_texts()
USED = re.compile(r"""\b(t|n)\(\s*["']([a-z_.]+)["']\s*[,)]""")
INLINE = re.compile(r"<style|\bstyle=|\son[a-z]+=|javascript:|\|\s*safe|autoescape|hx-on|hx-vals")
TEMPLATES = sorted(FOLDER.rglob("*.html"))


def values_of(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def without_meanings(texts: Mapping[str, str]) -> Mapping[str, str]:
    """Leave out the meanings of cases: their English is in the code, for the commands."""
    return {key: text for key, text in texts.items() if not key.startswith("cases.meaning.")}


def test_every_language_has_the_same_texts_with_the_same_values() -> None:
    first, *others = (TEXTS[language].by_key for language in LANGUAGES)
    for other in map(without_meanings, others):
        assert first.keys() == other.keys()
        assert {k: values_of(v) for k, v in first.items()} == {
            k: values_of(v) for k, v in other.items()
        }


def test_every_page_has_a_title_and_an_entry_in_the_navigation() -> None:
    for page in PAGES:
        if page.in_navigation:
            assert TEXTS["en"].text(f"{page.name}.nav")
            assert TEXTS["en"].text(f"{page.name}.title")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_texts_that_a_template_names_exist(path: Path) -> None:
    known = TEXTS["en"].by_key
    for kind, key in USED.findall(path.read_text(encoding="utf-8")):
        needed = {"t": [key], "n": [f"{key}.one", f"{key}.many"]}[kind]
        assert [each for each in needed if each not in known] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_template_has_nothing_inline_and_escapes_everything(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert INLINE.findall(text) == []
    assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []


def test_code_marks_no_text_as_safe_but_the_element_of_a_time() -> None:
    folder = FOLDER.parent
    marking = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        if "Markup(" in path.read_text(encoding="utf-8")
    }
    assert marking == {"web/times.py"}


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("fr,en;q=0.5", "en"),
        ("fr", "en"),
        ("", "en"),
        ("de;q=0,en", "en"),
        ("x" * 1000, "en"),
    ],
)
def test_language_is_the_first_that_the_console_has(accepted: str, language: str) -> None:
    assert preferred_language(accepted, "en") == language
