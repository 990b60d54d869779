"""Only a single mailbox is accepted: a gateway's text cannot become a header or a list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notifications.sending.addresses import mailbox

GOOD = (
    "a@example.com",
    "a.b+c@sub.example.co",
    "o'brien@example.com",
    "x%41=1@example.com",
    f"{'a' * 64}@example.com",
)
BAD = (
    "",
    "nobody",
    "a@localhost",
    "a@example.com,b@example.com",
    "a@example.com b@example.com",
    "a@example.com;b@example.com",
    "a@example.com\r\nBcc: b@example.com",
    "a@example.com\n",
    "\na@example.com",
    "a@example.com\x00",
    "Ann <a@example.com>",
    '"a b"@example.com',
    "a@b@example.com",
    "a..b@example.com",
    ".a@example.com",
    "a@-example.com",
    "a@example..com",
    "ä@example.com",
    "a@exämple.com",
    "a@example.com?bcc=b@example.com",
    "a@[127.0.0.1]",
    f"{'a' * 65}@example.com",
    f"a@{'b.' * 130}com",
)


@pytest.mark.parametrize("text", GOOD)
def test_one_plain_mailbox_is_returned_unchanged(text: str) -> None:
    assert mailbox(text) == text


@pytest.mark.parametrize("text", BAD)
def test_any_other_text_is_refused(text: str) -> None:
    assert mailbox(text) is None


def test_none_is_refused() -> None:
    assert mailbox(None) is None


@given(st.text(), st.text(alphabet='\r\n\t ,;<>:"()[]\\\x00\x0b\u2028', min_size=1), st.text())
def test_text_that_could_end_or_split_an_address_is_refused(
    before: str, between: str, after: str
) -> None:
    assert mailbox(f"{before}{between}{after}") is None
