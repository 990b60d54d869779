"""Refusals that get a sample; no sample contains a secret or exceeds its size."""

import base64
import hashlib
import json
from collections.abc import Callable
from urllib.parse import quote

import jsonschema
import pytest

from router.contract.wire import (
    UndecodableRecord,
    UnknownMajorVersion,
    decode_refused,
    encode_refused,
)
from router.delivery import Delivery
from router.edge.refused.masking import MASK
from router.edge.refused.sample import (
    Attempt,
    is_sampled,
    missing_of,
    sample_of,
    sampled_delivery,
)
from router.errors import NotDurable, OutsideWindow, Reason, RefusedDelivery, Unauthentic, Unwelcome
from router.schemas import schemas
from tests.parts.providers.blockatm_deliveries import PAYMENT, RECEIVED, body_of, signed, verified

_WRONG = Unauthentic(Reason.SIGNATURE_WRONG, "none of 1 keys made this signature")
_SECRET = b"whsec_c2VjcmV0/c2VjcmV0+c2VjcmV0"
_TOKEN = b"aVeryLong-URL_token-0123456789"
_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _delivery(
    body: bytes = b"{}",
    target: str = "/webhooks/shop/{token}",
    headers: tuple[tuple[str, str], ...] = (),
) -> Delivery:
    return Delivery("shop", "shop-eu", "POST", target, headers, body, RECEIVED)


def _attempt(delivery: Delivery, *, body_read: bool = True) -> Attempt:
    secrets = [_SECRET, _TOKEN]
    return Attempt(delivery, "blockatm", "203.0.113.7", secrets, body_read=body_read)


@pytest.mark.parametrize(
    ("problem", "sampled"),
    [
        (_WRONG, True),
        (Unauthentic(Reason.SIGNATURE_MISSING), True),
        (Unauthentic(Reason.NOT_OURS), True),
        (Unwelcome(Reason.ADDRESS, 403), True),
        (Unwelcome(Reason.BODY_TOO_LARGE, 413), False),
        (Unwelcome(Reason.BODY_TOO_SLOW, 408), False),
        (Unwelcome(Reason.BODY_INCOMPLETE, 400), False),
        (Unwelcome(Reason.METHOD, 405), False),
        (Unwelcome(Reason.HEADERS_TOO_LARGE, 431), False),
        (NotDurable(Reason.NOT_DURABLE), False),
    ],
)
def test_unverified_and_excluded_deliveries_are_sampled(
    problem: RefusedDelivery, *, sampled: bool
) -> None:
    assert is_sampled(problem) is sampled


def test_a_stale_delivery_is_not_sampled_since_quarantine_has_it() -> None:
    stale = OutsideWindow(Reason.STALE, "too old", verified(signed(body_of(PAYMENT), "payment")))

    assert not is_sampled(stale)


def test_a_sample_names_what_was_refused_and_keeps_every_header_in_order() -> None:
    headers = (("b", "1"), ("a", "2"), ("b", "3"))
    sample = sample_of(_WRONG, _attempt(_delivery(b'{"a":1}', headers=headers)), 1024)

    assert (sample.reason, sample.detail) == ("signature_wrong", _WRONG.detail)
    assert (sample.provider, sample.endpoint, sample.account) == ("blockatm", "shop", "shop-eu")
    assert (sample.source, sample.received_at) == ("203.0.113.7", RECEIVED)
    assert sample.raw.headers == headers
    assert (sample.body_bytes, sample.truncated, sample.masked) == (7, False, False)
    assert sample.body_sha256 == hashlib.sha256(b'{"a":1}').hexdigest()
    assert missing_of(sample) is None
    assert sampled_delivery(sample) == _delivery(b'{"a":1}', headers=headers)


@pytest.mark.parametrize("secret", [_SECRET, _TOKEN, _SECRET.removeprefix(b"whsec_")])
@pytest.mark.parametrize(
    "spelled",
    [
        lambda secret: secret,
        lambda secret: secret.replace(b"/", b"\\/"),
        lambda secret: quote(secret, safe="").encode(),
        lambda secret: quote(secret, safe="").lower().encode(),
        bytes.lower,
        bytes.upper,
        lambda secret: secret.hex().encode(),
        lambda secret: secret.hex().upper().encode(),
        base64.b64encode,
        base64.urlsafe_b64encode,
    ],
)
@pytest.mark.parametrize("place", ["body", "target", "header", "header name"])
def test_no_spelling_of_a_secret_or_token_is_in_a_sample(
    secret: bytes,
    spelled: object,
    place: str,
) -> None:
    assert callable(spelled)
    text: bytes = spelled(secret)
    inner = text.decode("latin-1")
    delivery = {
        "body": _delivery(b'{"key":"' + text + b'"}'),
        "target": _delivery(target=f"/webhooks/shop/{{token}}?key={inner}"),
        "header": _delivery(headers=(("x-key", f"key {inner}"),)),
        "header name": _delivery(headers=((inner, "1"),)),
    }[place]

    sample = sample_of(_WRONG, _attempt(delivery), 1024)
    value = encode_refused(sample, "refused", _TRACE).value

    assert text not in value
    assert json.dumps(inner)[1:-1].encode() not in value
    assert MASK.encode() in value
    assert sample.masked
    assert missing_of(sample) == "a secret or token in it was masked"


