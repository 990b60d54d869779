"""Display of a stored delivery: its body as text if it is text, otherwise as base64."""

import base64

import pytest

from router.commands.actions.kept import show_delivery


def _shown(body: bytes, encoding: str, capsys: pytest.CaptureFixture[str]) -> str:
    written = base64.b64encode(body).decode() if encoding == "base64" else body.decode()
    raw = {"method": "POST", "target": "/", "body": written, "body_encoding": encoding}
    show_delivery("", {"id": "1", "raw": raw})
    return capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["utf-8", "base64"])
def test_text_is_printed_as_text_however_it_is_stored(
    encoding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = _shown(b'{"order": "A-1"}', encoding, capsys)

    assert "raw.body (text)" in out
    assert '{"order": "A-1"}' in out
    assert "base64" not in out


def test_other_bytes_are_printed_as_base64_and_escaped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = _shown(b"\xff\xfea", "base64", capsys)

    assert "raw.body (base64)" in out
    assert base64.b64encode(b"\xff\xfea").decode() in out
    assert r"\xff\xfea" in out


def test_control_characters_next_to_other_bytes_are_escaped_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = _shown(b"\x00\xff\x1b[2Jbinary", "base64", capsys)

    assert r"\x00\xff\x1b[2Jbinary" in out
    assert "\x1b" not in out


def test_controls_of_a_terminal_do_not_reach_it(capsys: pytest.CaptureFixture[str]) -> None:
    out = _shown(b"\x1b[2J", "utf-8", capsys)

    assert "\x1b" not in out
    assert "raw.body (base64)" in out
