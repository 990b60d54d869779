"""A signature header with parts, and other contents of the signed bytes, by configuration."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from router.delivery import kept_delivery
from router.errors import ConfigurationError, Reason, Unauthentic
from tests.parts.providers.configured import endpoint, gateway
from tests.parts.providers.deliveries import Gateway, delivery, hex_hmac
from tests.parts.providers.mapped import MAPPING

# Made with the standard library: Stripe publishes no vector.
_SECRET = "whsec_test_secret"
_AT = 1700000000
_BODY = b"""{
  "id": "evt_test_webhook",
  "object": "event",
  "data": { "object": { "id": "rdr_123", "object": "terminal.reader" } }
}"""
_V1 = "3bfab77baf5f7b6991a46c9b53b6547d7afc56148b10468fcad9f35c1992ffbd"
_OLD = hex_hmac(b"an older secret", f"{_AT}.".encode() + _BODY)


def _parted(**changes: object) -> Gateway:
    settings: dict[str, object] = {
        "signature_header": "Stripe-Signature",
        "signature_part": "v1",
        "signed": "{time}.{body}",
        "time": {"part": "t", "unit": "s"},
        "mapping": MAPPING,
        **changes,
    }
    return gateway("generic_hmac", secrets=[_SECRET], **settings)


def _refused(own: Gateway, *headers: tuple[str, str], body: bytes = _BODY) -> Reason:
    with pytest.raises(Unauthentic) as refused:
        own.verified(delivery(body, *headers))
    return refused.value.reason


@pytest.mark.parametrize(
    "header",
    [
        f"t={_AT},v1={_V1}",
        f"t={_AT}, v1={_V1}",
        f"v1={_V1},t={_AT}",
        f"t={_AT},v1={_OLD},v1={_V1}",
        f"t={_AT},v1={_V1},v1={_OLD}",
        f"t={_AT},v1={_V1},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39",
        f"t={_AT},v1={_V1},v1={_V1}",
        f"t={_AT},v1={_V1}, t={_AT},v1={_V1}",
        f"t={_AT},v1={_V1},scheme",
    ],
)
def test_delivery_is_genuine_if_one_part_is_the_signature(header: str) -> None:
    verified = _parted().verified(delivery(_BODY, ("stripe-signature", header)))

    assert verified.signed_at == datetime.fromtimestamp(_AT, UTC)
    raw = verified.raw()
    again = kept_delivery(raw, "shop", "shop-eu", verified.delivery.received_at)
    assert _parted().verified(again).verification == verified.verification


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (f"t={_AT},v1={_OLD}", Reason.SIGNATURE_WRONG),
        (f"t={_AT + 1},v1={_V1}", Reason.SIGNATURE_WRONG),
        (f"t=0{_AT},v1={_V1}", Reason.SIGNATURE_WRONG),
        (f"t={_AT},v0={_V1}", Reason.SIGNATURE_MALFORMED),
        (f"t={_AT},V1={_V1}", Reason.SIGNATURE_MALFORMED),
        (f"t={_AT},v1={_V1.upper()}", Reason.SIGNATURE_MALFORMED),
        (f"t={_AT},v1=", Reason.SIGNATURE_MALFORMED),
        (f"t={_AT},v1={_V1},v1=0", Reason.SIGNATURE_MALFORMED),
        (f"t={_AT};v1={_V1}", Reason.SIGNATURE_MALFORMED),
        (_V1, Reason.SIGNATURE_MALFORMED),
        ("", Reason.SIGNATURE_MALFORMED),
        (f"t={_AT}" + f",v1={_V1}" * 16, Reason.SIGNATURE_MALFORMED),
        (f"v1={_V1}", Reason.TIME_MISSING),
        (f"t={_AT},t={_AT + 1},v1={_V1}", Reason.TIME_DUPLICATED),
        (f"t=,v1={_V1}", Reason.TIME_MALFORMED),
        (f"t=soon,v1={_V1}", Reason.TIME_MALFORMED),
    ],
)
def test_other_parts_are_refused(header: str, reason: Reason) -> None:
    assert _refused(_parted(), ("stripe-signature", header)) is reason


def test_header_without_parts_or_repeated_with_others_is_refused() -> None:
    own, header = _parted(), ("stripe-signature", f"t={_AT},v1={_V1}")

    assert _refused(own) is Reason.SIGNATURE_MISSING
    other = ("stripe-signature", f"t={_AT},v1={_OLD}")
    assert _refused(own, header, other) is Reason.SIGNATURE_DUPLICATED
    assert own.verified(delivery(_BODY, header, header)).raw().headers == dict([header])


def test_parts_may_have_other_names_and_another_separator() -> None:
    own = _parted(
        signature_header="Paddle-Signature",
        signature_part="h1",
        part_separator=";",
        signed="{time}:{body}",
        time={"part": "ts"},
    )
    signature = hex_hmac(_SECRET.encode(), b"7:{}")

    verified = own.verified(delivery(b"{}", ("paddle-signature", f"ts=7;h1={signature}")))

    assert verified.signed_at == datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC)


def test_parts_may_have_no_time() -> None:
    own = gateway(
        "generic_hmac",
        secrets=[_SECRET],
        signature_header="Stripe-Signature",
        signature_part="v1",
        mapping=MAPPING,
    )
    signature = hex_hmac(_SECRET.encode(), _BODY)

    header = ("stripe-signature", f"v1={_OLD},v1={signature}")
    assert own.verified(delivery(_BODY, header)).signed_at is None


def test_url_that_the_gateway_called_may_be_signed() -> None:
    made = endpoint(
        "generic_hmac",
        secrets=[_SECRET],
        public_url="https://pay.example.com",
        signed="{url}{body}",
        encoding="base64",
        mapping=MAPPING,
    )
    url = b"https://pay.example.com/webhooks/shop?shop=1"
    digest = hmac.new(_SECRET.encode(), url + b"{}", hashlib.sha256).digest()
    sent = delivery(b"{}", ("x-signature", base64.b64encode(digest).decode()))

    assert made.provider.verify(replace(sent, target="/webhooks/shop?shop=1"), made.keys)
    with pytest.raises(Unauthentic):
        made.provider.verify(sent, made.keys)


def test_header_with_the_event_may_be_signed() -> None:
    mapping = {
        **MAPPING,
        "events": {"paid": "payment.confirmed", "refunded": "payment.refunded"},
        "event_header": "X-Event",
    }
    del mapping["event"]
    own = gateway("generic_hmac", secrets=[_SECRET], signed="{event}.{body}", mapping=mapping)
    body = b'{"id":"p1","sum":"5","coin":"EUR"}'
    header = ("x-signature", hex_hmac(_SECRET.encode(), b"paid." + body))

    event = own.normalized(delivery(body, header, ("x-event", "paid")))

    assert event.type.status == "confirmed"
    for events in ([("x-event", "refunded")], [], [("x-event", "paid"), ("x-event", "refunded")]):
        assert _refused(own, header, *events, body=body) is Reason.SIGNATURE_WRONG


@pytest.mark.parametrize(
    ("key_encoding", "secret"),
    [("hex", "00ff10"), ("base64", "AP8Q"), ("hex", "00FF10"), ("hex", "00ff10\n")],
)
def test_secret_may_have_to_be_decoded_first(key_encoding: str, secret: str) -> None:
    own = gateway("generic_hmac", secrets=[secret], key_encoding=key_encoding, mapping=MAPPING)

    assert own.verified(delivery(b"{}", ("x-signature", hex_hmac(b"\x00\xff\x10", b"{}"))))


@pytest.mark.parametrize(
    ("key_encoding", "secret"), [("hex", "0g"), ("base64", "a-b_"), ("hex", "0")]
)
def test_secret_in_another_encoding_fails_the_start(key_encoding: str, secret: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        gateway("generic_hmac", secrets=[secret], key_encoding=key_encoding, mapping=MAPPING)

    (problem,) = refused.value.problems
    assert problem.startswith(f"endpoints.shop.secrets: expected {key_encoding}, the key_encoding")
