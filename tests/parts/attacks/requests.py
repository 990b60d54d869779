"""Requests as bytes: genuine deliveries signed in advance, and forged ones."""

from collections.abc import Iterator
from datetime import UTC, datetime

from tests.parts.edge.blockatm_requests import Webhook, given, webhook
from tests.parts.edge.raw_http import HeaderLine, head, request
from tests.parts.providers.blockatm_deliveries import PAYMENT, body_of

TARGET = "/webhooks/shop"

_LARGEST_BODY_BYTES = 256 * 1024


def genuine(count: int, first: int = 1) -> list[bytes]:
    """Sign deliveries of as many distinct payments."""
    return [
        _whole(webhook(body_of(PAYMENT, id=number, orderNo=f"A-{number}"), time=_now()))
        for number in range(first, first + count)
    ]


def forged(body: bytes | None = None) -> bytes:
    """Write a delivery whose signature has the right form and is wrong."""
    return _whole(_forged(body_of(PAYMENT) if body is None else body))


def forged_head(*headers: HeaderLine, target: str = TARGET, method: str = "POST") -> bytes:
    """Write the head of a forged delivery; the headers state how its body is sent."""
    return head(target, [*_forged(b"{}").headers, *headers], method)


def many_keys(size: int = _LARGEST_BODY_BYTES) -> bytes:
    """Write valid JSON of this size with as many keys as fit, in the worst order."""
    numbers = range(size // 11 - 1, 0, -1)
    members = ",".join(f'"{number:06x}":0' for number in numbers)
    return ("{" + members + "}").ljust(size).encode()


def trailers(size: int) -> Iterator[bytes]:
    """Yield trailer lines of this many bytes in all, in pieces of 64 KiB."""
    line = b"X-Filler: " + b"a" * 1012 + b"\r\n"
    piece = line * 64
    for _ in range(size // len(piece) + 1):
        yield piece


def _whole(sent: Webhook) -> bytes:
    return request(TARGET, sent.headers, sent.body)


def _forged(body: bytes) -> Webhook:
    return given(body, "0" * 64, time=_now())


def _now() -> str:
    return str(int(datetime.now(UTC).timestamp() * 1000))
