"""Standard Webhooks: several signatures in one header, two versions, two names per header."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from router.contract.event import EventType
from router.delivery import Delivery
from router.errors import ConfigurationError, NotUnderstood, Reason, Unauthentic, Unreadable
from router.providers import Key, Simulation
from router.providers.standard_webhooks import PROVIDER
from tests.parts.providers.configured import endpoint, example, gateway
from tests.parts.providers.deliveries import Gateway, delivery, without

_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
_TIME = "1614265330"
_BODY = b'{"test": 2432232314}'
_SIGNED_AT = datetime(2021, 2, 25, 15, 2, 10, tzinfo=UTC)

# Published: in the tests of the reference libraries (github.com/standard-webhooks) and of Svix.
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
_NOT_V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA="
_PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
_PRIVATE = (
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
)
_V1A = (
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
)
_OTHER_V1 = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
_SEVERAL = f"{_OTHER_V1} v2,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= {_V1}"


def _sender(*secrets: str) -> Gateway:
    return gateway("standard_webhooks", secrets=list(secrets) or [_SECRET])


def _sent(v1: str, body: bytes = _BODY, prefix: str = "webhook", **changes: str) -> Delivery:
    values = {"id": _ID, "timestamp": _TIME, "signature": v1, **changes}
    return delivery(body, *((f"{prefix}-{name}", value) for name, value in values.items()))


def _signed(secret: str, body: bytes, identity: str = _ID) -> Delivery:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{identity}.{_TIME}.".encode() + body, hashlib.sha256).digest()
    return _sent("v1," + base64.b64encode(digest).decode(), body, id=identity)


def _refused(own: Gateway, sent: Delivery) -> Reason:
    with pytest.raises(Unauthentic) as refused:
        own.verified(sent)
    return refused.value.reason


@pytest.mark.parametrize(
    ("secret", "signature", "scheme"),
    [
        (_SECRET, _V1, "standard-webhooks-v1"),
        (_SECRET.removeprefix("whsec_"), _V1, "standard-webhooks-v1"),
        (_PUBLIC, _V1A, "standard-webhooks-v1a"),
        (_SECRET, _SEVERAL, "standard-webhooks-v1"),
    ],
    ids=["v1", "v1 without prefix", "v1a", "the third of several"],
)
@pytest.mark.parametrize("prefix", ["webhook", "svix"])
def test_a_published_vector_is_genuine_byte_for_byte(
    secret: str, signature: str, scheme: str, prefix: str
) -> None:
    verified = _sender(secret).verified(_sent(signature, prefix=prefix))

    assert (verified.verification.scheme, verified.signed_at) == (scheme, _SIGNED_AT)
    assert verified.raw().headers == {
        f"{prefix}-id": _ID,
        f"{prefix}-timestamp": _TIME,
        f"{prefix}-signature": signature,
    }


def test_the_published_wrong_signature_is_refused() -> None:
    assert _refused(_sender(), _sent(_NOT_V1)) is Reason.SIGNATURE_WRONG


@pytest.mark.parametrize(
    ("secret", "signature"),
    [(_PUBLIC, _V1), (_SECRET, _V1A), (_SECRET, _OTHER_V1), (_PUBLIC, _V1A.replace("hn", "Hn"))],
)
def test_a_signature_of_another_kind_or_key_is_wrong(secret: str, signature: str) -> None:
    assert _refused(_sender(secret), _sent(signature)) is Reason.SIGNATURE_WRONG


@pytest.mark.parametrize("secret", [_SECRET, _PUBLIC])
@pytest.mark.parametrize(
    ("changes", "body"),
    [
        ({"id": _ID + "x"}, _BODY),
        ({"timestamp": "1614265331"}, _BODY),
        ({"timestamp": f"0{_TIME}"}, _BODY),
        ({}, _BODY + b" "),
        ({}, b""),
    ],
)
def test_id_time_and_body_are_signed(secret: str, changes: dict[str, str], body: bytes) -> None:
    sent = _sent(_V1 if secret == _SECRET else _V1A, body, **changes)

    assert _refused(_sender(secret), sent) is Reason.SIGNATURE_WRONG


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": "msg.1"}, Reason.ID_MALFORMED),
        ({"id": ""}, Reason.ID_MALFORMED),
        ({"id": "msg 1"}, Reason.ID_MALFORMED),
        ({"id": "m\u00e9"}, Reason.ID_MALFORMED),
        ({"id": "m" * 257}, Reason.ID_MALFORMED),
        ({"timestamp": "1614265330.0"}, Reason.TIME_MALFORMED),
        ({"timestamp": "-5"}, Reason.TIME_MALFORMED),
        ({"timestamp": ""}, Reason.TIME_MALFORMED),
        ({"signature": ""}, Reason.SIGNATURE_MALFORMED),
        ({"signature": "v1"}, Reason.SIGNATURE_MALFORMED),
        ({"signature": _V1.removeprefix("v1,")}, Reason.SIGNATURE_MALFORMED),
        ({"signature": _V1.replace("v1,", "V1,")}, Reason.SIGNATURE_MALFORMED),
        ({"signature": _V1.replace("v1,", "v2,")}, Reason.SIGNATURE_MALFORMED),
        ({"signature": _V1.removesuffix("=")}, Reason.SIGNATURE_MALFORMED),
        ({"signature": _V1.replace("+", "-")}, Reason.SIGNATURE_MALFORMED),
        ({"signature": _V1.replace(",", ", ")}, Reason.SIGNATURE_MALFORMED),
        ({"signature": " ".join([_OTHER_V1] * 16 + [_V1])}, Reason.SIGNATURE_MALFORMED),
        ({"signature": " ".join([_V1A] * 5)}, Reason.SIGNATURE_MALFORMED),
    ],
)
def test_a_header_that_is_not_as_specified_is_refused(
    changes: dict[str, str], reason: Reason
) -> None:
    assert _refused(_sender(), _sent(_V1, _BODY, "webhook", **changes)) is reason


@pytest.mark.parametrize(
    ("name", "missing", "doubled"),
    [
        ("id", Reason.ID_MISSING, Reason.ID_DUPLICATED),
        ("timestamp", Reason.TIME_MISSING, Reason.TIME_DUPLICATED),
        ("signature", Reason.SIGNATURE_MISSING, Reason.SIGNATURE_DUPLICATED),
    ],
)
@pytest.mark.parametrize("prefix", ["webhook", "svix"])
def test_missing_repeated_or_mixed_header_is_refused(
    name: str, missing: Reason, doubled: Reason, prefix: str
) -> None:
    sent = _sent(_V1, prefix=prefix)
    header = f"{prefix}-{name}"
    (value,) = sent.header(header)
    rest = without(sent.headers, header)
    other = {"webhook": "svix", "svix": "webhook"}[prefix]

    assert _refused(_sender(), delivery(_BODY, *rest)) is missing
    assert _refused(_sender(), delivery(_BODY, *sent.headers, (header, value + "0"))) is doubled
    assert _refused(_sender(), delivery(_BODY, *rest, (f"{other}-{name}", value)))


@pytest.mark.parametrize(("own", "relayed"), [("svix", "webhook"), ("webhook", "svix")])
def test_headers_that_a_relay_adds_to_those_of_the_sender_do_not_matter(
    own: str, relayed: str
) -> None:
    sent = _sent(_V1, prefix=own)
    wrong = _sent(_OTHER_V1, prefix=relayed, id="msg_relay")
    stray = (f"{relayed}-id", "msg_relay")

    for extra in ([], [stray], list(wrong.headers)):
        verified = _sender().verified(delivery(_BODY, *extra, *sent.headers))
        assert verified.raw().headers == dict(sent.headers)
    assert _refused(_sender(), delivery(_BODY, *wrong.headers)) is Reason.SIGNATURE_WRONG
    assert _refused(_sender(), delivery(_BODY, *sent.headers[:2], stray)) is not None


def test_identity_is_that_of_the_proved_set_of_headers() -> None:
    body = b'{"type":"payment.confirmed","data":{"id":1,"amount":"1.5","currency":"usd"}}'
    own = gateway("standard_webhooks", **{**example("standard_webhooks"), "secrets": [_SECRET]})
    standard = _signed(_SECRET, body)
    (signature,) = standard.header("webhook-signature")
    relayed = _sent(signature, body, "svix")
    wrong = _sent(_OTHER_V1, body, id="msg_relay")

    event = own.normalized(delivery(body, *wrong.headers, *relayed.headers))

    assert event.id == own.normalized(standard).id


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_header_that_a_relay_repeated_unchanged_counts_once(name: str) -> None:
    sent = _sent(_V1)
    (value,) = sent.header(name)

    for repeated in ([(name, value)], [(name, value)] * 2):
        assert _sender().verified(delivery(_BODY, *sent.headers, *repeated)).raw().headers == dict(
            sent.headers
        )
    joined = (name, f"{value}, {value}")
    rest = without(sent.headers, name)
    assert _sender().verified(delivery(_BODY, *rest, joined)).raw().headers == dict(sent.headers)


def test_another_spelling_of_the_same_signature_is_refused() -> None:
    # Two bits of the last character are not used: OF= decodes to the same bytes as OE=.
    assert _refused(_sender(), _sent(_V1.replace("OE=", "OF="))) is Reason.SIGNATURE_MALFORMED


def test_private_key_is_reported_as_one() -> None:
    with pytest.raises(ConfigurationError, match="whsk_ is the sender's, expected whpk_"):
        _sender(_PRIVATE)


def test_no_header_at_all_is_refused() -> None:
    assert _refused(_sender(), delivery(_BODY)) is Reason.ID_MISSING


def test_rotation_accepts_both_keys_and_no_removed_key() -> None:
    other = "whsec_" + base64.b64encode(b"another secret of 24 byt").decode()

    for secrets in ([_SECRET, other], [other, _SECRET], [other, _PUBLIC, _SECRET]):
        assert _sender(*secrets).provider.verify(
            _sent(_V1), endpoint("standard_webhooks", secrets=secrets).keys
        )
    assert _refused(_sender(other), _sent(_V1)) is Reason.SIGNATURE_WRONG


@pytest.mark.parametrize(
    "secret",
    [
        "whsec_",
        "whsec_short",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        "a-plain-password-that-is-no-base64",
        "whpk_" + base64.b64encode(b"x" * 31).decode(),
        _PRIVATE,
    ],
)
def test_malformed_secret_fails_the_start_and_is_not_printed(secret: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^endpoints\.shop\.secrets: ") as refused:
        _sender(secret)

    assert secret.partition("_")[2] == "" or secret.partition("_")[2] not in str(refused.value)


_KEY = bytes(range(200, 231))


@pytest.mark.parametrize("prefix", ["whsec_", ""])
@pytest.mark.parametrize("padding", ["==", "", "===="])
@pytest.mark.parametrize("around", ["{}", "{}\n", "\ufeff{}\r\n"])
def test_secret_is_accepted_in_every_spelling_of_the_reference_libraries(
    prefix: str, padding: str, around: str
) -> None:
    bare = base64.b64encode(_KEY).decode().rstrip("=")
    assert base64.b64encode(_KEY).decode() == bare + "=="
    assert {"+", "/"} & set(bare)
    sent = _signed(prefix + bare + "==", b'{"type":"x"}')

    proved = _sender(around.format(prefix + bare + padding)).verified(sent)

    assert proved.verification.scheme == "standard-webhooks-v1"


@pytest.mark.parametrize("alphabet", ["-_"])
def test_url_safe_base64_is_refused(alphabet: str) -> None:
    written = base64.b64encode(_KEY).decode().translate(str.maketrans("+/", alphabet))

    with pytest.raises(ConfigurationError, match="expected whsec_ and 24 to 64 bytes in base64"):
        _sender(f"whsec_{written}")


def test_without_a_mapping_every_delivery_goes_to_quarantine() -> None:
    own = _sender()

    with pytest.raises(NotUnderstood) as refused:
        own.normalized(_sent(_V1))

    assert refused.value.reason is Reason.UNKNOWN_EVENT
    assert own.provider.kinds == {}
    with pytest.raises(Unreadable):
        own.normalized(_signed(_SECRET, b"%"))


def test_identity_of_an_event_is_the_message_id() -> None:
    body = b'{"type":"payment.confirmed","data":{"id":1,"amount":"1.5","currency":"usd"}}'
    own = gateway("standard_webhooks", **{**example("standard_webhooks"), "secrets": [_SECRET]})

    first, other = (own.normalized(_signed(_SECRET, body, name)) for name in ("msg_1", "msg_2"))

    assert (first.type, first.provider_reference) == (EventType.PAYMENT_CONFIRMED, "1")
    assert (str(first.amount), first.currency) == ("1.5", "USD")
    assert str(first.id) == "1e6937f2-3530-5a13-8c98-96b45564f215"
    assert first.id != other.id


def test_mapping_with_an_identity_is_refused() -> None:
    settings = example("standard_webhooks", mapping__identity=["data.id"])

    with pytest.raises(ConfigurationError, match=r"^endpoints\.shop\.mapping\.identity: "):
        endpoint("standard_webhooks", **settings)


def test_private_key_signs_as_an_ed25519_sender() -> None:
    settings = {**example("standard_webhooks"), "secrets": [_PUBLIC]}
    own = gateway("standard_webhooks", **settings)
    wanted = Simulation("payment", "confirmed", "A-1", "1.5", "USDT", 7, _SIGNED_AT)

    made = own.provider.simulate(wanted, Key(_PRIVATE.encode(), "fp:x"), "/webhooks/shop")

    assert own.verified(made).verification.scheme == "standard-webhooks-v1a"
    stranger = "whsk_" + base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()
    forged = own.provider.simulate(wanted, Key(stranger.encode(), "fp:x"), "/webhooks/shop")
    assert _refused(own, forged) is Reason.SIGNATURE_WRONG


def test_the_window_is_that_of_the_reference_libraries() -> None:
    assert PROVIDER.tolerance == timedelta(minutes=5)
