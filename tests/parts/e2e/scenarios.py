"""Parses docs/scenarios.md into scenarios, each a list of lines to execute."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.parts.source import ROOT

PAGE = ROOT / "docs" / "scenarios.md"

POLICY = "policy"
"""First word of the line with options of the inventory that differ from the default."""

STEPS = (
    *("shelf", "order", "cancel", "send", "again", "event"),
    *("wait", "close", "decide", "record"),
)
FINDINGS = ("answer", "books", "stock", "orders", "trouble", "cases", "messages")
SHOWN = ("books", "stock", "orders", "messages")
"""The results that every scenario shows at its end."""

OTHER = "other"
NOTHING = "nothing"

_SECTION = re.compile(r"^### ([^\n]+)\n(.*?)```scenario\n(.*?)```", re.MULTILINE | re.DOTALL)
_OPTION = re.compile(r"([\w-]+)=(\S+)")


@dataclass(frozen=True)
class Line:
    """One line: an action or an expected result, for one of the scenario's two merchants."""

    written: str
    word: str
    rest: str
    other: bool = False

    @property
    def words(self) -> Sequence[str]:
        """The words after the first one, without the options."""
        return [each for each in self.rest.split() if "=" not in each]

    @property
    def options(self) -> Mapping[str, str]:
        """The `name=value` options."""
        return dict(_OPTION.findall(self.rest))

    @property
    def listed(self) -> Sequence[str]:
        """The items between the commas; empty for `nothing`."""
        if self.rest == NOTHING:
            return []
        return sorted(each.strip() for each in self.rest.split(","))


@dataclass(frozen=True)
class Scenario:
    """One scenario of the page."""

    title: str
    lines: Sequence[Line]

    @property
    def policy(self) -> Mapping[str, str]:
        """The options of the inventory that differ from the default."""
        return {
            name: value
            for line in self.lines
            if line.word == POLICY
            for name, value in line.options.items()
        }

    @property
    def account(self) -> str:
        """The scenario's merchant; every scenario has another one, so that they are independent."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


def scenarios() -> Mapping[str, Scenario]:
    """Parse the page."""
    found = _SECTION.findall(PAGE.read_text(encoding="utf-8"))
    return {
        title: Scenario(title, [_line(written) for written in block.splitlines() if written])
        for title, _, block in found
    }


def _line(written: str) -> Line:
    whose, _, told = written.rpartition(": ") if written.startswith(OTHER) else ("", "", written)
    word, _, rest = told.strip().partition(" ")
    known = (POLICY, *STEPS, *FINDINGS)
    if word not in known:
        message = f"{written!r}: expected one of {', '.join(known)}"
        raise ValueError(message)
    return Line(written, word, rest.strip(), other=bool(whose))
