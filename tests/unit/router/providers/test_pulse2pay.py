"""Pulse2Pay: eight payment types and their amounts."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from router.contract.event import Event, EventType
from router.delivery import Delivery
from router.errors import NotUnderstood, Reason, Unauthentic, Unreadable
from router.providers import Key
from router.providers.pulse2pay import PROVIDER
from tests.parts.providers.deliveries import Gateway, body_of, delivery, facts, hex_hmac

PULSE = Gateway(PROVIDER, Key(b"whsec_test_pulse2pay", "fp:sample"))
_SAMPLES = Path(__file__).parents[3] / "samples" / "pulse2pay"
_TIME = "1736694000000"
# Made with another program; there is no published test vector.
_SIGNATURE = "87c6fcb683dc7ba76e969c41a51b3528174fa0ae3cd35f55a10533dd6d29c8e2"
_EVENT = {
    "id": "evt_1",
    "type": "payment.confirmed",
    "createdAt": "2025-01-12T15:00:00.000Z",
    "data": {
        "paymentId": "p-1",
        "status": "confirmed",
        "amount": "100.50",
        "currency": "USDT",
        "network": "TRC20",
        "externalId": "A-1",
    },
}


def _vector() -> Delivery:
    body = (_SAMPLES / "confirmed.json").read_bytes()
    return delivery(body, ("x-pulse2pay-signature", _SIGNATURE), ("x-pulse2pay-timestamp", _TIME))


def _signed(body: bytes, time: str = _TIME) -> Delivery:
    signature = hex_hmac(PULSE.key.secret, time.encode() + b"." + body)
    return delivery(body, ("x-pulse2pay-signature", signature), ("x-pulse2pay-timestamp", time))


def _event_of(word: str = "confirmed", **changes: object) -> Event:
    said = {"type": f"payment.{word}", "data.status": word}
    if word == "created":
        said["data.status"] = "pending"
    paths = {name.replace("__", "."): value for name, value in changes.items()}
    return PULSE.normalized(_signed(body_of(_EVENT, {**said, **paths})))


def test_the_vector_is_genuine_byte_for_byte() -> None:
    verified = PULSE.verified(_vector())

    assert verified.signed_at == datetime(2025, 1, 12, 15, 0, tzinfo=UTC)
    assert verified.raw().headers == {
        "x-pulse2pay-signature": _SIGNATURE,
        "x-pulse2pay-timestamp": _TIME,
    }


def test_the_vector_is_understood() -> None:
    assert facts(PULSE.normalized(_vector())) == {
        "type": EventType.PAYMENT_CONFIRMED,
        "provider": "pulse2pay",
        "provider_reference": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
        "amount": "100.50",
        "currency": "USDT",
        "expected_amount": "100.50",
        "expected_currency": "USDT",
        "price_met": True,
        "network": "TRON",
        "occurred_at": datetime(2025, 1, 12, 15, 0, tzinfo=UTC),
    }


def test_event_ids_never_change() -> None:
    assert str(PULSE.normalized(_vector()).id) == "9cbf02b2-7072-5ef8-a691-c667e77b7044"


def test_the_shape_of_the_glossary_is_not_this_gateway() -> None:
    body = (_SAMPLES / "glossary.json").read_bytes()
    with pytest.raises(NotUnderstood):
        PULSE.normalized(_signed(body))
    with pytest.raises(Unauthentic) as refused:
        PULSE.verified(delivery(body, ("x-signature", hex_hmac(PULSE.key.secret, body))))

    assert refused.value.reason is Reason.SIGNATURE_MISSING


@pytest.mark.parametrize("time", [str(int(_TIME) + 1), f"0{_TIME}"])
def test_time_is_signed(time: str) -> None:
    moved = delivery(
        _vector().body, ("x-pulse2pay-signature", _SIGNATURE), ("x-pulse2pay-timestamp", time)
    )

    with pytest.raises(Unauthentic) as refused:
        PULSE.verified(moved)

    assert refused.value.reason is Reason.SIGNATURE_WRONG


@pytest.mark.parametrize("time", ["", "-1", "1736694000.5", "1e12", "now", "1" * 17])
def test_malformed_time_is_refused_even_if_signed(time: str) -> None:
    with pytest.raises(Unauthentic) as refused:
        PULSE.verified(_signed(b"{}", time))

    assert refused.value.reason is Reason.TIME_MALFORMED


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("created", EventType.PAYMENT_PENDING),
        ("pending", EventType.PAYMENT_PENDING),
        ("confirmed", EventType.PAYMENT_CONFIRMED),
        ("expired", EventType.PAYMENT_EXPIRED),
        ("failed", EventType.PAYMENT_FAILED),
        ("canceled", EventType.PAYMENT_CANCELLED),
    ],
)
def test_every_documented_word_has_its_meaning(word: str, expected: EventType) -> None:
    event = _event_of(word)

    assert (event.type, event.reference, event.expected_amount) == (
        expected,
        "A-1",
        Decimal("100.5"),
    )
    assert event.amount == (Decimal("100.5") if word == "confirmed" else None)


@pytest.mark.parametrize(
    ("word", "changes", "met"),
    [
        ("confirmed", {}, True),
        ("overpaid", {"data__overpaidAmount": "1"}, True),
        ("underpaid", {"data__underpaidAmount": "1"}, False),
        ("pending", {}, None),
        ("expired", {}, None),
        ("failed", {}, None),
    ],
)
def test_word_reports_if_the_price_is_met(
    word: str,
    changes: dict[str, object],
    met: bool | None,  # noqa: FBT001
) -> None:
    assert _event_of(word, **changes).price_met is met


@pytest.mark.parametrize("gap", ["data__underpaidAmount", "data__differenceAmount"])
def test_amount_of_an_underpayment_is_the_price_minus_the_difference(gap: str) -> None:
    event = _event_of("underpaid", **{gap: "0.500000000000000001"})

    assert event.type is EventType.PAYMENT_UNDERPAID
    assert (event.amount, event.currency) == (Decimal("99.999999999999999999"), "USDT")


@pytest.mark.parametrize("gap", ["data__overpaidAmount", "data__differenceAmount"])
def test_amount_of_an_overpayment_is_the_price_plus_the_difference(gap: str) -> None:
    event = _event_of("overpaid", data__amount="18446744073709551616", **{gap: "1e-18"})

    assert event.type is EventType.PAYMENT_OVERPAID
    assert event.amount == Decimal("18446744073709551616.000000000000000001")
    assert event.expected_amount == Decimal(2**64)


@pytest.mark.parametrize(
    ("word", "changes"),
    [
        ("confirmed", {"data__receivedAmount": "100.500"}),
        ("underpaid", {"data__underpaidAmount": "1", "data__receivedAmount": "99.5"}),
        ("overpaid", {"data__overpaidAmount": "1", "data__differenceAmount": "1.0"}),
        ("confirmed", {"data__status": "CONFIRMED"}),
        ("confirmed", {"data__status": ...}),
        ("created", {"data__status": "created"}),
    ],
)
def test_agreeing_duplicate_fields_are_understood(word: str, changes: dict[str, object]) -> None:
    assert _event_of(word, **changes).provider_reference == "p-1"


@pytest.mark.parametrize(
    ("word", "changes", "reason"),
    [
        ("confirmed", {"data__status": "underpaid"}, Reason.AMBIGUOUS),
        ("confirmed", {"data__status": "created"}, Reason.AMBIGUOUS),
        ("created", {"data__status": "confirmed"}, Reason.AMBIGUOUS),
        ("expired", {"data__status": "confirmed"}, Reason.AMBIGUOUS),
        ("confirmed", {"data__receivedAmount": "99"}, Reason.AMBIGUOUS),
        (
            "underpaid",
            {"data__underpaidAmount": "1", "data__differenceAmount": "2"},
            Reason.AMBIGUOUS,
        ),
        ("underpaid", {}, Reason.FIELD_MISSING),
        ("underpaid", {"data__receivedAmount": "99"}, Reason.FIELD_MISSING),
        ("overpaid", {}, Reason.FIELD_MISSING),
        ("overpaid", {"data__overpaidAmount": "1", "data__amount": ...}, Reason.FIELD_MISSING),
        ("underpaid", {"data__underpaidAmount": "101"}, Reason.AMOUNT_UNREPRESENTABLE),
        ("overpaid", {"data__overpaidAmount": "-1"}, Reason.AMOUNT_UNREPRESENTABLE),
        ("confirmed", {"data__amount": ...}, Reason.FIELD_MISSING),
        ("confirmed", {"data__currency": ...}, Reason.FIELD_MISSING),
        ("confirmed", {"data__paymentId": ...}, Reason.FIELD_MISSING),
        ("confirmed", {"id": ...}, Reason.FIELD_MISSING),
        ("confirmed", {"data": ...}, Reason.FIELD_MISSING),
        ("confirmed", {"data": "text"}, Reason.FIELD_MALFORMED),
        ("confirmed", {"type": "payment.refunded"}, Reason.UNKNOWN_EVENT),
        ("confirmed", {"type": "Payment.Confirmed"}, Reason.UNKNOWN_EVENT),
        ("confirmed", {"type": ...}, Reason.FIELD_MISSING),
    ],
)
def test_contradictory_or_undocumented_delivery_is_not_understood(
    word: str, changes: dict[str, object], reason: Reason
) -> None:
    with pytest.raises(NotUnderstood) as refused:
        _event_of(word, **changes)

    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("changes", "unread"),
    [
        ({"createdAt": "yesterday"}, "occurred_at"),
        ({"createdAt": "2025-01-12T15:00:00"}, "occurred_at"),
        ({"createdAt": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        ({"data__network": 5}, "network"),
        ({"data__txHash": "a\nb"}, "tx_hash"),
        ({"data__depositAddress": "x" * 513}, "to_address"),
        ({"data__merchantUserId": "\ud83d"}, "customer.id"),
    ],
)
def test_unreadable_description_does_not_prevent_a_payment(
    changes: dict[str, object], unread: str
) -> None:
    event = _event_of("confirmed", **changes)

    assert event.unread == (unread,)
    assert event.fingerprint == _event_of().fingerprint


def test_body_that_is_not_json_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        PULSE.normalized(_signed(b"type=payment.confirmed"))


def test_repeated_event_has_same_id_and_another_type_has_another() -> None:
    first, again = _event_of(), _event_of(data__network="TRON")
    other = _event_of("expired")

    assert first.id == again.id != other.id
    assert first.id != _event_of(id="evt_2").id


def test_window_covers_all_retries() -> None:
    waits = timedelta(seconds=1 + 5 + 30 + 60 + 300)
    answers = 5 * timedelta(seconds=30)

    assert waits + answers < PROVIDER.tolerance == timedelta(minutes=10)
