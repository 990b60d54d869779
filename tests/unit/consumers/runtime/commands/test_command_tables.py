"""Tables for a terminal of 80 columns: text that one copies is not broken."""

from collections.abc import Sequence

import pytest

from router.terminal.output import show_table
from tests.parts.terminal import terminal_of

NUMBER = "ORD-261122080642-0766"
LONG = "x" * 100


def shown(monkeypatch: pytest.MonkeyPatch, rows: Sequence[Sequence[str]]) -> str:
    terminal = terminal_of(monkeypatch)
    columns = ("order", "status", "lines", "total", "changed")
    show_table("orders of [bold]", columns, rows, ("total",), whole=("order",))
    out = terminal.plain
    assert max(map(len, out.splitlines())) <= 80
    return out


def test_an_order_number_is_not_torn(monkeypatch: pytest.MonkeyPatch) -> None:
    row = (NUMBER, "committed", "coffee=1, teapot=1", "421.75 USDT", "11-22 08:08:30")
    assert NUMBER in shown(monkeypatch, [row])


def test_a_long_row_continues_below_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    out = shown(monkeypatch, [(LONG, "committed", "tea=1", "1 USDT", "11-22 08:08:30")])
    assert out.count("x") == len(LONG)


def test_a_title_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "[bold]" in shown(monkeypatch, [])
