"""Signatures of a gateway that is defined by configuration."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from router.contract.event import EventType
from router.errors import ConfigurationError, NotUnderstood, Reason, Unauthentic, Unreadable
from router.providers import discover
from tests.parts.providers.configured import endpoint, example, gateway
from tests.parts.providers.deliveries import Gateway, delivery, facts, hex_hmac

_SECRET = "whsec_test_pulse2pay"
_GLOSSARY = (Path(__file__).parents[3] / "samples" / "pulse2pay" / "glossary.json").read_bytes()
_AT = 1705320600

# Both made with another program; there is no published test vector.
_RAW = "fe710656d601cb00dd23ac42148c357507d895073887334c511a78a1c5c19b8c"
_WITH_TIME = "acb6bf6dc1c55dbf704fe1c251a8d8c8ac9f9f232b2e7ee510e8ac396103ac37"


def _gateway(**changes: object) -> Gateway:
    # The glossary's body names no currency and no order.
    without = {
        "mapping__fields__currency": ...,
        "mapping__fields__reference": ...,
        "mapping__fixed": {"currency": "USD"},
    }
    settings = example("generic_hmac", **{**without, **changes})
    return gateway("generic_hmac", secrets=[_SECRET], **settings)


def test_the_glossarys_shape_is_genuine_byte_for_byte() -> None:
    verified = _gateway().verified(delivery(_GLOSSARY, ("x-signature", _RAW)))

    assert verified.signed_at == datetime(2024, 1, 15, 12, 10, tzinfo=UTC)
    assert verified.raw().headers == {"x-signature": _RAW}


def test_a_time_before_the_body_is_genuine_byte_for_byte() -> None:
    stamped = _gateway(signed="{time}.{body}", time={"header": "X-Timestamp", "unit": "s"})
    sent = delivery(_GLOSSARY, ("x-signature", _WITH_TIME), ("x-timestamp", str(_AT)))

    verified = stamped.verified(sent)

    assert verified.signed_at == datetime(2024, 1, 15, 12, 10, tzinfo=UTC)
    assert set(verified.raw().headers) == {"x-signature", "x-timestamp"}
    with pytest.raises(Unauthentic):
        _gateway().verified(sent)


def test_the_glossarys_body_is_understood() -> None:
    event = _gateway().normalized(delivery(_GLOSSARY, ("x-signature", _RAW)))

    assert facts(event) == {
        "type": EventType.PAYMENT_CONFIRMED,
        "provider": "generic_hmac",
        "provider_reference": "pay_abc123",
        "amount": "100.00",
        "currency": "USD",
        "tx_hash": "a1b2c3...",
    }
    assert str(event.id) == "8f81985e-88a0-5195-a0d8-87a1d04a086f"


def test_endpoint_without_a_mapping_fails_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"^endpoints\.shop\.mapping: Field required"):
        endpoint("generic_hmac", secrets=[_SECRET])


def test_unconfigured_provider_accepts_nothing() -> None:
    provider = discover()["generic_hmac"]

    assert (provider.kinds, provider.tolerance) == ({}, None)
    with pytest.raises(ConfigurationError, match="mapping"):
        provider.verify(delivery(b"{}", ("x-signature", "0" * 64)), [])


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "hex-upper", "base64"])
@pytest.mark.parametrize("prefix", ["", "v1="])
def test_hash_encoding_and_prefix_are_as_configured(
    algorithm: str, encoding: str, prefix: str
) -> None:
    own = _gateway(algorithm=algorithm, encoding=encoding, signature_prefix=prefix)
    digest = hmac.new(_SECRET.encode(), _GLOSSARY, getattr(hashlib, algorithm)).digest()
    written = {
        "hex": digest.hex(),
        "hex-upper": digest.hex().upper(),
        "base64": base64.b64encode(digest).decode(),
    }

    assert own.verified(delivery(_GLOSSARY, ("x-signature", prefix + written.pop(encoding))))
    others = [prefix + text for text in written.values()]
    others += ["", prefix, "other" + prefix + digest.hex()]
    for other in others:
        with pytest.raises(Unauthentic) as refused:
            own.verified(delivery(_GLOSSARY, ("x-signature", other)))
        assert refused.value.reason is Reason.SIGNATURE_MALFORMED


@pytest.mark.parametrize(
    ("signed", "message"),
    [
        ("{body}&time={time}", b"{}&time=7"),
        ("{time}{body}", b"7{}"),
        ("v0:{time}:{body}", b"v0:7:{}"),
    ],
)
def test_the_signed_text_is_as_configured(signed: str, message: bytes) -> None:
    own = _gateway(signed=signed, time={"header": "x-time", "unit": "ms"})
    signature = hex_hmac(_SECRET.encode(), message)

    verified = own.verified(delivery(b"{}", ("x-signature", signature), ("x-time", "7")))

    assert verified.signed_at == datetime(1970, 1, 1, 0, 0, 0, 7000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], Reason.SIGNATURE_MISSING),
        (["x-signature", "x-other"], Reason.SIGNATURE_DUPLICATED),
        (["x-signature"], Reason.TIME_MISSING),
        (["x-signature", "x-time", "x-later"], Reason.TIME_DUPLICATED),
    ],
)
def test_missing_or_contradicting_header_is_refused(headers: list[str], reason: Reason) -> None:
    own = _gateway(signed="{time}.{body}", time={"header": "x-time"})
    pairs = {
        "x-signature": ("x-signature", _RAW),
        "x-other": ("x-signature", "0" * 64),
        "x-time": ("x-time", "7"),
        "x-later": ("x-time", "8"),
    }

    with pytest.raises(Unauthentic) as refused:
        own.verified(delivery(_GLOSSARY, *(pairs[name] for name in headers)))

    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("s", _AT, datetime(2024, 1, 15, 12, 10, tzinfo=UTC)),
        ("s", str(_AT), datetime(2024, 1, 15, 12, 10, tzinfo=UTC)),
        ("ms", _AT * 1000, datetime(2024, 1, 15, 12, 10, tzinfo=UTC)),
        ("iso", "2024-01-15T13:10:00+01:00", datetime(2024, 1, 15, 12, 10, tzinfo=UTC)),
    ],
)
def test_the_time_in_the_body_is_read_in_its_unit(
    unit: str, value: object, expected: datetime
) -> None:
    body = json.dumps({"timestamp": value}).encode()
    own = _gateway(time={"field": "timestamp", "unit": unit})

    verified = own.verified(delivery(body, ("x-signature", hex_hmac(_SECRET.encode(), body))))

    assert verified.signed_at == expected


@pytest.mark.parametrize("time", [None, "soon", "1,5", -1, -1.5, {}, True])
def test_body_without_a_readable_time_is_genuine_but_not_understood(
    time: object,
) -> None:
    members = json.loads(_GLOSSARY)
    body = json.dumps({**members, "timestamp": time}).encode()
    own = _gateway()

    verified = own.verified(delivery(body, ("x-signature", hex_hmac(_SECRET.encode(), body))))

    assert verified.signed_at is None
    with pytest.raises(NotUnderstood) as refused:
        own.provider.normalize(verified)
    assert refused.value.detail.startswith("timestamp: ")


def test_body_that_is_not_json_is_genuine_but_unreadable() -> None:
    own = _gateway()
    verified = own.verified(delivery(b"%", ("x-signature", hex_hmac(_SECRET.encode(), b"%"))))

    with pytest.raises(Unreadable):
        own.provider.normalize(verified)


def test_window_is_a_day_if_a_time_is_signed() -> None:
    assert _gateway().provider.tolerance == timedelta(hours=24)
    assert _gateway(time=...).provider.tolerance is None
    narrow = endpoint(
        "generic_hmac", secrets=[_SECRET], tolerance_seconds=300, **example("generic_hmac")
    )
    assert narrow.tolerance == timedelta(minutes=5)


def test_the_answer_is_as_configured() -> None:
    assert _gateway().provider.answer.body == b"OK"
    assert _gateway(answer="*ok*").provider.answer.body == b"*ok*"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"signed": "{time}"}, ": signed: expected {body} once"),
        ({"signed": "{body}{body}"}, ": signed: expected {body} once"),
        ({"signed": "{body}{nonce}"}, ": signed: expected {body} once"),
        ({"signed": "{time}.{body}"}, ": signed: expected {time} once if time.header or time.part"),
        (
            {"time": {"header": "x-time"}},
            ": signed: expected {time} once if time.header or time.part",
        ),
        ({"signed": "{body}{event}"}, ": signed: {event} needs mapping.event_header"),
        ({"signed": "{url}{body}"}, ".public_url: required here or under [edge]"),
        (
            {"signed": "{time}.{body}", "time": {"part": "t"}},
            ": time.part: needs signature_part",
        ),
        ({"key_encoding": "hex"}, ".secrets: expected hex, the key_encoding"),
        ({"part_separator": "="}, ".part_separator: "),
        ({"time": {}}, ".time: set header, part or field"),
        ({"time": {"header": "x", "field": "y"}}, ".time: set header, part or field"),
        ({"time": {"field": "t", "unit": "minutes"}}, ".time.unit: "),
        ({"time": {"header": "a b"}}, ".time.header: "),
        ({"algorithm": "md5"}, ".algorithm: "),
        ({"encoding": "base32"}, ".encoding: "),
        ({"signature_header": ""}, ".signature_header: "),
        ({"colour": "red"}, ".colour: unknown key"),
        ({"mapping__gateway": "A B"}, ".mapping.gateway: "),
    ],
)
def test_invalid_configuration_is_one_line_that_names_the_key(
    changes: dict[str, object], problem: str
) -> None:
    settings = example("generic_hmac", **changes)

    with pytest.raises(ConfigurationError) as refused:
        endpoint("generic_hmac", secrets=[_SECRET], **settings)

    assert str(refused.value).startswith(f"endpoints.shop{problem}")
    assert _SECRET not in str(refused.value)


def test_a_number_of_the_body_keeps_every_digit() -> None:
    body = _GLOSSARY.replace(b"100.00", b"18446744073709551617.000000000000000001")
    own = _gateway()

    event = own.normalized(delivery(body, ("x-signature", hex_hmac(_SECRET.encode(), body))))

    assert event.amount == Decimal("18446744073709551617.000000000000000001")
