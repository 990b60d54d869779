"""Events of BlockATM deliveries."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from router.contract.event import Event, EventType
from router.providers import Provider, discover
from router.providers.blockatm import PROVIDER
from tests.parts.providers.blockatm_deliveries import (
    PAYMENT,
    PAYOUT,
    RECEIVED,
    body_of,
    normalized,
    payment,
    payout,
    sample,
    signed,
)

_TX = "0x7614a9840d9422feaef4671e0ee98dd7092ebcba6e41076285f99d0b2b0de5fe"


def test_the_provider_is_found_by_its_name() -> None:
    assert isinstance(PROVIDER, Provider)
    assert discover()["blockatm"] is PROVIDER


def test_tolerance_covers_all_retries() -> None:
    retries = timedelta(minutes=1 + 5 + 30) + timedelta(hours=2 + 24)

    assert retries < PROVIDER.tolerance == timedelta(hours=27)
    assert (PROVIDER.answer.status, PROVIDER.answer.body) == (200, b"OK")


@pytest.mark.parametrize("name", ["published-payment", "published-payment-compact"])
def test_the_published_payment_is_understood(name: str) -> None:
    event = normalized(signed(sample(name), "payment"))

    assert event.model_dump(exclude={"raw", "verification", "id"}, exclude_none=True) == {
        "type": EventType.PAYMENT_CONFIRMED,
        "provider": "blockatm",
        "endpoint": "blockatm-main",
        "account": "shop-eu",
        "reference": "OrderNo_202504010023",
        "provider_reference": "8210003616",
        "amount": "2000.00",
        "currency": "USDT",
        "network": "Ethereum",
        "chain_id": "1",
        "tx_hash": _TX,
        "from_address": "0xa9e358e33a57e67c9b84618a52f0194c345c8e35",
        "customer": {"id": "CustNo_00240101"},
        "received_at": RECEIVED,
        "test": False,
        "unread": (),
    }


def test_the_published_payout_is_understood() -> None:
    event = normalized(signed(sample("published-payout"), "payout"))

    assert event.model_dump(exclude={"raw", "verification", "id"}, exclude_none=True) == {
        "type": EventType.PAYOUT_CONFIRMED,
        "provider": "blockatm",
        "endpoint": "blockatm-main",
        "account": "shop-eu",
        "reference": "B202505220012",
        "provider_reference": "B202505220012",
        "amount": "2000.00",
        "currency": "USDT",
        "fee": "2",
        "fee_currency": "USDT",
        "gas": "1",
        "gas_currency": "USDT",
        "network": "Ethereum",
        "chain_id": "1",
        "tx_hash": _TX,
        "from_address": "0xa9e358e33a57e67c9b84618a52f0194c345c8e35",
        "to_address": "0xa9e358E33a57E67c9B84618a52f0194C345C8e35",
        "customer": {"id": "CustNo_2022140101"},
        "occurred_at": datetime(2023, 8, 28, 8, 54, 21, 16000, tzinfo=UTC),
        "received_at": RECEIVED,
        "test": False,
        "unread": (),
    }


def test_the_published_body_with_numbers_is_understood() -> None:
    event = normalized(signed(sample("published-numbers-compact"), "Payment"))

    assert event.type is EventType.PAYMENT_CONFIRMED
    assert (event.amount, event.currency) == (Decimal(999), "USDT")
    assert event.reference is None


@pytest.mark.parametrize(
    ("name", "event", "golden"),
    [
        ("published-payment", "payment", "08c8712c-1a2a-5b46-9de6-660bb8d92826"),
        ("published-payout", "payout", "ab23b628-2e9e-55e4-82ba-b737bfbba549"),
        ("published-numbers-compact", "payment", "93bf827f-05f1-51b2-8cba-1d5742a645c6"),
    ],
)
def test_event_ids_never_change(name: str, event: str, golden: str) -> None:
    assert golden == str(normalized(signed(sample(name), event)).id)


def test_retry_with_new_signature_has_same_id_and_another_status_has_another() -> None:
    first, again, later = payment(), payment(network="ETH"), payment(status="CANCELLED")

    assert first.id == again.id != later.id


def test_status_with_another_amount_is_another_event() -> None:
    assert payment(amount="100").id != payment(amount="80").id
    assert payout(amount="100").id != payout(amount="80").id
    # Both words mean pending: the order is open, then the transaction is seen.
    opened, seen = payment(status="WAITING_PAYMENT", amount="0"), payment(status="PENDING")
    assert opened.type is seen.type is EventType.PAYMENT_PENDING
    assert opened.id != seen.id
    assert payment(amount=2000).id == payment(amount="2000.00").id


@pytest.mark.parametrize("event", ["payment", "Payment", "payment.success", "QR-Payment"])
def test_every_known_event_word_of_a_payment_is_accepted(event: str) -> None:
    assert normalized(signed(body_of(PAYMENT), event)).type is EventType.PAYMENT_CONFIRMED


@pytest.mark.parametrize("event", ["payout", "PAYOUT", "payout.success", "QR-Payout"])
def test_every_known_event_word_of_a_payout_is_accepted(event: str) -> None:
    assert normalized(signed(body_of(PAYOUT), event)).type is EventType.PAYOUT_CONFIRMED


def test_repeated_event_header_with_equal_values_is_accepted() -> None:
    event = normalized(signed(body_of(PAYMENT), "payment", "Payment"))

    assert event.type is EventType.PAYMENT_CONFIRMED


def test_without_an_event_header_the_body_decides_the_kind() -> None:
    assert normalized(signed(body_of(PAYMENT))).type is EventType.PAYMENT_CONFIRMED
    assert normalized(signed(body_of(PAYOUT))).type is EventType.PAYOUT_CONFIRMED


@pytest.mark.parametrize(
    ("make", "status", "expected"),
    [
        (payment, "PENDING", EventType.PAYMENT_PENDING),
        (payment, "WAITING_PAYMENT", EventType.PAYMENT_PENDING),
        (payment, "EXPIRED", EventType.PAYMENT_EXPIRED),
        (payment, "CANCELLED", EventType.PAYMENT_CANCELLED),
        (payment, 9, EventType.PAYMENT_CONFIRMED),
        (payment, "9", EventType.PAYMENT_CONFIRMED),
        (payment, 1, EventType.PAYMENT_PENDING),
        (payment, 0, EventType.PAYMENT_PENDING),
        (payment, -1, EventType.PAYMENT_EXPIRED),
        (payment, "-2", EventType.PAYMENT_FAILED),
        (payment, -3, EventType.PAYMENT_CANCELLED),
        (payout, "PENDING", EventType.PAYOUT_PENDING),
        (payout, "REFUSE", EventType.PAYOUT_FAILED),
        (payout, 0, EventType.PAYOUT_PENDING),
        (payout, "1", EventType.PAYOUT_CONFIRMED),
        (payout, 2, EventType.PAYOUT_FAILED),
    ],
)
def test_every_documented_status_has_its_meaning(
    make: Callable[..., Event], status: object, expected: EventType
) -> None:
    assert make(status=status).type is expected


def test_status_nine_is_success_in_every_version() -> None:
    event = normalized(signed(body_of(PAYMENT, status=9), "QR-Payment"))

    assert event.type is EventType.PAYMENT_CONFIRMED


def test_snake_case_is_read_like_camel_case() -> None:
    snake = {"custNo": ..., "cust_no": "CustNo_7", "orderNo": ..., "order_no": "A-1"}
    more = {"txId": ..., "tx_id": "0xab", "blockTime": ..., "block_time": "1693212861016"}

    assert payment(**snake, **more).model_dump(exclude={"raw", "verification"}) == (
        payment().model_dump(exclude={"raw", "verification"})
    )


def test_two_spellings_with_equal_values_are_one_field() -> None:
    assert payment(order_no="A-1").reference == "A-1"


@pytest.mark.parametrize("absent", ["", None, ...])
def test_optional_fields_may_be_empty_null_or_missing(absent: object) -> None:
    names = ["orderNo", "custNo", "txId", "fromAddress", "network", "chainId", "blockTime"]

    event = payment(**dict.fromkeys([*names, "cashierId", "orderType"], absent))

    assert (event.reference, event.customer.id, event.tx_hash) == (None, None, None)
    assert (event.from_address, event.network, event.occurred_at) == (None, None, None)


@pytest.mark.parametrize("status", ["PENDING", "EXPIRED", "CANCELLED", -2])
def test_a_payment_without_money_may_lack_amount_and_symbol(status: object) -> None:
    event = payment(status=status, amount=..., symbol=...)

    assert (event.amount, event.currency) == (None, None)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("ETH", "Ethereum"),
        ("ethereum", "Ethereum"),
        ("TRX", "TRON"),
        ("TRC20", "TRON"),
        ("Tron", "TRON"),
        ("bsc", "BSC"),
        ("Arbitrum", "Arbitrum"),
    ],
)
def test_networks_have_one_name_each_and_unknown_names_are_unchanged(
    network: str, expected: str
) -> None:
    assert payment(network=network).network == expected


def test_currencies_are_upper_case_and_fees_in_usdt() -> None:
    event = payout(symbol="usdc")

    assert (event.currency, event.fee_currency, event.gas_currency) == ("USDC", "USDT", "USDT")
    assert (event.fee, event.gas) == (Decimal(2), Decimal("1.5"))


def test_chain_id_may_be_text_or_number() -> None:
    assert payment(chainId=56).chain_id == payment(chainId="56").chain_id == "56"


def test_numbers_keep_every_digit() -> None:
    body = body_of(PAYMENT, amount=...)[:-1] + b', "amount": 12345678901234567890.10}'

    event = normalized(signed(body, "payment"))

    assert event.model_dump(mode="json")["amount"] == "12345678901234567890.10"
