"""Events as records and back."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.contract.event import Event, Raw
from router.contract.quarantine import Quarantined, quarantine_id
from router.contract.wire import (
    Headers,
    ReaderOutdated,
    UndecodableRecord,
    UnknownEventType,
    UnknownMajorVersion,
    decode_event,
    encode_event,
    encode_quarantined,
)
from tests.parts.contract.events import ID, event

_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_RAW = Raw(method="POST", target="/webhooks/a", headers={}, body="{\x00}", body_encoding="utf-8")
_AMOUNTS = st.decimals(min_value=0, max_value=10**20 - 1, places=18) | st.none()
_TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=512)


def _schema(version: str) -> Headers:
    return [("ce_dataschema", f"urn:payrouter:schema:event:{version}".encode())]


def _value(**changes: object) -> bytes:
    return json.dumps({**event().model_dump(mode="json"), **changes}).encode()


def test_a_record_is_a_cloud_event_in_binary_mode() -> None:
    record = encode_event(event(account="shop é"), "eu.payment", _TRACE)

    assert record.topic == "eu.payment"
    assert record.key == event(account="shop é").key
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_source": b"/payrouter/blockatm/shop%20%C3%A9",
        "ce_id": str(ID).encode(),
        "ce_type": b"payment.confirmed",
        "ce_subject": b"A-1",
        "ce_time": b"2026-11-22T10:00:00.123456+00:00",
        "ce_dataschema": b"urn:payrouter:schema:event:1.0",
        "content-type": b"application/json",
        "traceparent": _TRACE.encode(),
    }


def test_the_value_has_every_field_and_money_as_text() -> None:
    value = json.loads(encode_event(event(), "payment", _TRACE).value)

    assert set(value) == set(Event.model_fields)
    assert value["amount"] == "2000.00"
    assert value["received_at"] == "2026-11-22T10:00:00.123456Z"
    assert value["fee"] is None


@given(_AMOUNTS, _AMOUNTS, _TEXTS, _TEXTS | st.none(), st.datetimes(timezones=st.just(UTC)))
def test_event_is_unchanged_after_encoding_and_decoding(
    amount: object, fee: object, currency: str, reference: str | None, at: datetime
) -> None:
    sent = event(
        amount=amount,
        fee=fee,
        fee_currency=currency,
        currency=currency,
        reference=reference,
        received_at=at,
        raw=_RAW,
    )

    record = encode_event(sent, "payment", _TRACE)
    received = decode_event(record.value, record.headers)

    assert received == sent
    assert received.model_dump_json() == sent.model_dump_json()


@pytest.mark.parametrize("version", ["1.0", "1.7", "0.9"])
def test_every_minor_version_is_read(version: str) -> None:
    assert decode_event(_value(), _schema(version)) == event()


def test_a_record_without_a_schema_header_is_read() -> None:
    assert decode_event(_value(), []) == event()


def test_an_unknown_field_is_ignored() -> None:
    assert decode_event(_value(later={"a": [1]}), _schema("1.1")) == event()


@pytest.mark.parametrize("version", ["2.0", "10.3", "999999999.0"])
def test_later_major_version_is_refused_before_the_value_is_parsed(
    version: str,
) -> None:
    with pytest.raises(UnknownMajorVersion, match=r"supports 1\.0"):
        decode_event(b"\xff", _schema(version))


@pytest.mark.parametrize("version", ["1.0", "1.7"])
def test_type_of_a_later_version_is_refused_before_the_other_fields_are_read(
    version: str,
) -> None:
    value = _value(type="payment.written_off", amount={"later": "form"})

    with pytest.raises(UnknownEventType, match=r"payment\.written_off, .* schema 1\.0"):
        decode_event(value, _schema(version))


@pytest.mark.parametrize("headers", [[], [("ce_dataschema", b"urn:payrouter:schema:order:1.0")]])
def test_unknown_type_without_our_event_schema_is_undecodable(headers: Headers) -> None:
    with pytest.raises(UndecodableRecord, match="type: "):
        decode_event(_value(type="payment.written_off"), headers)


@pytest.mark.parametrize("text", [b"", b"urn:other", b"urn:payrouter:schema:event:1", b"\xff"])
def test_a_foreign_schema_is_undecodable(text: bytes) -> None:
    with pytest.raises(UndecodableRecord, match="does not name a schema of payrouter"):
        decode_event(_value(), [("ce_dataschema", text)])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "no value"),
        (b"", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b"[]", "got array"),
        (b'{"id":1,"id":2}', "duplicate key"),
        (b"{}", "id: Field required"),
        (_value(amount="-5"), "amount: .*must not be negative"),
        (_value(amount=True), "amount: .*not bool"),
        (_value(currency=None), "amount needs currency"),
        (_value(type="Payment lost"), "type: "),
        (_value(type=7), "type: "),
        (_value(type="payment.pending", amount="-5"), "amount: "),
        (_value(reference="\x00"), "reference: "),
        (_value(received_at="2026-11-22T10:00:00"), "received_at: "),
        (_value(raw={"method": "POST"}), "raw.target: "),
    ],
)
def test_invalid_event_is_undecodable_with_a_reason(value: bytes | None, said: str) -> None:
    with pytest.raises(UndecodableRecord, match=said):
        decode_event(value, _schema("1.0"))


def test_reason_does_not_repeat_the_record() -> None:
    with pytest.raises(UndecodableRecord) as refused:
        decode_event(_value(reference="hush\x00", provider="hush\x00"), [])

    assert "hush" not in str(refused.value)
    assert refused.value.__cause__ is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(sorted(Event.model_fields)), _JSON, max_size=4))
def test_any_value_is_an_event_or_undecodable(changes: dict[str, object]) -> None:
    try:
        received = decode_event(_value(**changes), _schema("1.0"))
    except (UndecodableRecord, UnknownEventType):
        return
    record = encode_event(received, "payment", _TRACE)
    assert decode_event(record.value, record.headers) == received


@given(st.binary(), st.binary())
def test_any_bytes_are_undecodable_or_of_a_later_version(value: bytes, schema: bytes) -> None:
    with pytest.raises((UndecodableRecord, ReaderOutdated)):
        decode_event(value, [("ce_dataschema", schema)])


def test_quarantined_delivery_is_stored_completely() -> None:
    kept = Quarantined(
        id=quarantine_id("blockatm", "shop-eu", "stale", "ab" * 32),
        reason="stale",
        detail="signed 2 days ago",
        provider="blockatm",
        endpoint="blockatm-main",
        account="shop-eu",
        signed_at=None,
        received_at=event().received_at,
        verification=event().verification,
        raw=_RAW,
    )

    record = encode_quarantined(kept, "quarantine", _TRACE)

    assert Quarantined.model_validate_json(record.value) == kept
    assert record.key == b"blockatm-main"
    assert dict(record.headers)["ce_type"] == b"quarantine.stale"
    assert dict(record.headers)["ce_dataschema"] == b"urn:payrouter:schema:quarantined:1.0"
    assert str(kept.id) == "f3a110f4-b1ff-523f-b9dc-0daafc035651"
