"""Apprise channels on real sockets: received mails and webhooks, and the reasons of failures."""

import asyncio
import io
import logging
from collections.abc import Callable
from socket import socket

import pytest

from consumers.notifications.sending.apprise_channel import (
    AppriseChannel,
    ChannelError,
    SendResult,
    SendStatus,
    explain_failure,
)
from consumers.notifications.sending.rendering import Rendered
from tests.parts.notifications.receivers import HANG, hook, post_office

SECRET = "hunter2hunter2"
TEXT = Rendered("Über 5 € <b>", "Guten Tag,\n\n100.50 USDT <b>& mehr\n")


async def sent(outside: AppriseChannel, address: str | None = None, **more: object) -> SendResult:
    """Send in a thread, like the dispatcher."""
    seconds = float(str(more.get("seconds", 5)))
    rendered = more.get("rendered", TEXT)
    assert isinstance(rendered, Rendered)
    return await asyncio.to_thread(outside.send, rendered, "key-1", address, seconds)


async def test_a_webhook_gets_the_text_and_its_idempotency_key() -> None:
    async with hook() as receiver:
        assert await sent(AppriseChannel(receiver.url)) == SendResult(SendStatus.SENT)
    (request,) = receiver.requests
    assert request.key == "key-1"
    assert request.json["title"] == TEXT.subject
    assert request.json["message"].strip() == TEXT.body.strip()


async def test_headers_of_the_url_are_sent_with_the_key() -> None:
    async with hook() as receiver:
        assert await sent(AppriseChannel(f"{receiver.url}?+X-Token={SECRET}")) == SendResult(
            SendStatus.SENT
        )
    assert receiver.requests[0].headers["x-token"] == SECRET
    assert receiver.keys == ["key-1"]


async def test_a_mail_goes_to_the_one_address_with_subject_text_and_key() -> None:
    async with post_office() as office:
        assert await sent(AppriseChannel(office.url), "ann@example.com") == SendResult(
            SendStatus.SENT
        )
    (mail,) = office.mails
    assert mail.recipients == ["ann@example.com"]
    assert mail.sender == "shop@example.com"
    assert mail.message["To"] == "ann@example.com"
    assert mail.message["Subject"] == TEXT.subject
    assert mail.message["X-Idempotency-Key"] == "key-1"
    assert mail.message.get_content_type() == "text/plain"
    assert mail.message.get_content().split() == TEXT.body.split()
    assert len(mail.message.get_all("Message-ID", [])) == 1


async def test_a_mail_with_html_also_has_plain_text() -> None:
    async with post_office() as office:
        rendered = Rendered("x", "plain", "<p>100.50 <b>USDT</b></p>")
        assert await sent(AppriseChannel(office.url), "ann@example.com", rendered=rendered)
    types = [part.get_content_type() for part in office.mails[0].message.walk()]
    assert types == ["multipart/alternative", "text/plain", "text/html"]


@pytest.mark.parametrize("address", ["o'brien@example.com", "a+b%41@sub.example.co"])
async def test_unusual_addresses_are_used_unchanged(address: str) -> None:
    async with post_office() as office:
        assert await sent(AppriseChannel(office.url), address) == SendResult(SendStatus.SENT)
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
async def test_no_mail_is_sent_if_the_address_is_not_one_mailbox(address: str | None) -> None:
    async with post_office() as office:
        told = await sent(AppriseChannel(office.url), address)
    assert told == SendResult(SendStatus.REFUSED, "the address is not a single plain mailbox")
    assert office.mails == []


async def test_a_subject_cannot_become_a_header() -> None:
    async with post_office() as office:
        rendered = Rendered("Hello\r\nBcc: b@example.com", "x")
        assert await sent(AppriseChannel(office.url), "ann@example.com", rendered=rendered)
    assert "Bcc" not in office.mails[0].message
    assert office.mails[0].recipients == ["ann@example.com"]


async def test_a_channel_with_recipients_uses_them() -> None:
    async with post_office() as office:
        outside = AppriseChannel(office.url.replace("?", "/ops@example.com?"))
        assert not outside.addressed
        assert await sent(outside) == SendResult(SendStatus.SENT)
    assert [mail.recipients for mail in office.mails] == [["ops@example.com"]]


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (500, SendStatus.RETRY),
        (503, SendStatus.RETRY),
        (429, SendStatus.RETRY),
        (401, SendStatus.RETRY),
        (404, SendStatus.RETRY),
        (302, SendStatus.RETRY),
        (400, SendStatus.REFUSED),
        (410, SendStatus.REFUSED),
        (413, SendStatus.REFUSED),
        (422, SendStatus.REFUSED),
    ],
)
async def test_a_webhooks_status_decides_whether_to_retry(status: int, fate: SendStatus) -> None:
    async with hook(status) as receiver:
        assert await sent(AppriseChannel(receiver.url)) == SendResult(fate, f"HTTP {status}")
    assert len(receiver.requests) == 1, "and a redirect is not followed"


async def test_a_hanging_webhook_times_out() -> None:
    async with hook(HANG) as receiver:
        told = await sent(AppriseChannel(receiver.url), seconds=0.3)
    assert told == SendResult(SendStatus.RETRY, "no answer in time")


@pytest.mark.parametrize(
    ("answer", "fate"),
    [("550 no such mailbox", SendStatus.REFUSED), ("451 later", SendStatus.RETRY)],
)
async def test_a_mail_servers_answer_decides_whether_to_retry(
    answer: str, fate: SendStatus
) -> None:
    async with post_office(refuse=answer) as office:
        told = await sent(AppriseChannel(office.url), "ann@example.com")
    assert told == SendResult(fate, f"SMTP {answer[:3]}")


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
async def test_an_unreachable_receiver_is_retried_and_no_secret_is_shown(
    url: Callable[[int], str], capfd: pytest.CaptureFixture[str]
) -> None:
    lines = io.StringIO()
    ours = logging.StreamHandler(lines)
    logging.getLogger().addHandler(ours)
    try:
        outside = AppriseChannel(url(closed_port()))
        told = await sent(outside)
    finally:
        logging.getLogger().removeHandler(ours)
    assert told == SendResult(SendStatus.RETRY, "connection refused")
    said = repr(told) + repr(outside) + lines.getvalue() + "".join(capfd.readouterr())
    assert SECRET not in said
    assert "ops@example.com" not in said


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Socket Exception: (535, b'5.7.8 no')", "Connection error while submitting"], "SMTP 535"),
        (["Socket Exception: [Errno -2] Name or service not known"], "host not found"),
        (["certificate verify failed"], "secure connection failed"),
        ([f"something about {SECRET}"], "not delivered; Apprise gives no known reason"),
        ([], "not delivered; Apprise gives no known reason"),
    ],
)
def test_reasons_are_our_own_texts(lines: list[str], expected: str) -> None:
    assert explain_failure(lines) == SendResult(SendStatus.RETRY, expected)


@pytest.mark.parametrize(
    "url", ["", "nonsense", f"nope://{SECRET}", "json://", "mailto://", "json://a json://b"]
)
def test_an_unusable_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ChannelError) as refused:
        AppriseChannel(url)
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
def test_only_a_mail_url_without_recipient_needs_an_address(url: str, *, addressed: bool) -> None:
    assert AppriseChannel(url).addressed is addressed
