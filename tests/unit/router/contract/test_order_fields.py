"""Orders are read from a platform's own JSON."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from router.contract.order import Order, OrderLine, OrderType
from router.contract.order_fields import OrderFields, OtherOrderMessage, read_order
from router.contract.wire import (
    Headers,
    UndecodableRecord,
    UnknownMajorVersion,
    encode_order,
)
from tests.parts.contract.orders import decided, order

THEIRS = OrderFields(
    id="",
    version="/order/updated_at",
    type="/topic",
    reference="/order/order_number",
    lines="/order/items",
    sku="/article/sku~1code",
    quantity="/qty",
    total="/order/total_price",
    currency="/order/currency",
    customer_email="/order/buyer/0/mail",
    at="/order/created_at",
    types={"orders/create": "order.placed", "orders/cancel": "order.cancelled"},
    default_account="shop-eu",
    default_currency="EUR",
)


def theirs(topic: str = "orders/create", **facts: Any) -> bytes:  # noqa: ANN401 - any JSON
    order = {
        "order_number": 1001,
        "items": [{"article": {"sku/code": "tea"}, "qty": 2}],
        "total_price": 0.1,
        "buyer": [{"mail": "a@example.com"}],
        "created_at": 1767323045,
        "updated_at": "v1",
        **facts,
    }
    return json.dumps({"topic": topic, "order": order}).encode()


def read(value: bytes | None, headers: Headers = (), fields: OrderFields = THEIRS) -> Order:
    found = read_order(fields)(value, headers)
    assert isinstance(found, Order)
    return found


def test_every_fact_is_read_from_its_mapped_place() -> None:
    order = read(theirs())
    assert order.type is OrderType.PLACED
    assert (order.account, order.reference) == ("shop-eu", "1001")
    assert order.lines == (OrderLine(sku="tea", quantity=2),)
    assert (order.total, order.currency) == (Decimal("0.1"), "EUR")
    assert order.customer.email == "a@example.com"
    assert order.at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_numbers_of_the_platform_are_read_exactly() -> None:
    value = theirs().replace(b"0.1", b"12345678901234567890.123456789012345678")
    assert read(value).total == Decimal("12345678901234567890.123456789012345678")


def test_platforms_value_takes_precedence_over_the_default() -> None:
    assert read(theirs(currency="USDT")).currency == "USDT"


def test_id_is_the_given_uuid_or_derived_from_the_message() -> None:
    fields = OrderFields(default_account="shop-eu")
    placed: dict[str, Any] = {"type": "order.placed", "reference": "A-1", "lines": []}

    def number(headers: Headers = (), **told: object) -> UUID:
        return read(json.dumps({**placed, **told}).encode(), headers, fields).id

    uuid = UUID("6f6b0f4e-3d0e-5c1b-9a57-7f5a2f0c9d12")
    assert number(id=str(uuid)) == uuid
    assert number([("ce_id", str(uuid).encode())], id="evt_1") == uuid
    assert number(id="evt_1") == number(id="evt_1", version="2", at="2026-01-02T03:04:05Z")
    different = [
        number(id="evt_1"),
        number(id="evt_1", account="shop-us"),
        number(id="evt_1", type="order.cancelled"),
        number(id=1),
        number(),
        number(reference="A-2"),
        number(version=1),
        number(version=2),
        number(at="2026-01-02T03:04:05Z"),
        number([("ce_id", b"evt_2")]),
    ]
    assert len(set(different)) == len(different)
    assert number(version=2) == number(version="2", at="2026-01-02T03:04:05Z")
    assert number(at="2026-01-02T04:04:05+01:00") != number(at="2026-01-02T03:04:06Z")


def test_type_may_be_in_the_header_only() -> None:
    value = json.dumps({"account": "a", "reference": "A-1", "type": "retail"}).encode()
    assert read(value, [("ce_type", b"order.cancelled")], OrderFields()).type == "order.cancelled"


def test_other_messages_are_ignored_only_if_configured() -> None:
    shipped = theirs("orders/ship")
    with pytest.raises(UndecodableRecord, match=r"order\.fields\.types"):
        read_order(THEIRS)(shipped, [])
    named = THEIRS.model_copy(update={"types": {"orders/ship": "ignore"}})
    every = THEIRS.model_copy(update={"unknown_types": "ignore"})
    found = [read_order(fields)(shipped, []) for fields in (named, every)]
    assert all(isinstance(each, OtherOrderMessage) for each in found)
    assert found[0].id == found[1].id != read_order(every)(theirs("orders/pack"), []).id
    with pytest.raises(UndecodableRecord, match="type: missing"):
        read_order(every)(b"{}", [])


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "no value"),
        (b"nonsense", "the value is not JSON"),
        (b"[]", "expected a JSON object"),
        (b'{"topic": "orders/create", "topic": ""}', "duplicate key"),
        (theirs(order_number=None), "reference"),
        (theirs(order_number=True), "reference"),
        (theirs(items=None), "lines: missing"),
        (theirs(items="tea"), "lines"),
        (theirs(items=[{"qty": 1}]), "lines.0.sku"),
        (theirs(items=[7]), "lines.0.sku"),
        (theirs(items=[{"article": {"sku/code": "tea"}, "qty": -1}]), "lines.0.quantity"),
        (theirs(total_price="a lot"), "total"),
        (theirs(created_at="yesterday"), "at"),
        (theirs(created_at="2026-01-02T03:04:05"), "at"),
        (theirs(updated_at={}), "version"),
    ],
    ids=str,
)
def test_unreadable_order_has_a_reason_that_does_not_repeat_it(
    value: bytes | None, problem: str
) -> None:
    with pytest.raises(UndecodableRecord) as refused:
        read_order(THEIRS)(value, [])
    assert problem in str(refused.value)
    assert "a lot" not in str(refused.value)


def test_later_major_version_is_refused_for_our_schema_only() -> None:
    def schema(text: str) -> Headers:
        return [("ce_dataschema", text.encode())]

    with pytest.raises(UnknownMajorVersion):
        read_order(THEIRS)(theirs(), schema("urn:payrouter:schema:order:2.0"))
    assert read(theirs(), schema("urn:payrouter:schema:order:1.7"))
    assert read(theirs(), schema("https://shop.example.com/order.json"))
    assert read(theirs(), [("ce_dataschema", None)])


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "id"},
        {"sku": "/a~2"},
        {"types": {"x": "order.shipped"}},
        {"total": 1},
        {"sum": "/total"},
        {"reference": "/id"},
        {"unknown_types": "drop"},
    ],
    ids=str,
)
def test_contradictory_mapping_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OrderFields.model_validate(wrong)


def test_index_selects_an_item_and_nothing_past_the_end() -> None:
    def total(pointer: str) -> Decimal | None:
        fields = OrderFields(total=pointer, default_account="a", default_currency="EUR")
        document = {"type": "order.placed", "reference": "1", "lines": [], "t": [7, 8]}
        return read(json.dumps(document).encode(), (), fields).total

    assert total("/t/1") == 8
    assert [total(wrong) for wrong in ("/t/2", "/t/01", "/t/-", "/t/x/y", "/type/0", "")] == (
        [None] * 6
    )


def test_a_decision_is_read_by_its_header_with_our_fields() -> None:
    made = decided("refuse")
    record = encode_order(made, "order")
    assert read(record.value, record.headers) == made


@pytest.mark.parametrize("fields", [OrderFields(), THEIRS.model_copy(update={"type": "/type"})])
def test_a_platform_cannot_decide_in_the_body_of_a_message(fields: OrderFields) -> None:
    value = encode_order(decided(), "order").value
    with pytest.raises(UndecodableRecord, match=r"type: not one of order\.placed"):
        read_order(fields)(value, [])
    ignoring = fields.model_copy(update={"unknown_types": "ignore"})
    assert isinstance(read_order(ignoring)(value, []), OtherOrderMessage)


def test_a_platform_cannot_map_a_type_to_a_decision() -> None:
    with pytest.raises(ValidationError, match="types"):
        OrderFields.model_validate({"types": {"orders/decide": "order.decided"}})


def test_a_decision_in_an_order_of_the_platform_is_ignored() -> None:
    placed = json.loads(encode_order(order(), "order").value)
    placed["decided"] = json.loads(encode_order(decided(), "order").value)["decided"]
    assert read(json.dumps(placed).encode(), [], OrderFields()).decided is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"type": "order.placed", "lines": []}, "decided belongs to order.decided"),
        ({"decided": None}, "decided belongs to order.decided"),
        ({"decided": {}}, "decided.decision"),
        ({"decided": "accept"}, "decided"),
        ({"at": None}, "at: missing"),
        ({"at": "2026-01-02T03:04:05"}, "at"),
        ({"id": "A-1"}, "id"),
        ({"account": 7}, "account"),
        ({"reference": None}, "reference"),
    ],
    ids=str,
)
def test_an_unreadable_decision_is_refused(changes: dict[str, object], problem: str) -> None:
    record = encode_order(decided(), "order")
    value = json.dumps({**json.loads(record.value), **changes}).encode()
    with pytest.raises(UndecodableRecord, match=problem):
        read_order(THEIRS)(value, record.headers)


@pytest.mark.parametrize("type_", ["order.placed", "order.cancelled"])
def test_a_message_without_a_decision_is_refused_under_its_header(type_: str) -> None:
    value = encode_order(order(type_), "order").value
    with pytest.raises(UndecodableRecord, match=r"type: must be order\.decided"):
        read_order(THEIRS)(value, [("ce_type", b"order.decided")])
