"""BlockATM deliveries for tests, signed here, independently of the code under test."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery
from router.providers import Key
from router.providers.blockatm import PROVIDER

KEY = Key(b"sck_QOoPSlHDSsgXYeNyTP2i0ug1HKLRjHw9Ug7mCc1Q0", "fp:sample")
"""The key printed on the vendor's signing page."""

TIME = "1743060268000"
"""The time printed on the vendor's pages."""

RECEIVED = datetime(2025, 3, 27, 7, 24, 29, tzinfo=UTC)

PAYMENT: Mapping[str, object] = {
    "custNo": "CustNo_7",
    "orderNo": "A-1",
    "id": 8210003616,
    "symbol": "USDT",
    "amount": "13.410037",
    "status": "SUCCESS",
    "txId": "0xab",
    "network": "Ethereum",
    "chainId": "1",
    "fromAddress": "0xcd",
    "cashierId": 199,
    "orderType": 1,
    "blockTime": 1693212861016,
}
PAYOUT: Mapping[str, object] = {
    "bizOrderNo": "B-1",
    "amount": "2000.00",
    "symbol": "USDC",
    "status": "SUCCESS",
    "toAddress": "0xef",
    "fee": "2",
    "gasAmount": "1.5",
}

_SAMPLES = Path(__file__).parents[2] / "samples" / "blockatm"


def sample(name: str) -> bytes:
    """Return a body of `tests/samples/blockatm`, byte for byte."""
    return (_SAMPLES / f"{name}.json").read_bytes()


def signature(message: bytes, secret: bytes = KEY.secret) -> str:
    """Sign with the standard library."""
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def delivery(body: bytes, *headers: tuple[str, str]) -> Delivery:
    """Make a delivery with exactly these headers."""
    target = "/webhooks/blockatm-main"
    return Delivery("blockatm-main", "shop-eu", "POST", target, headers, body, RECEIVED)


def signed(body: bytes, *events: str, message: bytes | None = None) -> Delivery:
    """Make a genuine delivery, signed over `message` or else over the raw body."""
    text = body if message is None else message
    headers = (
        ("blockatm-signature-v2", signature(text + b"&time=" + TIME.encode())),
        ("blockatm-request-time", TIME),
        *(("blockatm-event", event) for event in events),
    )
    return delivery(body, *headers)


def verified(received: Delivery) -> VerifiedDelivery:
    """Verify with the sample key."""
    return PROVIDER.verify(received, [KEY])


def normalized(received: Delivery) -> Event:
    """Verify and normalize, expecting one event."""
    (event,) = PROVIDER.normalize(verified(received))
    return event


def body_of(template: Mapping[str, object], **changes: object) -> bytes:
    """Write a body with some members changed; those changed to `...` are left out."""
    members = {name: value for name, value in {**template, **changes}.items() if value is not ...}
    return json.dumps(members).encode()


def payment(**changes: object) -> Event:
    """Normalize a payment with some members changed."""
    return normalized(signed(body_of(PAYMENT, **changes), "payment"))


def payout(**changes: object) -> Event:
    """Normalize a payout with some members changed."""
    return normalized(signed(body_of(PAYOUT, **changes), "payout"))
