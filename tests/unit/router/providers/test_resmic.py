"""Resmic Pro: a status, true or false, delivered once."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from router.contract.event import Event, EventType
from router.delivery import Delivery
from router.errors import NotUnderstood, Reason, Unauthentic, Unreadable
from router.providers import Key, Provider, Simulation
from router.providers.resmic import PROVIDER
from tests.parts.providers.deliveries import Gateway, body_of, delivery, facts, hex_hmac

RESMIC = Gateway(PROVIDER, Key(b"5f1c2c5e-7b1a-4e0e-9a53-0d1f6c1d9b11", "fp:sample"))
_SAMPLES = Path(__file__).parents[3] / "samples" / "resmic"
_SUCCESS = {
    "session_id": "591abe63",
    "amount": "20",
    "blockchain": "TRON",
    "token": "USDT",
    "transaction_hash": "0xab",
    "txTime": "Mar 5, 2025, 03:36",
    "status": True,
}

# There is no published test vector; these were made with other programs.
_VECTORS = {
    "success": "321ecd9dee20725b6cee49de2783d5111a28535c192d30df32684240fe0c9399",
    "failed": "7514307a4c5c5aeee799b3a179f15e25291ffaeb7900d10837eab9824a68ac32",
    "beyond-ascii": "ce811d9705049f27ff2ec7b3209644dd8970a16c961a416134d7d2f66e107f6a",
}


def _vector(name: str) -> Delivery:
    body = (_SAMPLES / f"{name}.json").read_bytes()
    return delivery(body, ("x-signature", _VECTORS[name]))


def _signed(body: bytes) -> Delivery:
    return delivery(body, ("x-signature", hex_hmac(RESMIC.key.secret, body)))


def _event_of(**changes: object) -> Event:
    return RESMIC.normalized(_signed(body_of(_SUCCESS, changes)))


@pytest.mark.parametrize("name", _VECTORS)
def test_a_vector_is_genuine_byte_for_byte(name: str) -> None:
    verified = RESMIC.verified(_vector(name))

    assert (verified.verification.scheme, verified.signed_at) == ("resmic-raw", None)
    assert verified.raw().headers == {"x-signature": _VECTORS[name]}


@pytest.mark.parametrize("name", _VECTORS)
def test_vector_of_another_body_is_refused(name: str) -> None:
    other = next(other for other in _VECTORS if other != name)
    body = _vector(other).body

    with pytest.raises(Unauthentic) as refused:
        RESMIC.verified(delivery(body, ("x-signature", _VECTORS[name])))

    assert refused.value.reason is Reason.SIGNATURE_WRONG


def test_reserialised_body_does_not_verify() -> None:
    spaced = _vector("success").body.replace(b":", b": ")

    with pytest.raises(Unauthentic):
        RESMIC.verified(delivery(spaced, ("x-signature", _VECTORS["success"])))


def test_the_documented_success_is_a_payment_of_the_price() -> None:
    assert facts(RESMIC.normalized(_vector("success"))) == {
        "type": EventType.PAYMENT_CONFIRMED,
        "provider": "resmic",
        "provider_reference": "591abe63-aa61-411d-a419-0b546729bbd0",
        "amount": "20",
        "currency": "DAI",
        "amount_claimed": True,
        "expected_amount": "20",
        "expected_currency": "DAI",
        "network": "Sepolia",
        "tx_hash": "0xa43df332c8d376fc14ffc992c4b87e04a5707a3bc7a92ec4eef7b90c66388db2",
        "from_address": "0x056397760b973BfB921Bc10Be9DA5034B1e921d7",
        "occurred_at": datetime(2025, 3, 5, 3, 36, tzinfo=UTC),
        "test": True,
    }


def test_documented_failure_has_no_amount() -> None:
    assert facts(RESMIC.normalized(_vector("failed"))) == {
        "type": EventType.PAYMENT_FAILED,
        "provider": "resmic",
        "provider_reference": "591abe63-aa61-411d-a419-0b546729bbd0",
        "occurred_at": datetime(2025, 3, 5, 0, 15, tzinfo=UTC),
    }


def test_an_amount_without_a_currency_is_not_guessed() -> None:
    with pytest.raises(NotUnderstood) as refused:
        RESMIC.normalized(_vector("beyond-ascii"))

    assert refused.value.detail == "token: required"


@pytest.mark.parametrize(
    ("name", "golden"),
    [
        ("success", "b5841af4-e3ff-55a8-9ad2-5538025355ff"),
        ("failed", "cef26537-0fa2-5dcb-9f5e-eb01208d7b83"),
    ],
)
def test_event_ids_never_change(name: str, golden: str) -> None:
    assert golden == str(RESMIC.normalized(_vector(name)).id)


def test_repeated_session_is_one_event_and_its_failure_another() -> None:
    first, again = _event_of(), _event_of(txTime="Mar 6, 2025, 01:00", transaction_hash="0xcd")

    assert first.id == again.id != _event_of(status=False).id


def test_failure_has_no_amount_even_with_a_price() -> None:
    event = _event_of(status=False)

    assert (event.amount, event.currency) == (None, None)
    assert (event.expected_amount, event.expected_currency) == (Decimal(20), "USDT")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mar 5, 2025, 24:15", datetime(2025, 3, 5, 0, 15, tzinfo=UTC)),
        ("Dec 31, 2025, 23:59", datetime(2025, 12, 31, 23, 59, tzinfo=UTC)),
        ("Feb 30, 2025, 10:00", None),
        ("Mar 5, 2025, 25:15", None),
        ("Mrz 5, 2025, 03:36", None),
        ("2025-03-05T03:36:00Z", None),
        ("", None),
        ("Mar 5, 2025, 03:36 AM", None),
        ("Mar 5, 0000, 03:36", None),
    ],
)
def test_time_of_sending_is_read_in_the_format_of_node(
    text: str, expected: datetime | None
) -> None:
    event = _event_of(txTime=text)

    assert event.occurred_at == expected
    assert event.unread == (() if expected or not text else ("occurred_at",))


@pytest.mark.parametrize(
    ("changes", "unread"),
    [
        ({"blockchain": 1}, "network"),
        ({"txTime": 5}, "occurred_at"),
        ({"transaction_hash": {}}, "tx_hash"),
        ({"from_wallet_address": "\u0000"}, "from_address"),
    ],
)
def test_unreadable_description_does_not_prevent_a_payment(
    changes: dict[str, object], unread: str
) -> None:
    event = _event_of(**changes)

    assert event.unread == (unread,)
    assert event.fingerprint == _event_of().fingerprint


@pytest.mark.parametrize(
    ("network", "told"),
    [("Sepolia", True), ("Polygon Amoy", True), ("Ethereum", False), ("Moonbeam", None)],
)
def test_network_decides_test_or_live_money(network: str, told: object) -> None:
    assert _event_of(blockchain=network).test is told


@pytest.mark.parametrize(
    ("changes", "reason", "place"),
    [
        ({"status": "false"}, Reason.FIELD_MALFORMED, "status"),
        ({"status": "true"}, Reason.FIELD_MALFORMED, "status"),
        ({"status": 1}, Reason.FIELD_MALFORMED, "status"),
        ({"status": None}, Reason.FIELD_MISSING, "status"),
        ({"status": ...}, Reason.FIELD_MISSING, "status"),
        ({"session_id": ...}, Reason.FIELD_MISSING, "session_id"),
        ({"session_id": ""}, Reason.FIELD_MISSING, "session_id"),
        ({"session_id": 7}, Reason.FIELD_MALFORMED, "session_id"),
        ({"session_id": "a\nb"}, Reason.FIELD_MALFORMED, "session_id"),
        ({"amount": ...}, Reason.FIELD_MISSING, "amount"),
        ({"amount": "1,5"}, Reason.AMOUNT_UNREPRESENTABLE, "amount"),
        ({"amount": []}, Reason.FIELD_MALFORMED, "amount"),
        ({"token": ...}, Reason.FIELD_MISSING, "token"),
    ],
)
def test_undocumented_delivery_is_not_understood(
    changes: dict[str, object], reason: Reason, place: str
) -> None:
    with pytest.raises(NotUnderstood) as refused:
        _event_of(**changes)

    assert refused.value.reason is reason
    assert refused.value.detail.startswith(f"{place}: ")


def test_body_that_is_not_an_object_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        RESMIC.normalized(_signed(b"[true]"))


def test_provider_has_no_window_and_answers_like_the_sample() -> None:
    provider: Provider = PROVIDER

    assert provider.tolerance is None
    assert provider.answer.body == (b'{"success":true,"message":"Webhook processed successfully"}')


def test_hour_after_midnight_is_simulated_in_the_format_of_node() -> None:
    at = datetime(2026, 1, 2, 0, 5, tzinfo=UTC)
    wanted = Simulation("payment", "confirmed", "A-1", "1", "USDT", 7, at)
    made = PROVIDER.simulate(wanted, RESMIC.key, "/webhooks/shop")

    assert b'"txTime":"Jan 2, 2026, 24:05"' in made.body
    assert RESMIC.normalized(replace(made, account="shop-eu")).occurred_at == at
    with pytest.raises(KeyError):
        PROVIDER.simulate(replace(wanted, status="pending"), RESMIC.key, "/webhooks/shop")
