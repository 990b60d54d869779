"""Headers of a held or outgoing record as text: every byte, the order, and repeated names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.runtime.apply.held import headers_from, headers_text

_NAME = st.binary().map(lambda name: name.decode("utf-8", "surrogateescape"))


@given(st.lists(st.tuples(_NAME, st.none() | st.binary())))
def test_headers_are_the_same_after_reading_their_text(
    headers: list[tuple[str, bytes | None]],
) -> None:
    text = headers_text(headers)
    assert headers_from(text) == headers
    assert text.encode()


def test_text_of_an_older_version_is_read() -> None:
    assert headers_from('[["a", "eA=="], ["a", null]]') == [("a", b"x"), ("a", None)]


@pytest.mark.parametrize("name", ["a", "\udcff"], ids=["valid", "not UTF-8"])
def test_generator_of_headers_is_read_once(name: str) -> None:
    headers = [(name, b"x")]
    assert headers_from(headers_text(each for each in headers)) == headers
