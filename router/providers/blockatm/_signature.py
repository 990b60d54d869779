"""Signatures of version 2, HMAC-SHA256 with the webhook key, and of version 1.

Version 2 has two forms. The newest page (BlockATM docs,
webhooks/verification.md) signs the body as sent; the signing page
(BlockATM_V2, overview/signing.md) and the sign-demo sign its members in sorted
order. No test vector of either is published, so both are tried and the event
records which one matched. Version 1: ECDSA with the platform's key over the
sorted form (sign-demo; readme.io, signature).
"""

from collections.abc import Sequence
from functools import partial

from router.delivery import Delivery, VerifiedDelivery
from router.providers import Key
from router.providers._signing import (
    Scheme,
    Signed,
    base64_signature,
    hex_signature,
    hmac_sha256,
    is_ecdsa_sha256,
    is_hmac_sha256,
    prove,
    signature_header,
    signed_unix_ms,
    time_header,
)
from router.providers.blockatm._sorted_form import V1_LARGEST, V2_LARGEST, sorted_form

V1 = "blockatm-v1"
RAW = "blockatm-v2-raw"
SORTED = "blockatm-v2-sorted"

SIGNATURE_HEADER = "blockatm-signature-v2"
V1_SIGNATURE_HEADER = "blockatm-signature-v1"
TIME_HEADER = "blockatm-request-time"
EVENT_HEADER = "blockatm-event"
_KEPT = (SIGNATURE_HEADER, TIME_HEADER, EVENT_HEADER)
_V1_KEPT = (V1_SIGNATURE_HEADER, TIME_HEADER, EVENT_HEADER)


def verify(
    delivery: Delivery, keys: Sequence[Key], v1_keys: Sequence[Key] = ()
) -> VerifiedDelivery:
    """Return the delivery as verified, or raise Unauthentic.

    If it has signatures of both versions, that of version 2 decides.
    """
    if v1_keys and delivery.header(V1_SIGNATURE_HEADER) and not delivery.header(SIGNATURE_HEADER):
        return _verify_v1(delivery, v1_keys)
    signature = hex_signature(signature_header(delivery, SIGNATURE_HEADER))
    time = time_header(delivery, TIME_HEADER)
    signed = Signed(signed_unix_ms(time), _KEPT)
    schemes = (
        Scheme(RAW, partial(_raw_message, delivery.body, time)),
        Scheme(SORTED, partial(_sorted_message, delivery.body, time, V2_LARGEST)),
    )
    return prove(delivery, schemes, keys, is_hmac_sha256(signature), signed)


def _verify_v1(delivery: Delivery, keys: Sequence[Key]) -> VerifiedDelivery:
    signature = base64_signature(signature_header(delivery, V1_SIGNATURE_HEADER))
    time = time_header(delivery, TIME_HEADER)
    signed = Signed(signed_unix_ms(time), _V1_KEPT)
    schemes = (Scheme(V1, partial(_sorted_message, delivery.body, time, V1_LARGEST)),)
    return prove(delivery, schemes, keys, is_ecdsa_sha256(signature), signed)


def sign(secret: bytes, body: bytes, time: str) -> str:
    """Return the signature over the body as sent, in hex."""
    return hmac_sha256(secret, _raw_message(body, time)).hex()


def _raw_message(body: bytes, time: str) -> bytes:
    return body + b"&time=" + time.encode()


def _sorted_message(body: bytes, time: str, largest: int) -> bytes | None:
    text = sorted_form(body, largest)
    if text is None:
        return None
    return (f"{text}&time={time}" if text else f"time={time}").encode()
