"""The way out on real sockets: mails and webhooks as they arrive, and what a failure is called."""

import asyncio
import io
import logging
from collections.abc import Callable
from socket import socket

import pytest

from consumers.notifications.outside import ChannelError, Outside, Sending, Told, explained
from consumers.notifications.rendering import Rendered
from tests.parts.notifications.receivers import HANG, hook, post_office

SECRET = "hunter2hunter2"
TEXT = Rendered("Über 5 € <b>", "Guten Tag,\n\n100.50 USDT <b>& mehr\n")


async def sent(outside: Outside, address: str | None = None, **more: object) -> Told:
    """Send in a thread, as the dispatcher does."""
    seconds = float(str(more.get("seconds", 5)))
    rendered = more.get("rendered", TEXT)
    assert isinstance(rendered, Rendered)
    return await asyncio.to_thread(outside.send, rendered, "key-1", address, seconds)


async def test_a_webhook_gets_the_text_and_its_idempotency_key() -> None:
    async with hook() as receiver:
        assert await sent(Outside(receiver.url)) == Told(Sending.SENT)
    (request,) = receiver.requests
    assert request.key == "key-1"
    assert request.json["title"] == TEXT.subject
    assert request.json["message"].strip() == TEXT.body.strip()


async def test_headers_of_the_url_stay_beside_the_key() -> None:
    async with hook() as receiver:
        assert await sent(Outside(f"{receiver.url}?+X-Token={SECRET}")) == Told(Sending.SENT)
    assert receiver.requests[0].headers["x-token"] == SECRET
    assert receiver.keys == ["key-1"]


async def test_a_mail_goes_to_the_one_address_with_subject_text_and_key() -> None:
    async with post_office() as office:
        assert await sent(Outside(office.url), "ann@example.com") == Told(Sending.SENT)
    (mail,) = office.mails
    assert mail.recipients == ["ann@example.com"]
    assert mail.sender == "shop@example.com"
    assert mail.message["To"] == "ann@example.com"
    assert mail.message["Subject"] == TEXT.subject
    assert mail.message["X-Idempotency-Key"] == "key-1"
    assert mail.message.get_content_type() == "text/plain"
    assert mail.message.get_content().split() == TEXT.body.split()
    assert len(mail.message.get_all("Message-ID", [])) == 1


async def test_a_mail_with_html_has_both_forms() -> None:
    async with post_office() as office:
        rendered = Rendered("x", "plain", "<p>100.50 <b>USDT</b></p>")
        assert await sent(Outside(office.url), "ann@example.com", rendered=rendered)
    types = [part.get_content_type() for part in office.mails[0].message.walk()]
    assert types == ["multipart/alternative", "text/plain", "text/html"]


@pytest.mark.parametrize("address", ["o'brien@example.com", "a+b%41@sub.example.co"])
async def test_unusual_addresses_are_reached_as_they_are(address: str) -> None:
    async with post_office() as office:
        assert await sent(Outside(office.url), address) == Told(Sending.SENT)
    assert [mail.recipients for mail in office.mails] == [[address]]


@pytest.mark.parametrize(
    "address",
    [
        "a@example.com,b@example.com",
        "a@example.com b@example.com",
        "a@example.com\r\nBcc: b@example.com",
        "Ann <a@example.com>",
        "a@example.com?bcc=b@example.com",
        None,
    ],
)
async def test_nobody_is_written_where_the_address_is_not_one_mailbox(address: str | None) -> None:
    async with post_office() as office:
        told = await sent(Outside(office.url), address)
    assert told == Told(Sending.REFUSED, "the address is not one plain mailbox")
    assert office.mails == []


async def test_a_subject_cannot_become_a_header() -> None:
    async with post_office() as office:
        rendered = Rendered("Hello\r\nBcc: b@example.com", "x")
        assert await sent(Outside(office.url), "ann@example.com", rendered=rendered)
    assert "Bcc" not in office.mails[0].message
    assert office.mails[0].recipients == ["ann@example.com"]


