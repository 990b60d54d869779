"""Verification of BlockBee deliveries."""

import hashlib
from dataclasses import replace

import pytest

from router.delivery import Delivery
from router.errors import ConfigurationError, NotUnderstood, Reason, Unauthentic
from router.providers import EndpointContext
from router.providers._signing import public_key
from router.providers.blockbee import PROVIDER, BlockBee
from router.providers.blockbee._options import PUBLISHED_KEY, BlockBeeOptions
from tests.parts.providers.blockbee_deliveries import (
    CONFIRMED,
    FORM,
    JSON,
    PLACE,
    TARGET,
    VECTOR_KEY,
    bee,
    delivery,
    got,
    posted,
    posted_bytes,
    public_pem,
    sign,
    verified,
)

# BlockBee publishes no test vector: made with another program.
_MEMBERS = (
    "uuid=dbfcb40e-5a6b-4305-9fa2-b0fbda6e3ff2&address_in=3PFoGK63cVVUWnd2vu7W1kM83NXUfvzMqM"
    "&txid_in=a2174ffd39289100709f2a07b129cdbba69df2e22e5be1830221dab1fd4e332c"
    "&value_coin=0.05&confirmations=3&pending=0"
)
_JSON_BODY = (
    b'{"uuid": "dbfcb40e-5a6b-4305-9fa2-b0fbda6e3ff2", "pending": 1, "coin": "btc", "price": 64000}'
)
_FORM_SIGNATURE = (
    "gyd8c/JIYtPNYHBlb3oL1SG5qabNow7G7f3OVxSnrIqanLUMnDxkQ+GP54F2uT/eAyAWQh+F5yFOZ2i1GqBEx8cI"
    "lWLcYC4Zd8Udb5PbnazCwJ5PO8MNpT4sQ65iIbvJlgOhDW2F4oJKmkCz4YWu7Y/7IZOtqzKDJbDk0oyvMv8="
)
_JSON_SIGNATURE = (
    "pybnNRk01DvKF1SNjVg04w8GKcc6BNeVzXx/jS86z0yITGbKohWrMcX70rIOHJBp+5pGCOKvTiwrXyJke3cmkn4r"
    "n0fEZRXclSBvuzNJ/o6dAFsvBgvxfJSTbzcPrrCdcmXg9l7wf46MyxSO2OsnnoNGfCwF0JD+UMBNWlHSTek="
)
_GET_SIGNATURE = (
    "O9a1FCaYKqdX+rQq2VLSqOXyLqyoKud3S/qBYvAL1OgtMtenTFn0HDPsZonmfFnXp7Qu6Yt8V5QONpstYmMgy4Bm"
    "T91MRgwdimBXqJQq3Yb7rbBqMsSXBSVOcw/lhhErzKNX67obzs/3gqbi9o+HMxT9ifYEr/FR9EmufkTEdh8="
)
_GET_TARGET = f"/webhook?order_id=12345&{_MEMBERS}"

_POST_FORM = delivery("POST", TARGET, _MEMBERS.encode(), _FORM_SIGNATURE, FORM)
_POST_JSON = delivery("POST", TARGET, _JSON_BODY, _JSON_SIGNATURE, JSON)
_GET = delivery("GET", _GET_TARGET, b"", _GET_SIGNATURE)


def _vector_bee() -> BlockBee:
    place = replace(PLACE, public_url="https://yoursite.com")
    return bee(place, public_keys=[public_pem(), VECTOR_KEY])


@pytest.mark.parametrize(
    ("received", "scheme"),
    [(_POST_FORM, "blockbee-post"), (_POST_JSON, "blockbee-post"), (_GET, "blockbee-get")],
)
def test_known_signature_verifies_and_records_scheme_and_key(
    received: Delivery, scheme: str
) -> None:
    proved = verified(received, _vector_bee())

    assert proved.verification.scheme == scheme
    assert proved.verification.key == public_key(VECTOR_KEY, "RSA").fingerprint
    assert proved.signed_at is None


@pytest.mark.parametrize("received", [_POST_FORM, _GET])
def test_known_messages_without_a_coin_go_to_quarantine(received: Delivery) -> None:
    provider = _vector_bee()

    with pytest.raises(NotUnderstood, match="field_missing: coin"):
        provider.normalize(verified(received, provider))


@pytest.mark.parametrize(
    "spoilt",
    [
        replace(_GET, headers=_POST_FORM.headers),
        replace(_POST_FORM, headers=_GET.headers),
        replace(_POST_FORM, body=_POST_FORM.body.replace(b"pending=0", b"pending=1")),
        replace(_GET, target=_GET_TARGET.replace("12345", "12346")),
        replace(_GET, target=_GET_TARGET.replace("=0.05", "=%30.05")),
        replace(_GET, target=_GET_TARGET + "&"),
        replace(_GET, body=b"x"),
    ],
)
def test_a_known_signature_is_wrong_over_anything_else(spoilt: Delivery) -> None:
    with pytest.raises(Unauthentic, match=Reason.SIGNATURE_WRONG):
        verified(spoilt, _vector_bee())


