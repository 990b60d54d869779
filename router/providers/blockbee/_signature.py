"""Is it BlockBee's? RSA PKCS#1 v1.5 with SHA-256, over the URL of a GET or the body of a POST."""

from collections.abc import Sequence

from router.delivery import Delivery, VerifiedDelivery
from router.errors import Reason, Unauthentic
from router.providers import Key, Place
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
"""A signature is as long as its key; BlockBee's has 128 bytes."""

_SIGNED = Signed(None, (SIGNATURE_HEADER, TYPE_HEADER))


def verify(delivery: Delivery, keys: Sequence[Key], place: Place) -> VerifiedDelivery:
    """Return the delivery as verified, or raise Unauthentic."""
    signature = base64_signature(signature_header(delivery, SIGNATURE_HEADER), _SHORTEST)
    scheme = _of_get(delivery, place) if delivery.method == "GET" else _of_post(delivery)
    return prove(delivery, [scheme], keys, is_rsa_sha256(signature), _SIGNED)


def signed_url(place: Place, target: str) -> bytes:
    """Return what is signed under GET: the whole URL as BlockBee called it."""
    return place.url(target).encode("latin-1")


def _of_get(delivery: Delivery, place: Place) -> Scheme:
    if delivery.body:
        raise Unauthentic(Reason.SIGNATURE_WRONG, "a body under GET, which nothing signs")
    return Scheme("blockbee-get", lambda: signed_url(place, delivery.target))


def _of_post(delivery: Delivery) -> Scheme:
    # Anybody can have BlockBee sign a URL with a query of their own: as a form it would parse.
    if delivery.body.startswith((b"http:", b"https:")):
        raise Unauthentic(Reason.SIGNATURE_WRONG, "the body is a URL, which is signed under GET")
    return Scheme("blockbee-post", lambda: delivery.body)
