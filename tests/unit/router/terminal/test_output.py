"""Tables and fields: nothing is cut, numbers never break, controls never reach a terminal."""

import json
from collections.abc import Callable
from functools import partial

import pytest

from router.terminal.output import printable, show_fields, show_json, show_table, text_of
from tests.parts.terminal import Terminal, terminal_of

LONG = "x" * 300
NUMBER = "12345678901234567890"


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Terminal]:
    """Make standard output a terminal of a given width."""
    return partial(terminal_of, monkeypatch)


@pytest.mark.parametrize("lined", [True, False])
@pytest.mark.parametrize("width", [10, 40, 80, 200])
def test_nothing_is_cut_at_any_width_and_numbers_never_break(
    at_terminal: Callable[[int], Terminal], width: int, *, lined: bool
) -> None:
    terminal = at_terminal(width)

    rows = [(NUMBER, LONG, NUMBER)]
    show_table("title", ("no.", "text", "size"), rows, numbers=("no.", "size"), lined=lined)

    out = terminal.plain
    assert out.count("x") == len(LONG) + 1  # one is the heading's
    assert out.count(NUMBER) == 2
    assert "…" not in out


def test_a_table_at_a_terminal_is_as_wide_as_the_terminal(
    at_terminal: Callable[[int], Terminal],
) -> None:
    terminal = at_terminal(80)

    show_table("title", ("no.", "text"), [(1, LONG)], numbers=("no.",))

    assert max(map(len, terminal.plain.splitlines())) == 80


def test_no_cell_is_folded_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("title", ("no.", "text"), [(1, LONG * 100)], numbers=("no.",))

    assert LONG * 100 in capsys.readouterr().out


def test_no_line_ends_with_blanks_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("a", LONG), ("b", "short")]
    show_table("title", ("name", "text"), rows, lined=False)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert [line for line in lines if line != line.rstrip()] == []


def test_an_empty_row_draws_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("", ("a", "b"), [(1, 2), (), (3, 4)])

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7


def test_fields_are_named_by_their_path_and_safe_for_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_fields("one", {"raw": {"target": "/a", "headers": {}}, "detail": "\x1b[2J", "n": None})

    out = capsys.readouterr().out
    assert "raw.target" in out
    assert "\x1b" not in out
    assert '"\\u001b[2J"' in out


def test_json_is_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"name": "ü\x9b"})

    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == {"name": "ü\x9b"}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{"a": "\xc3\xbc"}', '{"a": "ü"}'),
        (b"a\n\tb", "a\n\tb"),
        (b"", ""),
        (b"\xff\xfe", None),
        (b"\x00\x01{}", None),
        (b"\x1b[2J", None),
        ("\u202e".encode(), None),
    ],
)
def test_text_is_what_a_terminal_can_print(data: bytes, text: str | None) -> None:
    assert text_of(data) == text


def test_what_cannot_be_printed_is_json() -> None:
    assert printable("a b") == "a b"
    assert printable("\x07") == '"\\u0007"'
    assert printable(None) == "null"


_HELD = ("no.", "from", "offset", "event", "reason", "held since", "error")
_RECORD = (
    *(1, "payment-2", 17, "8f7af8a8-479e-5a3e-9cd0-bd4446be7375", "unreadable"),
    *("2026-11-22 10:00:00", "UndecodableRecord: the value is 3 bytes that start with a zero byte"),
)


@pytest.mark.parametrize("width", [80, 100, 120, 160])
@pytest.mark.parametrize("event", ["", _RECORD[3]])
def test_no_word_breaks_at_a_terminal_of_usual_width(
    at_terminal: Callable[[int], Terminal], width: int, event: str
) -> None:
    terminal = at_terminal(width)

    show_table("held", _HELD, [(*_RECORD[:3], event, *_RECORD[4:])], numbers=("no.", "offset"))

    out = terminal.plain
    assert max(map(len, out.splitlines())) <= width
    for word in " ".join(map(str, (event, *_RECORD[:3], *_RECORD[4:]))).split():
        assert word in out


def test_row_without_room_for_its_words_is_a_block_of_lines(
    at_terminal: Callable[[int], Terminal],
) -> None:
    terminal = at_terminal(60)

    show_table("held", _HELD, [_RECORD, (), (2, *_RECORD[1:3], "", *_RECORD[4:])])

    first, second = terminal.plain.removeprefix("held").strip().split("\n\n")
    assert first.splitlines()[3].split() == ["event", _RECORD[3]]
    assert second.splitlines()[0].split() == ["no.", "2"]
    assert "event" not in second


def test_frame_is_dropped_before_words_break(at_terminal: Callable[[int], Terminal]) -> None:
    terminal = at_terminal(14)

    show_table("", ("a", "b"), [("x" * 6, "y" * 6)])

    assert [line.split() for line in terminal.plain.splitlines()] == [
        ["a", "b"],
        ["x" * 6, "y" * 6],
    ]
