"""BlockBee's signature: RSA PKCS#1 v1.5 with SHA-256 over a GET's URL or a POST's body."""

from collections.abc import Sequence

from router.delivery import Delivery, VerifiedDelivery
from router.errors import Reason, Unauthentic
from router.providers import EndpointContext, Key
from router.providers._signing import (
    Scheme,
    Signed,
    base64_signature,
    is_rsa_sha256,
    prove,
    signature_header,
)

SIGNATURE_HEADER = "x-ca-signature"
TYPE_HEADER = "content-type"
_SHORTEST = 64
"""Shortest signature, in bytes. A signature is as long as its key: BlockBee's has 128 bytes."""

_SIGNED = Signed(None, (SIGNATURE_HEADER, TYPE_HEADER))


def verify(delivery: Delivery, keys: Sequence[Key], context: EndpointContext) -> VerifiedDelivery:
    """Return the delivery as verified, or raise Unauthentic."""
    signature = base64_signature(signature_header(delivery, SIGNATURE_HEADER), _SHORTEST)
    scheme = _of_get(delivery, context) if delivery.method == "GET" else _of_post(delivery)
    return prove(delivery, [scheme], keys, is_rsa_sha256(signature), _SIGNED)


def signed_url(context: EndpointContext, target: str) -> bytes:
    """Return the bytes signed under GET: the whole URL as BlockBee called it."""
    return context.url(target).encode("latin-1")


def _of_get(delivery: Delivery, context: EndpointContext) -> Scheme:
    if delivery.body:
        raise Unauthentic(Reason.SIGNATURE_WRONG, "a body under GET, which is not signed")
    return Scheme("blockbee-get", lambda: signed_url(context, delivery.target))


def _of_post(delivery: Delivery) -> Scheme:
    # Anyone can have BlockBee sign a URL with any query, and such a URL would parse as a form.
    if delivery.body.startswith((b"http:", b"https:")):
        raise Unauthentic(Reason.SIGNATURE_WRONG, "the body is a URL, which is signed under GET")
    return Scheme("blockbee-post", lambda: delivery.body)
