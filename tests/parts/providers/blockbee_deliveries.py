"""BlockBee deliveries for tests, signed here, independently of the code under test."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery
from router.providers import EndpointContext, Key
from router.providers._signing import fingerprint
from router.providers.blockbee import PROVIDER, BlockBee
from router.providers.blockbee._options import BlockBeeOptions

VECTOR_KEY = """-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDDbFz0715Z9ayD82NtAMZzJOmL
w6S60/L0JrVZu0NosD+NZCV9tdR18MirfX7PfCAZoLHRs+GmdBbBQfClZIr69H53
No2YuCtFI7PD1ENVpDLYAh8v761MuJFCAm09TKx1ME2Jb56lZuL3E0SJHG10WX4e
sm+p8QN7JXAJlQqrawIDAQAB
-----END PUBLIC KEY-----
"""
"""The key of the vectors; its private key is not in this repository."""

TOKEN = "aVeryLong-URL_token-0123456789"
ORIGIN = "https://pay.example.com"
SECRETS = (Key(b"new-reference-secret", "fp:new"), Key(b"old-reference-secret", "fp:old"))
PLACE = EndpointContext("bee", ORIGIN, TOKEN, SECRETS)
TARGET = "/webhooks/bee/{token}"
RECEIVED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
FORM, JSON = "application/x-www-form-urlencoded", "application/json"

ADDRESS = "3PFoGK63cVVUWnd2vu7W1kM83NXUfvzMqM"
PENDING: Mapping[str, object] = {
    "uuid": "dbfcb40e-5a6b-4305-9fa2-b0fbda6e3ff2",
    "address_in": ADDRESS,
    "address_out": "1H6ZZpRmMnrw8ytepV3BYwMjYYnEkWDqVP",
    "txid_in": "a2174ffd",
    "coin": "btc",
    "price": 64000,
    "pending": 1,
}
CONFIRMED: Mapping[str, object] = {
    **PENDING,
    "pending": 0,
    "confirmations": 3,
    "value_coin": "0.05",
    "value_forwarded_coin": "0.0495",
    "fee_coin": "0.0005",
    "txid_out": "0xff",
}
CHECKOUT: Mapping[str, object] = {
    "payment_url": "https://pay.blockbee.io/payment/x",
    "payment_id": "PAY-1",
    "success_token": "tok",
    "value": 20000,
    "currency": "usd",
    "is_paid": 1,
    "status": "done",
    "paid_amount": "30.5",
    "paid_amount_fiat": "30.49",
    "received_amount": "30.2",
    "paid_coin": "trc20_usdt",
    "exchange_rate": "1",
    "txid": "0xaa",
    "address": ADDRESS,
    "type": "payment",
}
DEPOSIT: Mapping[str, object] = {
    "uuid": "afe11bea-768b-47ae-ba0f-907379fbe5ef",
    "txid": "0xa7",
    "address": ADDRESS,
    "currency": "usd",
    "paid_amount": "10",
    "received_amount": "9.9",
    "paid_coin": "polygon_usdc",
    "status": "done",
    "type": "deposit",
}
SUBSCRIPTION: Mapping[str, object] = {
    "action": "renew",
    "subscription_id": "SUB-1",
    "subscription_end_date_ts": 1735689600,
    "subscription_option_value": "9.99",
    "subscription_user_id": "user-7",
    "subscription_user_email": "payer@shop.example",
}
PAYOUT: Mapping[str, object] = {"id": "OUT-1", "status": "done"}


@cache
def private_key() -> rsa.RSAPrivateKey:
    """Make the key that BlockBee signs with in this run."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def private_pem() -> bytes:
    """Return that key in PEM."""
    return private_key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@cache
def public_pem() -> str:
    """Return its public key in PEM."""
    return (
        private_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def key() -> Key:
    """Return the key in the form used by `send`."""
    return Key(private_pem(), fingerprint(b"private"))


def bee(place: EndpointContext = PLACE, **options: Any) -> BlockBee:  # noqa: ANN401 - options as configured
    """Return the provider of an endpoint that trusts the key of this run."""
    return PROVIDER.configured(
        BlockBeeOptions.model_validate({"public_keys": public_pem(), **options}), place
    )


def sign(message: bytes) -> str:
    """Sign with the key of this run."""
    signature = private_key().sign(message, padding.PKCS1v15(), hashes.SHA256())
    return base64.b64encode(signature).decode()


def delivery(
    method: str, target: str, body: bytes, signature: str, media: str | None = None
) -> Delivery:
    """Make a delivery as the edge passes it on."""
    headers = [("x-ca-signature", signature)] + ([("content-type", media)] if media else [])
    return Delivery("bee", "shop-eu", method, target, tuple(headers), body, RECEIVED)


def got(members: Mapping[str, object], query: str = "") -> Delivery:
    """Make a genuine GET; `query` is that of the merchant's URL."""
    target = f"{TARGET}?{query}{'&' if query else ''}{urlencode(members)}"
    url = ORIGIN + target.replace("{token}", TOKEN, 1)
    return delivery("GET", target, b"", sign(url.encode("latin-1")))


def posted(members: Mapping[str, object], query: str = "", media: str = FORM) -> Delivery:
    """Make a genuine POST, as a form or as JSON."""
    body = urlencode(members) if media.startswith(FORM) else json.dumps(members)
    return posted_bytes(body.encode(), query, media)


def posted_bytes(body: bytes, query: str = "", media: str = FORM) -> Delivery:
    """Make a genuine POST of these bytes."""
    target = TARGET + ("?" + query if query else "")
    return delivery("POST", target, body, sign(body), media)


def verified(received: Delivery, provider: BlockBee | None = None) -> VerifiedDelivery:
    """Verify with the endpoint of the tests."""
    return (provider or bee()).verify(received, SECRETS)


def event_of(received: Delivery, provider: BlockBee | None = None) -> Event:
    """Verify and normalize, expecting one event."""
    chosen = provider or bee()
    (event,) = chosen.normalize(verified(received, chosen))
    return event


def changed(members: Mapping[str, object], **changes: object) -> dict[str, object]:
    """Change some members; those changed to `...` are left out."""
    return {name: value for name, value in {**members, **changes}.items() if value is not ...}