@pytest.mark.parametrize("before", ["", "a", "ab", "user:"])
@pytest.mark.parametrize("after", ["", "x", "xy"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("secret", [_SECRET, _TOKEN])
def test_a_secret_within_base64_is_masked_at_every_offset(
    before: str, after: str, encode: Callable[[bytes], bytes], secret: bytes
) -> None:
    written = encode(before.encode() + secret + after.encode())
    sample = sample_of(_WRONG, _attempt(_delivery(b'"' + written + b'"')), 1024)

    left = sample.raw.body.strip('"').replace(MASK, "").rstrip("=")
    assert sample.masked
    # A character at either end may hold bits of the secret and of a neighbour or padding.
    assert 6 * len(left) < 8 * len(before + after) + 4 * 6


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-forwarded-authorization",
        "x-api-key",
        "x-auth-token",
        "x-session-id",
        "x-passwd",
    ],
)
def test_the_value_of_a_header_with_credentials_is_masked(name: str) -> None:
    headers = ((name, "Basic aHVudGVyMg=="), ("blockatm-signature-v2", "ab" * 32))
    sample = sample_of(_WRONG, _attempt(_delivery(headers=headers)), 1024)

    assert sample.raw.headers == ((name, MASK), headers[1])
    # Cookies are not needed to verify a signature.
    assert missing_of(sample) is None


def test_secret_at_the_cut_is_not_stored_in_part() -> None:
    body = b"x" * 10 + _TOKEN
    for limit in range(10, len(body)):
        kept = sampled_delivery(sample_of(_WRONG, _attempt(_delivery(body)), limit)).body
        assert kept in b"x" * 10 + MASK.encode()


def test_a_long_body_is_cut_and_its_length_and_digest_are_those_of_the_whole() -> None:
    body = b"a" * 5000
    sample = sample_of(_WRONG, _attempt(_delivery(body)), 1024)

    assert sample.raw.body == "a" * 1024
    assert (sample.truncated, sample.body_bytes) == (True, 5000)
    assert sample.body_sha256 == hashlib.sha256(body).hexdigest()
    assert missing_of(sample) == "only the first 1024 of 5000 bytes of its body were stored"


@pytest.mark.parametrize("limit", range(12))
def test_a_body_is_cut_between_two_characters(limit: int) -> None:
    body = "a€\U0001f4b6€".encode()
    sample = sample_of(_WRONG, _attempt(_delivery(body)), limit)

    assert sample.raw.body_encoding == "utf-8"
    assert body.startswith(sample.raw.body.encode())
    assert limit - len(sample.raw.body.encode()) < 4


def test_binary_bytes_are_stored_unchanged() -> None:
    body = b"\xff\xfe\x00garbage\x1b[2J"
    sample = sample_of(_WRONG, _attempt(_delivery(body)), 1024)

    assert sample.raw.body_encoding == "base64"
    assert sampled_delivery(sample).body == body


def test_a_body_that_was_not_read_has_neither_length_nor_digest() -> None:
    problem = Unwelcome(Reason.ADDRESS, 403, "203.0.113.7 is not in allow_from")
    sample = sample_of(problem, _attempt(_delivery(b""), body_read=False), 1024)

    assert (sample.raw.body, sample.body_bytes, sample.body_sha256) == ("", None, None)
    assert missing_of(sample) == "the delivery was refused before its body was read"


def test_a_record_reads_back_and_fits_the_published_schema() -> None:
    sample = sample_of(_WRONG, _attempt(_delivery(b"\xff", headers=(("a", "b"),))), 1024)
    record = encode_refused(sample, "eu.refused", _TRACE)
    headers = dict(record.headers)

    assert (record.topic, record.key) == ("eu.refused", b"shop")
    assert headers["ce_type"] == b"refused.signature_wrong"
    assert headers["ce_dataschema"] == b"urn:payrouter:schema:refused:1.0"
    assert headers["ce_source"] == b"/payrouter/blockatm/shop-eu"
    assert headers["ce_id"] == str(sample.id).encode()
    assert decode_refused(record.value, record.headers) == sample
    jsonschema.validate(json.loads(record.value), json.loads(schemas()["refused.v1.json"]))


def test_other_record_is_not_read_as_a_sample() -> None:
    later = [("ce_dataschema", b"urn:payrouter:schema:refused:2.0")]

    with pytest.raises(UndecodableRecord):
        decode_refused(b"{}", [])
    with pytest.raises(UndecodableRecord):
        decode_refused(None, [])
    with pytest.raises(UnknownMajorVersion):
        decode_refused(b"{}", later)


@pytest.mark.parametrize(
    "spoilt", [{"body": "a", "body_encoding": "base64"}, {"target": "/webhooks/\u20ac"}]
)
def test_a_record_whose_bytes_cannot_be_restored_is_not_read(spoilt: dict[str, str]) -> None:
    record = encode_refused(sample_of(_WRONG, _attempt(_delivery()), 1), "refused", _TRACE)
    members = json.loads(record.value)
    members["raw"] |= spoilt

    with pytest.raises(UndecodableRecord, match="raw"):
        decode_refused(json.dumps(members).encode(), record.headers)


def test_two_refusals_of_the_same_bytes_are_two_samples() -> None:
    attempt = _attempt(_delivery())

    assert sample_of(_WRONG, attempt, 1).id != sample_of(_WRONG, attempt, 1).id
