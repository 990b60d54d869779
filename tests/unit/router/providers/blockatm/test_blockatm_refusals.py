"""BlockATM deliveries that are not understood, and the reasons given."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.contract.event import Event
from router.contract.strict_json import type_name
from router.delivery import Delivery
from router.errors import NotUnderstood, Reason, Unreadable
from router.providers.blockatm import PROVIDER
from tests.parts.providers.blockatm_deliveries import (
    PAYMENT,
    PAYOUT,
    body_of,
    normalized,
    payment,
    payout,
    signed,
    verified,
)

_SURROGATE = "\ud800"


def _outcome(received: Delivery) -> Event | NotUnderstood | Unreadable:
    proved = verified(received)
    try:
        (event,) = PROVIDER.normalize(proved)
    except (NotUnderstood, Unreadable) as refused:
        return refused
    return event


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"id": ...}, Reason.FIELD_MISSING, "id"),
        ({"id": ""}, Reason.FIELD_MISSING, "id"),
        ({"id": None}, Reason.FIELD_MISSING, "id"),
        ({"status": ...}, Reason.FIELD_MISSING, "status"),
        ({"amount": ...}, Reason.FIELD_MISSING, "amount"),
        ({"symbol": ...}, Reason.FIELD_MISSING, "symbol"),
        ({"symbol": ..., "status": "PENDING"}, Reason.FIELD_MISSING, "symbol"),
        ({"id": 1.0}, Reason.FIELD_MALFORMED, "id"),
        ({"id": 1e300}, Reason.FIELD_MALFORMED, "id"),
        ({"id": -1}, Reason.FIELD_MALFORMED, "id"),
        ({"id": "8210 "}, Reason.FIELD_MALFORMED, "id"),
        ({"id": "007"}, Reason.FIELD_MALFORMED, "id"),
        ({"id": "1" * 513}, Reason.FIELD_MALFORMED, "id"),
        ({"id": True}, Reason.FIELD_MALFORMED, "id"),
        ({"id": []}, Reason.FIELD_MALFORMED, "id"),
        ({"status": True}, Reason.FIELD_MALFORMED, "status"),
        ({"status": 9.0}, Reason.FIELD_MALFORMED, "status"),
        ({"status": ["SUCCESS"]}, Reason.FIELD_MALFORMED, "status"),
        ({"orderNo": 7}, Reason.FIELD_MALFORMED, "orderNo"),
        ({"orderNo": "A\x00"}, Reason.FIELD_MALFORMED, "orderNo"),
        ({"orderNo": _SURROGATE}, Reason.FIELD_MALFORMED, "orderNo"),
        ({"orderNo": "A" * 513}, Reason.FIELD_MALFORMED, "orderNo"),
        ({"orderNo": {}}, Reason.FIELD_MALFORMED, "orderNo"),
        ({"symbol": 1}, Reason.FIELD_MALFORMED, "symbol"),
        ({"symbol": "\u00df" * 512}, Reason.FIELD_MALFORMED, "currency"),
        ({"amount": True}, Reason.FIELD_MALFORMED, "amount"),
        ({"amount": {}}, Reason.FIELD_MALFORMED, "amount"),
        ({"amount": "-1"}, Reason.AMOUNT_UNREPRESENTABLE, "amount"),
        ({"amount": "1,5"}, Reason.AMOUNT_UNREPRESENTABLE, "amount"),
        ({"amount": "1" * 21}, Reason.AMOUNT_UNREPRESENTABLE, "amount"),
        ({"amount": "0." + "1" * 19}, Reason.AMOUNT_UNREPRESENTABLE, "amount"),
        ({"amount": "NaN", "status": "PENDING"}, Reason.AMOUNT_UNREPRESENTABLE, "amount"),
        ({"status": "REFUNDED"}, Reason.UNKNOWN_STATUS, "status"),
        ({"status": "success"}, Reason.UNKNOWN_STATUS, "status"),
        ({"status": 2}, Reason.UNKNOWN_STATUS, "status"),
        ({"order_no": "B-1"}, Reason.AMBIGUOUS, "orderNo"),
        ({"status": 1, "platOrderNo": "5"}, Reason.AMBIGUOUS, "status"),
    ],
)
def test_a_payment_with_a_wrong_field_names_it(
    changes: dict[str, object], reason: Reason, field: str
) -> None:
    with pytest.raises(NotUnderstood) as refused:
        payment(**changes)

    assert (reason, field) == (refused.value.reason, refused.value.detail.partition(":")[0])


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"bizOrderNo": ...}, Reason.FIELD_MISSING, "bizOrderNo"),
        ({"bizOrderNo": 7}, Reason.FIELD_MALFORMED, "bizOrderNo"),
        ({"bizOrderNo": _SURROGATE}, Reason.FIELD_MALFORMED, "bizOrderNo"),
        ({"amount": ""}, Reason.FIELD_MISSING, "amount"),
        ({"fee": "two"}, Reason.AMOUNT_UNREPRESENTABLE, "fee"),
        ({"gasAmount": -1}, Reason.AMOUNT_UNREPRESENTABLE, "gasAmount"),
        ({"status": "EXPIRED"}, Reason.UNKNOWN_STATUS, "status"),
        ({"status": 3}, Reason.UNKNOWN_STATUS, "status"),
        ({"status": 9}, Reason.UNKNOWN_STATUS, "status"),
    ],
)
def test_a_payout_with_a_wrong_field_names_it(
    changes: dict[str, object], reason: Reason, field: str
) -> None:
    with pytest.raises(NotUnderstood) as refused:
        payout(**changes)

    assert (reason, field) == (refused.value.reason, refused.value.detail.partition(":")[0])


@pytest.mark.parametrize(
    ("changes", "unread"),
    [
        ({"custNo": False}, "customer.id"),
        ({"network": "a\nb"}, "network"),
        ({"chainId": 10**513}, "chain_id"),
        ({"chainId": 1.5}, "chain_id"),
        ({"chain_id": "5"}, "chain_id"),
        ({"txId": 5}, "tx_hash"),
        ({"txId": _SURROGATE}, "tx_hash"),
        ({"fromAddress": []}, "from_address"),
        ({"blockTime": "yesterday"}, "occurred_at"),
        ({"blockTime": 9999999999999999}, "occurred_at"),
        ({"block_time": "1693212861016"}, "occurred_at"),
    ],
)
def test_unreadable_description_does_not_prevent_a_payment(
    changes: dict[str, object], unread: str
) -> None:
    event, whole = payment(**changes), payment()

    assert event.unread == (unread,)
    assert (event.id, event.fingerprint) == (whole.id, whole.fingerprint)


def test_unreadable_description_does_not_prevent_a_payout() -> None:
    event = payout(toAddress=1)

    assert (event.to_address, event.unread) == (None, ("to_address",))
    assert event.fingerprint == payout().fingerprint


@pytest.mark.parametrize(
    "changes",
    [{"cashierId": "x"}, {"orderType": 1.5}, {"cashierId": 1, "cashier_id": True}],
)
def test_malformed_unused_field_of_a_payment_is_ignored(changes: dict[str, object]) -> None:
    assert payment(**changes).unread == ()


@pytest.mark.parametrize(
    "changes",
    [{"id": "x"}, {"contractId": "x"}, {"type": {}}, {"createTime": "now"}],
)
def test_malformed_unused_field_of_a_payout_is_ignored(changes: dict[str, object]) -> None:
    assert payout(**changes).unread == ()


def test_a_fee_below_zero_is_a_rebate() -> None:
    assert payout(fee="-2").fee == Decimal(-2)


@pytest.mark.parametrize(
    ("body", "events", "kind", "reason"),
    [
        (b"payment", ["payment"], Unreadable, Reason.NOT_PARSEABLE),
        (b"[]", ["payment"], Unreadable, Reason.NOT_PARSEABLE),
        (b'{"id":1,"id":2}', ["payment"], Unreadable, Reason.NOT_PARSEABLE),
        (body_of(PAYMENT), ["payout"], Unreadable, Reason.EVENT_HEADER_CONTRADICTS),
        (body_of(PAYOUT), ["payment"], Unreadable, Reason.EVENT_HEADER_CONTRADICTS),
        (body_of(PAYMENT), ["payment", "payout"], Unreadable, Reason.EVENT_HEADER_CONTRADICTS),
        (body_of(PAYMENT), ["payment", "refund"], Unreadable, Reason.EVENT_HEADER_CONTRADICTS),
        (body_of(PAYMENT), ["refund"], NotUnderstood, Reason.UNKNOWN_EVENT),
        (body_of(PAYMENT), [""], NotUnderstood, Reason.UNKNOWN_EVENT),
        (b'{"id":1,"status":"SUCCESS"}', [], NotUnderstood, Reason.UNKNOWN_EVENT),
        (body_of(PAYMENT, bizOrderNo="B-1"), ["payment"], NotUnderstood, Reason.AMBIGUOUS),
        (body_of(PAYMENT, gas_amount="1"), [], NotUnderstood, Reason.AMBIGUOUS),
        (body_of(PAYMENT, status=1), ["QR-Payment"], NotUnderstood, Reason.AMBIGUOUS),
        (body_of(PAYOUT, status=1), ["QR-Payout"], NotUnderstood, Reason.AMBIGUOUS),
    ],
)
def test_contradictory_body_is_refused_with_its_own_reason(
    body: bytes, events: list[str], kind: type[NotUnderstood | Unreadable], reason: Reason
) -> None:
    outcome = _outcome(signed(body, *events))

    assert isinstance(outcome, kind)
    assert reason is outcome.reason


@pytest.mark.parametrize(
    ("body", "form", "reason"),
    [
        ({"custNo": "C&status=PENDING"}, "custNo=C&status=PENDING", Reason.AMBIGUOUS),
        ({"a": "b=c"}, "a=b=c", Reason.AMBIGUOUS),
        ({"amount=1&id": 2}, "amount=1&id=2", Reason.AMBIGUOUS),
        ({"a": ["status=SUCCESS"]}, "status=SUCCESS", Reason.AMBIGUOUS),
        ({"a": {"orderNo": "A-1"}}, "orderNo=A-1", Reason.AMBIGUOUS),
        ({"a": {"platOrderNo": 5}}, "platOrderNo=5", Reason.AMBIGUOUS),
        ({"a": [{"b": {"order_no": "A-1"}}]}, "order_no=A-1", Reason.AMBIGUOUS),
        ({"a": {"b&c": 1}}, "b&c=1", Reason.AMBIGUOUS),
        ({"id": 1, "status": {"x": "y"}}, "id=1&x=y", Reason.FIELD_MALFORMED),
    ],
)
def test_ambiguous_sorted_form_is_refused(
    body: dict[str, object], form: str, reason: Reason
) -> None:
    received = signed(json.dumps(body).encode(), "payment", message=form.encode())
    assert verified(received).verification.scheme == "blockatm-v2-sorted"

    with pytest.raises(NotUnderstood) as refused:
        normalized(received)

    assert refused.value.reason is reason


def test_unknown_nested_fields_are_accepted_in_the_sorted_form() -> None:
    body = {"id": 1, "status": "PENDING", "orderNo": "A-1", "extra": {"k": [1]}}
    form = b"1&id=1&orderNo=A-1&status=PENDING"

    received = signed(json.dumps(body).encode(), "payment", message=form)

    assert normalized(received).reference == "A-1"


def test_text_may_contain_separators_under_the_raw_signature() -> None:
    assert payment(orderNo="A&b=c").reference == "A&b=c"


def test_a_refusal_never_repeats_the_body() -> None:
    with pytest.raises(NotUnderstood) as refused:
        payment(status="hush-hush")

    assert "hush" not in str(refused.value)


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["SUCCESS", "PENDING", "9", "1", "USDT", "13.41", "1E+99", "A-1", 9, 1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from([*PAYMENT, *PAYOUT, "order_no", "cust_no", "platOrderNo"]) | st.text()
_EVENTS = st.sampled_from([(), ("payment",), ("payout",), ("refund",), ("payment", "payout")])


@given(st.dictionaries(_NAMES, _VALUES), st.sampled_from([{}, PAYMENT, PAYOUT]), _EVENTS)
def test_any_object_is_understood_or_refused(
    changes: dict[str, object], template: dict[str, object], events: tuple[str, ...]
) -> None:
    received = signed(json.dumps({**template, **changes}).encode(), *events)

    outcome = _outcome(received)

    if isinstance(outcome, Event):
        assert outcome.raw == verified(received).raw()
    else:
        assert outcome.detail
        assert outcome.detail.isprintable()


@given(st.binary(), _EVENTS)
def test_any_bytes_raise_only_refusals(body: bytes, events: tuple[str, ...]) -> None:
    assert isinstance(_outcome(signed(body, *events)), NotUnderstood | Unreadable)


def test_no_value_of_a_parsed_body_is_a_float() -> None:
    members = verified(signed(b'{"a":1.5,"b":1,"c":1e3}')).json_object()

    assert {type_name(value) for value in members.values()} == {"number"}
    assert not any(isinstance(value, float) for value in members.values())