def test_the_published_key_is_the_default_and_has_the_published_digest() -> None:
    provider = PROVIDER.configured(BlockBeeOptions(), PLACE)

    (key,) = provider.public_keys
    assert key == public_key(PUBLISHED_KEY, "RSA")
    assert hashlib.sha256(key.secret).hexdigest() == (
        "694229344e0b037a25f6f16f032c8808609b18f92739d34c691269ec994e737c"
    )


def test_endpoint_with_the_default_key_refuses_signatures_of_the_tests() -> None:
    with pytest.raises(Unauthentic, match=Reason.SIGNATURE_WRONG):
        verified(posted(CONFIRMED), PROVIDER.configured(BlockBeeOptions(), PLACE))


@pytest.mark.parametrize(
    "place",
    [
        replace(PLACE, public_url="https://pay.example.com:8443"),
        replace(PLACE, public_url="http://pay.example.com"),
        replace(PLACE, token="anotherLong-URL_token-012345"),
    ],
)
def test_signature_of_a_get_is_valid_for_one_url_only(place: EndpointContext) -> None:
    with pytest.raises(Unauthentic, match=Reason.SIGNATURE_WRONG):
        verified(got(CONFIRMED), bee(place))


def test_url_is_verified_exactly_as_sent() -> None:
    received = got(CONFIRMED, "order_id=A%201&x=a+b&y=%7e&y=~&=&z")

    assert verified(received).verification.scheme == "blockbee-get"


def test_braced_word_in_the_query_is_not_replaced_by_the_token() -> None:
    assert verified(got(CONFIRMED, "x={token}")).verification.scheme == "blockbee-get"


def test_signed_url_is_not_accepted_as_a_body() -> None:
    url = "https://stranger.example/?a=1&payment_id=1&is_paid=1&status=done&paid_amount=9&x=btc"

    for media in (FORM, JSON):
        with pytest.raises(Unauthentic, match="the body is a URL"):
            verified(posted_bytes(url.encode(), media=media))


_GENUINE = posted(CONFIRMED)
_SIGNATURE = _GENUINE.header("x-ca-signature")[0]


def _with(*signatures: str) -> Delivery:
    headers = tuple(("x-ca-signature", signature) for signature in signatures)
    return replace(_GENUINE, headers=(*headers, ("content-type", FORM)))


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (_with(), Reason.SIGNATURE_MISSING),
        (_with(_SIGNATURE, _SIGNATURE), Reason.SIGNATURE_DUPLICATED),
        (_with(""), Reason.SIGNATURE_MALFORMED),
        (_with(_SIGNATURE + "="), Reason.SIGNATURE_MALFORMED),
        (_with(" " + _SIGNATURE), Reason.SIGNATURE_MALFORMED),
        (_with(_SIGNATURE[:-4]), Reason.SIGNATURE_WRONG),
        (_with("AAAA"), Reason.SIGNATURE_MALFORMED),
        (_with("AAAA" * 300), Reason.SIGNATURE_WRONG),
        (_with(sign(b"another")), Reason.SIGNATURE_WRONG),
        (replace(_GENUINE, body=b""), Reason.SIGNATURE_WRONG),
        (replace(_GENUINE, body=_GENUINE.body + b"\n"), Reason.SIGNATURE_WRONG),
    ],
)
def test_unverifiable_delivery_is_refused_with_its_own_reason(
    spoilt: Delivery, reason: Reason
) -> None:
    with pytest.raises(Unauthentic) as refused:
        verified(spoilt)

    assert refused.value.reason is reason


def test_everything_but_the_token_is_stored_to_verify_again() -> None:
    raw = verified(got(CONFIRMED, "order_id=A-1")).raw()

    assert raw.target.startswith("/webhooks/bee/{token}?order_id=A-1&uuid=")
    assert set(verified(posted(CONFIRMED)).raw().headers) == {"x-ca-signature", "content-type"}


@pytest.mark.parametrize(
    ("place", "options", "line"),
    [
        (replace(PLACE, token=None), {}, "token: required, since BlockBee signs for every"),
        (replace(PLACE, public_url=None), {}, "public_url: required here or under [edge]"),
        (PLACE, {"public_keys": "nonsense"}, "public_keys: expected a public key, RSA, as PEM"),
        (
            PLACE,
            {
                "public_keys": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsjqDDEF5uuVoAFCxftskpMszLQMr"
                "o888rFlrowcTzVibc4J2PgDywFZYXc6x21yHcenJ2bCZ/03XkMrbKqqEwA=="
            },
            "public_keys: expected a public key, RSA, as PEM",
        ),
    ],
)
def test_endpoint_without_token_url_or_valid_key_fails_the_start(
    place: EndpointContext, options: dict[str, object], line: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        bee(place, **options)

    assert str(refused.value).startswith(line)
