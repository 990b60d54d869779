"""Facts by event: other paths, movements, constants, lists and times."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from router.contract.event import EventType
from router.errors import ConfigurationError, NotUnderstood, Reason
from tests.parts.providers.deliveries import facts
from tests.parts.providers.mapped import MAPPING, acme, event_of

_REFUNDS = {
    "paid": "payment.confirmed",
    "refunded": {"type": "payment.refunded", "fields": {"amount": "refunded_sum"}},
    "refund": {
        "type": "payment.refunded",
        "without": ["amount", "tx_hash"],
        "fields": {
            "provider_reference": "payment",
            "movement": "id",
            "movement_amount": "sum",
        },
    },
}
_FIELDS = {**MAPPING["fields"], "tx_hash": "tx"}


def test_amount_of_an_event_may_have_another_path() -> None:
    own = acme(events=_REFUNDS)

    assert event_of(own).amount == Decimal("12.5")
    assert event_of(own, what="refunded", refunded_sum="3").amount == Decimal(3)


def test_event_may_report_one_movement_instead_of_a_total() -> None:
    own = acme(events=_REFUNDS, fields=_FIELDS)

    event = event_of(own, what="refund", id="re_1", payment="p1", sum="30", tx="0xab")

    assert facts(event) == {
        "type": EventType.PAYMENT_REFUNDED,
        "provider": "acme",
        "provider_reference": "p1",
        "currency": "EUR",
        "movement": "re_1",
        "movement_amount": "30",
    }


def test_two_movements_of_the_same_amount_are_two_events() -> None:
    own = acme(events=_REFUNDS)
    first, second, again = (
        event_of(own, what="refund", id=name, payment="p1", sum=amount)
        for name, amount in (("re_1", "30"), ("re_2", "30"), ("re_1", "30.00"))
    )

    assert first.id == again.id
    assert first.id != second.id
    assert first.fingerprint != second.fingerprint


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"id": None}, "id: required"),
        ({"sum": None}, "sum: required"),
        ({"payment": None}, "payment: required"),
        ({"coin": None}, "coin: required"),
    ],
)
def test_movement_without_a_decisive_fact_is_not_understood(
    changes: dict[str, object], detail: str
) -> None:
    own = acme(events=_REFUNDS)
    whole: dict[str, object] = {"what": "refund", "id": "re_1", "payment": "p1", "sum": "30"}

    with pytest.raises(NotUnderstood) as refused:
        event_of(own, **{**whole, **changes})

    assert (refused.value.reason, refused.value.detail) == (Reason.FIELD_MISSING, detail)


def test_event_may_have_a_constant_fact() -> None:
    events = {
        "paid": {"type": "payment.confirmed", "price_met": True},
        "billed": {"type": "payment.confirmed", "amount_claimed": True},
    }
    own = acme(events=events)

    assert (event_of(own).price_met, event_of(own).amount_claimed) == (True, None)
    billed = event_of(own, what="billed")
    assert (billed.price_met, billed.amount_claimed) == (None, True)


_LIST = acme(fields={**MAPPING["fields"], "amount": "parts[].sum", "tx_hash": "ids[]"})


def test_path_leads_through_a_list_with_one_element() -> None:
    event = event_of(_LIST, parts=[{"sum": "7"}], ids=["0xab"])

    assert (event.amount, event.tx_hash) == (Decimal(7), "0xab")
    assert event_of(_LIST, parts=[{"sum": "7"}], ids=[]).tx_hash is None


@pytest.mark.parametrize(
    ("parts", "detail"),
    [
        ([{"sum": "7"}, {"sum": "8"}], "parts[]: expected one element, got 2"),
        ({"sum": "7"}, "parts[]: expected a list, got object"),
        ("7", "parts[]: expected a list, got string"),
        (["7"], "parts[]: expected an object, got string"),
        ([], "parts[].sum: required"),
        (None, "parts[].sum: required"),
    ],
)
def test_list_is_never_cut_to_one_element(parts: object, detail: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        event_of(_LIST, parts=parts)

    assert refused.value.detail == detail


def test_description_in_a_list_of_several_is_named_and_stops_nothing() -> None:
    event = event_of(_LIST, parts=[{"sum": "7"}], ids=["0xab", "0xcd"])

    assert (event.amount, event.tx_hash, event.unread) == (Decimal(7), None, ("tx_hash",))


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("s", 1795341600.5),
        ("s", "1795341600.5"),
        ("ms", 1795341600500),
        ("us", "1795341600500000"),
        ("iso", "2026-11-22T11:00:00.5000+01:00"),
        ("iso-utc", "2026-11-22 10:00:00.5"),
    ],
)
def test_time_of_an_event_is_read_in_its_unit(unit: str, value: object) -> None:
    own = acme(fields={**MAPPING["fields"], "occurred_at": "at"}, occurred_at_unit=unit)

    event = event_of(own, at=value)

    assert event.occurred_at == datetime(2026, 11, 22, 10, 0, 0, 500000, tzinfo=UTC)
    assert event_of(own, at=[value]).unread == ("occurred_at",)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"fields": {**MAPPING["fields"], "movement_amount": "part"}},
            "events.paid: movement_amount needs fields.movement",
        ),
        (
            {"events": {"a": {"type": "payment.refunded", "without": "amount"}}},
            "events.a: payment.refunded needs fields.amount or fields.movement_amount",
        ),
        (
            {"events": {"a": {"type": "payment.refunded", "fields": {"fee": "fee"}}}},
            "fields.fee: needs fields.fee_currency or fixed.fee_currency",
        ),
        (
            {
                "fields": {"provider_reference": "id"},
                "fixed": {"currency": "EUR"},
                "events": {
                    "a": {
                        "type": "payment.confirmed",
                        "fields": {"amount": "sum", "currency": "coin"},
                    }
                },
            },
            "fixed.currency: fields.currency is given as well",
        ),
        (
            {"events": {"a": {"type": "payment.confirmed", "fields": {"tx_hash": "id.tx"}}}},
            "id cannot be a field and hold id.tx",
        ),
    ],
)
def test_incomplete_event_fails_the_start(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        acme(**changes)

    assert f"endpoints.shop.mapping: {problem}" in refused.value.problems
