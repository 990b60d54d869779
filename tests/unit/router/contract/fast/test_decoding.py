"""Reading records in our own form: the same event as pydantic's, and pydantic decides the rest."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from router.contract import wire
from router.contract.event import MONEY, Customer, Event, EventType, Raw, Verification
from router.contract.fast.decoding import (
    CustomerRecord,
    EventRecord,
    RawRecord,
    VerificationRecord,
    read_event,
)
from router.contract.strict_json import StrictJsonError, parse_object
from tests.parts.contract.events import event

_RAW = {
    "method": "POST",
    "target": "/webhooks/x?a=%20",
    "headers": {"signature": "ab"},
    "body": '{"a": "\u20ac\\n",\n\t"b": 1}',
    "body_encoding": "utf-8",
}
_FULL = event(
    movement="re_1",
    movement_amount="30.00",
    fee="2",
    fee_currency="USDT",
    network="Ethereum",
    customer={"id": 'C "1" \\', "email": None},
    occurred_at=datetime(2026, 11, 22, 9, 59, 58, tzinfo=UTC),
    test=False,
    unread=["tx_hash"],
    raw=_RAW,
    raw_event="f3a110f4-b1ff-523f-b9dc-0daafc035651",
)


def _value(happened: Event) -> bytes:
    return wire.encode_event(happened, "payment", "00-0-0-01").value


def _by_pydantic(value: bytes) -> Event | None:
    try:
        return Event.model_validate(parse_object(value))
    except (StrictJsonError, ValidationError):
        return None


def _changed(**changes: object) -> bytes:
    document = {**json.loads(_value(_FULL)), **changes}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("record", "model"),
    [
        (EventRecord, Event),
        (CustomerRecord, Customer),
        (RawRecord, Raw),
        (VerificationRecord, Verification),
    ],
    ids=lambda each: each.__name__,
)
def test_record_has_the_fields_of_the_model(
    record: type[msgspec.Struct], model: type[Event | Customer | Raw | Verification]
) -> None:
    assert record.__struct_fields__ == tuple(model.model_fields)


def test_every_amount_of_an_event_is_read_as_money() -> None:
    amounts = {
        name for name, field in Event.model_fields.items() if "Decimal" in repr(field.annotation)
    }
    assert amounts == {name for name, _ in MONEY}


@pytest.mark.parametrize("happened", [event(), _FULL], ids=["few fields", "most fields"])
def test_own_record_is_read_without_pydantic(happened: Event) -> None:
    found = read_event(_value(happened))
    assert found == happened
    assert _value(found) == _value(happened)
    assert found.fingerprint == happened.fingerprint
    assert found.model_fields_set == set(Event.model_fields)
    by_pydantic = _by_pydantic(_value(happened))
    assert by_pydantic is not None
    for one, other in ((found, by_pydantic), (found.customer, by_pydantic.customer)):
        assert one.__getstate__() == other.__getstate__()
    assert [*vars(found)] == [*vars(by_pydantic)]


def test_a_copy_of_an_event_has_its_own_set_of_fields() -> None:
    found = read_event(_value(_FULL))
    assert found is not None
    assert found.model_copy(update={"amount": None}).model_fields_set is not found.model_fields_set


_TEXT = st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable())
_AMOUNT = st.decimals(0, 10**19, places=6).map(str)
_MOMENT = st.datetimes(timezones=st.just(UTC))
_FIELDS: Mapping[str, st.SearchStrategy[object]] = {
    "type": st.sampled_from(EventType),
    **dict.fromkeys(("provider", "account", "reference", "tx_hash", "to_address"), _TEXT),
    **dict.fromkeys((name for name, _ in MONEY), _AMOUNT),
    **dict.fromkeys(("amount_claimed", "price_met", "test"), st.none() | st.booleans()),
    "customer": st.fixed_dictionaries({"id": st.none() | _TEXT, "email": st.none() | _TEXT}),
    "received_at": _MOMENT,
    "occurred_at": st.none() | _MOMENT,
    "unread": st.lists(_TEXT, max_size=3),
    "raw": st.none()
    | st.fixed_dictionaries(
        {
            "method": st.text(max_size=9),
            "target": st.text(max_size=9),
            "headers": st.dictionaries(st.text(max_size=9), st.text(max_size=9)),
            "body": st.text(max_size=40),
            "body_encoding": st.sampled_from(["utf-8", "base64"]),
        }
    ),
}
_PAID_IN = {currency: "EUR" for _, currency in MONEY} | {"movement": "m"}


@given(st.fixed_dictionaries({}, optional=dict(_FIELDS)))
def test_any_event_of_the_edge_is_read_without_pydantic(facts: dict[str, object]) -> None:
    happened = event(**_PAID_IN | facts)
    try:
        value = _value(happened)
    except UnicodeEncodeError:
        return
    assert read_event(value) == happened == _by_pydantic(value)


_JSON: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just([]) | st.just({})
)


@given(st.dictionaries(st.sampled_from([*Event.model_fields, "unknown"]), _JSON, max_size=3))
def test_what_is_read_is_what_pydantic_reads(changes: dict[str, object]) -> None:
    value = _changed(**changes)
    found = read_event(value)
    assert found is None or found == _by_pydantic(value)


_OWN = _value(_FULL)


_OTHER_FORMS = {
    "unknown field": _changed(unknown=1),
    "white space": _OWN.replace(b'{"id":', b'{ "id":'),
    "field twice": _OWN.replace(b',"test":false', b',"test":true,"test":false'),
    "escaped letter": _OWN.replace(b"shop-eu", b"shop\\u002deu"),
    "sign": _changed(amount="+5"),
    "exponent": _changed(amount="1e3"),
    "number as amount": _changed(amount=5),
    "negative amount": _changed(fee="-0.10"),
    "C1 control": _changed(account="a\u0085b"),
    "DEL": _changed(account="a\u007fb"),
    "control in customer": _changed(customer={"id": "a\u0080", "email": None}),
    "other zone": _changed(received_at="2026-11-22T10:00:00+02:00"),
    "number as time": _changed(received_at=1_700_000_000),
    "no zone": _changed(occurred_at="2026-11-22T10:00:00"),
    "no currency": _changed(currency=None),
    "no movement": _changed(movement=None),
    "no reference": _changed(reference=None, provider_reference=None),
    "unknown type": _changed(type="payment.unheard_of"),
    "control in a list": _changed(unread=["\n"]),
    "text as boolean": _changed(test="true"),
    "long text": _changed(account="x" * 513),
    "unknown field of raw": _changed(raw={**_RAW, "extra": 1}),
    "line feed at the end": _OWN + b"\n",
    "cut off": _OWN[:-1],
    "not an object": b"[]",
    "not UTF-8": b"\xff",
    "empty": b"",
}


@pytest.mark.parametrize("name", _OTHER_FORMS)
def test_any_other_form_is_left_to_pydantic(name: str) -> None:
    assert read_event(_OTHER_FORMS[name]) is None


def test_amount_has_the_digits_of_its_text() -> None:
    found = read_event(_changed(amount="007.50"))
    assert found is not None
    assert str(found.amount) == "7.50" == str(Decimal("7.50"))


def test_moment_of_another_zone_is_the_same_moment() -> None:
    happened = event(received_at=datetime(2026, 11, 22, tzinfo=timezone(timedelta(hours=2))))
    assert wire.decode_event(_value(happened), []) == happened


def test_record_in_our_form_is_not_parsed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(wire, "parse_object")
    assert wire.decode_event(_OWN, []) == _FULL


def test_nesting_beyond_the_reader_is_left_to_the_general_way() -> None:
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    assert read_event(deep) is None
    with pytest.raises(wire.UndecodableRecord, match="nested deeper"):
        wire.decode_event(deep, [])
