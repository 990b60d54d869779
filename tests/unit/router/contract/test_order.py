"""Order messages: validation, identity, and encoding."""

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import jsonschema
import pytest
from pydantic import ValidationError

from router.contract.identity import contradicts
from router.contract.order import ExpectedPayment, Order, OrderType, order_message_id
from router.contract.order_fields import OrderFields, read_order
from router.contract.wire import encode_order
from router.schemas import schemas
from tests.parts.contract.events import event
from tests.parts.contract.orders import order


def test_order_is_unchanged_after_encoding_and_decoding() -> None:
    made = order(
        at="2026-01-02T03:04:05Z",
        time_to_live_seconds=900,
        customer={"id": "C-1", "email": "a@example.com", "language": "de"},
        payments=[{"provider": "blockatm", "provider_reference": "8"}, {"address": "0x1"}],
    )
    record = encode_order(made, "eu.order")
    assert record.topic == "eu.order"
    assert read_order(OrderFields())(record.value, record.headers) == made
    # The headers repeat parts of the value.
    assert read_order(OrderFields())(record.value, []) == made


def test_an_order_on_the_wire_fits_the_published_schema() -> None:
    record = encode_order(order(), "order")
    jsonschema.validate(json.loads(record.value), json.loads(schemas()["order.v1.json"]))


def test_order_has_the_key_of_its_payments() -> None:
    assert order().key == event(account="shop-eu", reference="A-1").key


@pytest.mark.parametrize(
    "wrong",
    [
        {"lines": None},
        {"lines": [{"sku": "tea", "quantity": 0}]},
        {"lines": [{"sku": "tea", "quantity": 1.0}]},
        {"lines": [{"sku": "tea", "quantity": True}]},
        {"lines": [{"sku": "tea", "quantity": Decimal("1.5")}]},
        {"lines": [{"sku": "tea", "quantity": Decimal("1e999999")}]},
        {"lines": [{"sku": "", "quantity": 1}]},
        {"total": 30.0},
        {"total": "-1"},
        {"currency": None},
        {"time_to_live_seconds": 0},
        {"payments": [{}]},
        {"payments": [{"provider": "blockatm"}]},
        {"payments": [{"provider_reference": "8"}]},
        {"at": "2026-01-02T03:04:05"},
    ],
    ids=str,
)
def test_invalid_order_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        order(**wrong)
    assert next(iter(wrong)) in str(refused.value) or "total" in str(refused.value)


def test_a_quantity_may_be_an_exact_whole_number() -> None:
    made = order(lines=[{"sku": "tea", "quantity": Decimal("2.0")}])
    assert made.lines is not None
    assert made.lines[0].quantity == 2


def test_a_cancellation_needs_no_lines() -> None:
    assert order("order.cancelled").lines is None


def test_payments_are_recognized_by_the_reference_by_default() -> None:
    assert order().recognized_by == (ExpectedPayment(reference="A-1"),)
    by_address = order(payments=[{"address": "0x1"}])
    assert by_address.recognized_by == (ExpectedPayment(address="0x1"),)


def test_a_message_repeated_with_other_lines_or_total_contradicts() -> None:
    first = order()
    assert not contradicts(first.fingerprint, order(total="30").fingerprint)
    assert not contradicts(first.fingerprint, order(total=None).fingerprint)
    changes: list[dict[str, Any]] = [
        {"total": "31"},
        {"reference": "A-2"},
        {"account": "shop-us"},
        {"lines": [{"sku": "tea", "quantity": 3}]},
    ]
    for changed in changes:
        assert contradicts(first.fingerprint, order(**changed).fingerprint)


def test_error_for_an_order_does_not_repeat_the_input() -> None:
    with pytest.raises(ValidationError) as refused:
        Order.model_validate({"customer": {"email": ["secret@example.com"]}})
    assert "secret" not in str(refused.value)


def test_derived_ids_never_change() -> None:
    placed = order_message_id(OrderType.PLACED, "shop-eu", "evt_1")
    assert placed == UUID("ec8cb066-d965-530e-9f71-861c6a2f54b4")
    assert placed != order_message_id(OrderType.CANCELLED, "shop-eu", "evt_1")
    assert placed != order_message_id(OrderType.PLACED, "shop-us", "evt_1")
