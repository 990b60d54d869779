"""Every line of log is on docs/logs.md, with its level and its fields, and nothing else is."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest

from consumers.inventory.cases import KINDS as OF_ORDERS
from consumers.ledger.cases import POSITION_KINDS as OF_POSITIONS
from consumers.ledger.cases import log_event
from consumers.runtime.fate import Fate
from tests.parts.source import ROOT, modules
from tests.unit.architecture.log_calls import LogCall, log_calls

SOURCE = modules("router", "consumers")
PAGE = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")

OF_THE_LEDGER = "log_event(kind)"
OF_THE_INVENTORY = "each.note.what.replace(' ', '_')"
OF_CASES = {kind.name.replace("-", "_") for kind in OF_ORDERS} - {"payment_without_order"}
"""The inventory's words for cases of orders, which are logged when they open."""


@dataclass(frozen=True)
class Row:
    """A row of one of the page's tables: the code in each cell, and the words."""

    codes: tuple[tuple[str, ...], ...]
    words: tuple[str, ...]


def table(heading: str) -> Iterator[Row]:
    """Read the table whose first column has this heading."""
    _, _, behind = PAGE.partition(f"\n| {heading} |")
    lines = behind.partition("\n\n")[0].splitlines()[2:]
    for line in lines:
        cells = line.strip("| \n").split("|")
        yield Row(
            tuple(tuple(re.findall(r"`([^`]+)`", cell)) for cell in cells),
            tuple(cell.strip() for cell in cells),
        )


@cache
def calls() -> list[LogCall]:
    return [call for module in SOURCE for call in log_calls(module)]


def called(event: str) -> list[LogCall]:
    return [call for call in calls() if call.event == event]


def troubles() -> set[str]:
    """Return the inventory's words for problems that an operator should check."""
    notes = (
        node
        for module in SOURCE
        if module.name.startswith("consumers.inventory")
        for node in module.nodes
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Note"
    )
    return {
        word.value.replace(" ", "_")
        for note in notes
        for word in note.args[:1]
        if isinstance(word, ast.Constant)
        and isinstance(word.value, str)
        and any(k.arg == "trouble" and ast.unparse(k.value) == "True" for k in note.keywords)
    }


EVENTS = {row.codes[0][0]: row for row in table("event | level")}
FIELDS = {name for row in table("field") for name in row.codes[0]}


def test_there_are_lines_of_log_to_look_at() -> None:
    assert len(calls()) > 30
    assert {"delivery", "batch"} <= EVENTS.keys()


def test_every_event_is_on_the_page_and_the_page_has_no_other() -> None:
    assert {call.event for call in calls() if call.event is not None} == EVENTS.keys()


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_an_event_has_the_levels_and_the_fields_of_the_page(event: str) -> None:
    calls = called(event)
    assert frozenset[str]().union(*(call.fields for call in calls)) == set(EVENTS[event].codes[2])
    levels = frozenset[str]().union(*(call.levels for call in calls))
    assert levels == set(EVENTS[event].words[1].split())


def test_every_field_is_explained_and_none_else() -> None:
    written = frozenset[str]().union(*(call.fields for call in calls()))
    assert written == FIELDS


def test_one_event_alone_has_fields_that_are_not_written_there_and_the_page_names_them() -> None:
    assert [call.event for call in calls() if call.more] == ["batch"]
    assert set(EVENTS["batch"].codes[3]) == set(Fate)


def test_what_the_services_want_looked_at_is_on_the_page() -> None:
    written_later = {call.said for call in calls() if call.event is None}
    assert written_later == {OF_THE_LEDGER, OF_THE_INVENTORY}
    of: dict[str, set[str]] = {"ledger": set(), "inventory": set()}
    for row in table("event | of"):
        for service in row.words[1].split():
            of[service].add(row.codes[0][0])
    assert of["ledger"] == {log_event(each.name) for each in OF_POSITIONS}
    assert of["inventory"] == troubles() | OF_CASES
