"""Parsing of captured requests."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import ConfigurationError
from router.quarantine.captured import read_captured


def test_a_request_is_read_byte_for_byte() -> None:
    captured = read_captured(
        b"POST /webhooks/shop?x=%20 HTTP/1.1\r\nHost: shop\r\nX-A:  b c \r\nx-a: d\r\n\r\n"
        b'{"a":1}\r\n\r\n\xff'
    )

    assert (captured.method, captured.target) == ("POST", "/webhooks/shop?x=%20")
    assert captured.headers == (("host", "shop"), ("x-a", "b c"), ("x-a", "d"))
    assert captured.body == b'{"a":1}\r\n\r\n\xff'
    assert captured.corrected is None


@pytest.mark.parametrize(
    ("text", "body"),
    [
        (b"POST /x HTTP/1.1\nA: b\n\n{}\n", b"{}\n"),
        (b"POST /x HTTP/1.1\nA: b\n\n{}\r\n\r\nx", b"{}\r\n\r\nx"),
        (b"POST /x\nA: b\n\n", b""),
        (b"GET /x HTTP/1.1\r\nA: b\r\n", b""),
        (b"GET /x HTTP/1.1\n", b""),
    ],
)
def test_lines_may_end_in_lf_or_cr_lf(text: bytes, body: bytes) -> None:
    assert read_captured(text).body == body


def test_absolute_target_is_reduced_to_path_and_query() -> None:
    assert read_captured(b"GET https://shop.example/a/b?c HTTP/1.1\n\n").target == "/a/b?c"


@pytest.mark.parametrize(
    ("length", "body", "kept", "mended"),
    [
        (2, b"{}", b"{}", None),
        (2, b"{}\n", b"{}", "removed 1 line ends"),
        (2, b"{}\r\n", b"{}", "removed 2 line ends"),
        (3, b"{}\n", b"{}\n", None),
        (2, b"{} \n", b"{} \n", "content-length is 2 bytes, but the file has 4"),
        (5, b"{}", b"{}", "content-length is 5 bytes, but the file has 2"),
    ],
)
def test_line_ends_added_after_the_body_are_removed(
    length: int, body: bytes, kept: bytes, mended: str | None
) -> None:
    captured = read_captured(b"POST /x HTTP/1.1\nContent-Length: %d\n\n" % length + body)

    assert captured.body == kept
    assert (captured.corrected or "").startswith(mended or "")
    assert (captured.corrected is None) is (mended is None)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n\n",
        b"{}",
        b'{"a": 1}\n\n',
        b"POST\n\n",
        b"POST /x HTTP/1.1 more\n\n",
        b"POST /x HTTP/1.1\nno header\n\n",
        b"POST /x HTTP/1.1\n: b\n\n",
        b"P0ST /x\n\n",
    ],
)
def test_malformed_request_is_refused_in_one_line(text: bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"^--file: expected"):
        read_captured(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(text: bytes) -> None:
    with contextlib.suppress(ConfigurationError):
        assert text.endswith(read_captured(text).body)