async def test_a_channel_with_its_own_recipients_takes_them() -> None:
    async with post_office() as office:
        outside = Outside(office.url.replace("?", "/ops@example.com?"))
        assert not outside.addressed
        assert await sent(outside) == Told(Sending.SENT)
    assert [mail.recipients for mail in office.mails] == [["ops@example.com"]]


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (500, Sending.AGAIN),
        (503, Sending.AGAIN),
        (429, Sending.AGAIN),
        (401, Sending.AGAIN),
        (404, Sending.AGAIN),
        (302, Sending.AGAIN),
        (400, Sending.REFUSED),
        (410, Sending.REFUSED),
        (413, Sending.REFUSED),
        (422, Sending.REFUSED),
    ],
)
async def test_what_a_webhook_answers_decides_whether_it_is_asked_again(
    status: int, fate: Sending
) -> None:
    async with hook(status) as receiver:
        assert await sent(Outside(receiver.url)) == Told(fate, f"HTTP {status}")
    assert len(receiver.requests) == 1, "and a redirect is not followed"


async def test_a_webhook_that_hangs_is_given_up() -> None:
    async with hook(HANG) as receiver:
        told = await sent(Outside(receiver.url), seconds=0.3)
    assert told == Told(Sending.AGAIN, "no answer in time")


@pytest.mark.parametrize(
    ("answer", "fate"),
    [("550 no such mailbox", Sending.REFUSED), ("451 later", Sending.AGAIN)],
)
async def test_what_a_mail_server_says_of_a_recipient_decides(answer: str, fate: Sending) -> None:
    async with post_office(refuse=answer) as office:
        told = await sent(Outside(office.url), "ann@example.com")
    assert told == Told(fate, f"SMTP {answer[:3]}")


def closed_port() -> int:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.mark.parametrize(
    "url",
    [
        lambda port: f"json://user:{SECRET}@127.0.0.1:{port}/{SECRET}",
        lambda port: f"mailto://user:{SECRET}@127.0.0.1:{port}/ops@example.com?from=a@example.com",
    ],
)
async def test_a_receiver_that_is_not_there_is_tried_again_and_no_secret_is_said(
    url: Callable[[int], str], capfd: pytest.CaptureFixture[str]
) -> None:
    lines = io.StringIO()
    ours = logging.StreamHandler(lines)
    logging.getLogger().addHandler(ours)
    try:
        outside = Outside(url(closed_port()))
        told = await sent(outside)
    finally:
        logging.getLogger().removeHandler(ours)
    assert told == Told(Sending.AGAIN, "connection refused")
    said = repr(told) + repr(outside) + lines.getvalue() + "".join(capfd.readouterr())
    assert SECRET not in said
    assert "ops@example.com" not in said


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Socket Exception: (535, b'5.7.8 no')", "Connection error while submitting"], "SMTP 535"),
        (["Socket Exception: [Errno -2] Name or service not known"], "host not found"),
        (["certificate verify failed"], "no secure connection"),
        ([f"something about {SECRET}"], "not taken, for a reason Apprise does not say"),
        ([], "not taken, for a reason Apprise does not say"),
    ],
)
def test_reasons_are_said_in_words_of_our_own(lines: list[str], expected: str) -> None:
    assert explained(lines) == Told(Sending.AGAIN, expected)


@pytest.mark.parametrize(
    "url", ["", "nonsense", f"nope://{SECRET}", "json://", "mailto://", "json://a json://b"]
)
def test_what_leads_nowhere_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ChannelError) as refused:
        Outside(url)
    assert SECRET not in str(refused.value)
    assert "Apprise URL" in str(refused.value)


@pytest.mark.parametrize(
    ("url", "addressed"),
    [
        ("mailtos://user:pass@example.com", True),
        ("mailto://127.0.0.1?from=a@example.com", True),
        ("mailto://127.0.0.1/b@example.com?from=a@example.com", False),
        ("mailto://127.0.0.1?from=a@example.com&to=b@example.com", False),
        ("json://example.com", False),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops", False),
        ("tgram://123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc/12315544", False),
    ],
)
def test_only_mail_that_names_nobody_has_to_be_addressed(url: str, *, addressed: bool) -> None:
    assert Outside(url).addressed is addressed
