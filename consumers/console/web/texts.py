"""Texts of the pages, by language: `texts/LANGUAGE/PAGE.toml`."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent.parent / "texts"
LANGUAGES: Final = ("en", "de")


@dataclass(frozen=True)
class PageTexts:
    """Texts of one language, by key: `cases.title` is `title` in `cases.toml`."""

    language: str
    by_key: Mapping[str, str]

    def text(self, key: str, **values: object) -> str:
        """Return a text with its values; raises KeyError if there is no such text."""
        return self.by_key[key].format_map(values)

    def count(self, key: str, number: int, **values: object) -> str:
        """Return the text `KEY.one` or `KEY.many` with its number as `n`."""
        return self.text(f"{key}.{'one' if number == 1 else 'many'}", n=number, **values)


def read_texts(folder: Path = FOLDER) -> Mapping[str, PageTexts]:
    """Read the texts of every language."""
    return {language: PageTexts(language, _of(folder / language)) for language in LANGUAGES}


def _of(folder: Path) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.toml")):
        found.update(_flat(path.stem, tomllib.loads(path.read_text(encoding="utf-8"))))
    return found


def _flat(under: str, table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        key = f"{under}.{name}"
        if isinstance(value, Mapping):
            yield from _flat(key, value)
        else:
            yield key, str(value)


def preferred_language(accepted: str, default: str) -> str:
    """Return the language of an Accept-Language header that the console has, or the default."""
    for part in accepted.split(","):
        language = part.split(";")[0].strip().lower()[:2]
        if language in LANGUAGES and "q=0" not in part.replace("q=0.", ""):
            return language
    return default
