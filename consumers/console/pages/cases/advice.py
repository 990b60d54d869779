"""What to do about a kind of case: the steps of its page in `docs/cases`."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import consumers

_INSTALLED: Final = Path(consumers.__file__).parent / "console" / "advice"
_SOURCE: Final = Path(consumers.__file__).parent.parent / "docs" / "cases"
_KIND: Final = re.compile(r"[a-z0-9-]{1,64}")
_SECTION: Final = re.compile(r"^## What to do\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
_STEP: Final = re.compile(r"^(?:\d+\.|-) ", re.MULTILINE)
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class AdviceSpan:
    """A part of a step: text, or a command or value as it is typed."""

    text: str
    typed: bool


AdviceStep = Sequence[AdviceSpan]
"""One step, in its parts."""


def read_advice(kind: str) -> Sequence[AdviceStep]:
    """Return the steps for a kind of case; none if it has no page, as of another distribution."""
    if _KIND.fullmatch(kind) is None:
        return ()
    folder = _INSTALLED if _INSTALLED.is_dir() else _SOURCE
    path = folder / f"{kind}.md"
    return steps_of(path.read_text(encoding="utf-8")) if path.is_file() else ()


def steps_of(page: str) -> Sequence[AdviceStep]:
    """Return the steps below "What to do" of a page in Markdown."""
    section = _SECTION.search(page)
    if section is None:
        return ()
    parts = [" ".join(part.split()) for part in _STEP.split(section[1])]
    return [list(_spans(_LINK.sub(r"\1", part))) for part in parts if part]


def _spans(text: str) -> Iterator[AdviceSpan]:
    for place, part in enumerate(text.split("`")):
        if part:
            yield AdviceSpan(part, typed=place % 2 == 1)
