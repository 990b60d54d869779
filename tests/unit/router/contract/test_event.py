"""The event and what identifies it."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from router.contract.event import Event, EventType, event_id, fingerprint
from router.contract.fields import MAX_TEXT, storable
from router.contract.identity import contradicts, gateway_name
from router.contract.topics import FAMILIES
from tests.parts.contract.events import event


@pytest.mark.parametrize(
    ("identity", "golden"),
    [
        (
            ("blockatm", "shop-eu", "payment", "1", "confirmed"),
            "8f59e484-66cd-55b1-85b3-a261824837bd",
        ),
        (
            ("blockatm", "shop-us", "payment", "1", "confirmed"),
            "6cac1a0e-3f19-5970-8984-26c1637b22e4",
        ),
        (("resmic", "shop-eu", "é/\u0416", "confirmed"), "6f105bf7-8122-591c-ac9e-4f5633214ed1"),
    ],
)
def test_event_ids_never_change(identity: tuple[str, ...], golden: str) -> None:
    assert golden == str(event_id(*identity))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=4))
def test_parts_of_an_identity_are_kept_apart(parts: list[str]) -> None:
    joined = ["".join(parts[:2]), *parts[2:]]

    assert event_id("p", "a", *parts) != event_id("p", "a", *joined)


@pytest.mark.parametrize("word", list(EventType))
def test_every_type_has_a_topic_and_a_status(word: EventType) -> None:
    assert word.family in FAMILIES
    assert f"{word.family}.{word.status}" == word.value


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reference": None, "provider_reference": None}, "reference or provider_reference"),
        ({"currency": None}, "amount needs currency"),
        ({"expected_amount": "1"}, "expected_amount needs expected_currency"),
        ({"fee": "1"}, "fee needs fee_currency"),
        ({"gas": "1"}, "gas needs gas_currency"),
        ({"fee_returned": "1"}, "fee_returned needs fee_currency"),
        ({"converted": "1"}, "converted needs converted_currency"),
        ({"movement_amount": "1"}, "movement_amount needs movement"),
        (
            {"movement": "re_1", "movement_amount": "1", "amount": None, "currency": None},
            "movement_amount needs currency",
        ),
        ({"amount": 2000.5}, "not float"),
        ({"type": "payment.confirmd"}, "type"),
        ({"received_at": datetime(2026, 11, 22)}, "received_at"),  # noqa: DTZ001 - the naive one
        ({"reference": ""}, "reference"),
        ({"reference": "x" * (MAX_TEXT + 1)}, "reference"),
        ({"reference": "a\x00b"}, "reference"),
        ({"account": "a\nb"}, "account"),
        ({"tx_hash": "\ud800"}, "tx_hash"),
        ({"customer": {"email": "\x7f"}}, "customer.email"),
        ({"verification": {"scheme": "", "key": "k"}}, "verification.scheme"),
    ],
)
def test_event_that_cannot_be_stored_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        event(**changes)


def test_a_refusal_does_not_repeat_the_input() -> None:
    with pytest.raises(ValidationError) as refused:
        event(reference="hush\x00hush", amount="hush")

    assert "hush" not in str(refused.value)


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        event().account = "other"  # type: ignore[misc] # the attempt is the test


def test_missing_facts_are_null_and_unknown_fields_are_ignored() -> None:
    happened = event(reference=None, amount=None, currency=None, later_field=1)

    assert (happened.amount, happened.fee, happened.network) == (None, None, None)
    assert happened.customer.id is None
    assert "later_field" not in happened.model_dump()


def test_events_of_an_order_have_the_same_key_from_any_gateway() -> None:
    first = event(provider="blockatm", provider_reference="1")
    second = event(provider="resmic", provider_reference="2")

    assert first.key == second.key == b'["shop-eu","A-1"]'


def test_orders_of_two_merchants_with_the_same_reference_have_different_keys() -> None:
    assert event(account="shop-eu").key != event(account="shop-us").key


def test_key_uses_the_gateways_reference_if_there_is_no_order() -> None:
    assert event(reference=None).key == b'["shop-eu","blockatm","8210003616"]'


def test_moment_is_the_gateways_time_if_there_is_one() -> None:
    at = datetime(2023, 8, 28, tzinfo=UTC)

    assert event(occurred_at=at).moment == at
    assert event().moment == event().received_at


def test_fingerprint_has_the_facts_that_a_redelivery_must_repeat() -> None:
    moved = event(movement="re_1", movement_amount="12.50")

    assert json.loads(fingerprint(moved)) == [
        "1",
        "payment.confirmed",
        "shop-eu",
        "A-1",
        "8210003616",
        "2000",
        "USDT",
        "re_1",
        "12.5",
    ]


def test_a_redelivery_has_the_same_fingerprint() -> None:
    again = event(
        amount="2000.000",
        endpoint="blockatm-second",
        received_at=datetime(2027, 1, 1, tzinfo=UTC),
        network="Ethereum",
    )

    assert fingerprint(event()) == fingerprint(again)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "payment.overpaid"},
        {"account": "shop-us"},
        {"reference": "A-2"},
        {"provider_reference": "2"},
        {"amount": "2000.01"},
        {"currency": "USDC"},
    ],
)
def test_different_value_contradicts(changes: dict[str, object]) -> None:
    assert contradicts(fingerprint(event()), fingerprint(event(**changes)))


@pytest.mark.parametrize("changes", [{"movement": "re_2"}, {"movement_amount": "12.51"}])
def test_another_movement_contradicts(changes: dict[str, object]) -> None:
    moved = {"movement": "re_1", "movement_amount": "12.5"}

    assert contradicts(fingerprint(event(**moved)), fingerprint(event(**{**moved, **changes})))


@pytest.mark.parametrize("absent", ["reference", "provider_reference", "amount"])
def test_null_does_not_contradict_a_value(absent: str) -> None:
    less = event(**{absent: None})

    assert fingerprint(less) != fingerprint(event())
    assert not contradicts(fingerprint(less), fingerprint(event()))
    assert not contradicts(fingerprint(event()), fingerprint(less))


@pytest.mark.parametrize("text", ["\x00", "a\n", "\x7f", "\x9f", "a\ud800", "\udfff"])
def test_text_that_a_store_could_not_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="without control characters"):
        storable(text)


@given(st.text())
def test_storable_text_is_returned_unchanged_and_other_text_is_refused(text: str) -> None:
    try:
        kept = storable(text)
    except ValueError:
        assert any(ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in text)
    else:
        assert kept == text
        assert kept.encode().decode() == text


def test_event_id_must_be_a_uuid() -> None:
    assert isinstance(event().id, UUID)
    with pytest.raises(ValidationError, match="id"):
        Event.model_validate({**event().model_dump(), "id": "A-1"})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"type": "payment.pending"}, True),
        ({"type": "payout.failed"}, True),
        ({"type": "subscription.expired"}, False),
        ({"type": "subscription.renewed", "amount": "5", "currency": "EUR"}, True),
        ({"type": "subscription.renewed", "gas": "0", "gas_currency": "ETH"}, True),
    ],
)
def test_payments_payouts_and_amounts_are_about_money(
    changes: dict[str, object],
    expected: bool,  # noqa: FBT001
) -> None:
    bare = {"amount": None, "currency": None}

    assert event(**{**bare, **changes}).about_money is expected


def test_no_gateway_is_named_operator() -> None:
    assert gateway_name("operators") == "operators"
    with pytest.raises(ValueError, match="operator is reserved"):
        gateway_name("operator")
