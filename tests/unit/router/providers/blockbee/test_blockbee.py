"""Events of BlockBee messages."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from router.contract.event import Event
from router.delivery import Delivery
from router.errors import NotOurs, NotUnderstood, Reason, Unreadable
from router.providers.blockbee import PROVIDER
from router.providers.blockbee._reference import order_query
from tests.parts.providers.blockbee_deliveries import (
    ADDRESS,
    CHECKOUT,
    CONFIRMED,
    DEPOSIT,
    FORM,
    JSON,
    PAYOUT,
    PENDING,
    PLACE,
    SECRETS,
    SUBSCRIPTION,
    bee,
    changed,
    event_of,
    got,
    posted,
    posted_bytes,
)

_Members = Mapping[str, object]
_FORMS = ["get", "form", "json"]


def _sent(form: str, members: _Members, query: str = "") -> Delivery:
    if form == "get":
        return got(members, query)
    return posted(members, query, FORM if form == "form" else JSON)


def test_answer_is_exactly_the_one_that_stops_the_retries() -> None:
    assert (PROVIDER.answer.status, PROVIDER.answer.body) == (200, b"*ok*")
    assert PROVIDER.answer.content_type == "text/plain"


@pytest.mark.parametrize("form", _FORMS)
def test_a_payment_is_seen_and_then_confirmed(form: str) -> None:
    seen, done = event_of(_sent(form, PENDING)), event_of(_sent(form, CONFIRMED))

    assert (seen.type, done.type) == ("payment.pending", "payment.confirmed")
    assert seen.provider_reference == done.provider_reference == PENDING["uuid"]
    assert (seen.amount, done.amount) == (None, Decimal("0.05"))
    assert (done.currency, done.network) == ("BTC", "Bitcoin")
    assert (done.fee, done.fee_currency) == (Decimal("0.0005"), "BTC")
    assert (done.tx_hash, done.to_address) == ("a2174ffd", ADDRESS)


def test_one_uuid_for_both_does_not_make_the_confirmation_a_redelivery() -> None:
    ids = {event_of(_sent(form, m)).id for form in _FORMS for m in (PENDING, CONFIRMED)}

    assert len(ids) == 2


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize(
    ("changes", "happened", "amount"),
    [
        ({}, "payment.confirmed", "30.5"),
        ({"is_paid": 0, "status": "pending"}, "payment.underpaid", "30.5"),
        ({"is_paid": 0, "paid_amount": "0"}, "payment.pending", "0"),
    ],
)
def test_a_checkout_is_paid_in_part_or_whole(
    form: str, changes: dict[str, object], happened: str, amount: str
) -> None:
    event = event_of(_sent(form, changed(CHECKOUT, **changes)))

    assert (event.type, event.provider_reference) == (happened, "PAY-1")
    assert event.amount == Decimal(amount)
    assert (event.currency, event.network) == ("USDT", "TRON")
    assert (event.tx_hash, event.to_address) == ("0xaa", ADDRESS)
    # The unit of `value` is not clear.
    assert event.expected_amount is None


def test_every_further_part_of_a_checkout_is_a_separate_event() -> None:
    def part(amount: str) -> Event:
        return event_of(posted(changed(CHECKOUT, is_paid=0, paid_amount=amount)))

    assert len({part("1").id, part("2").id, event_of(posted(CHECKOUT)).id}) == 3
    assert part("1").id == part("1.00").id


@pytest.mark.parametrize("form", _FORMS)
def test_a_deposit_is_a_payment(form: str) -> None:
    event = event_of(_sent(form, DEPOSIT))

    assert (event.type, event.provider_reference) == ("payment.confirmed", DEPOSIT["uuid"])
    assert (event.amount, event.currency, event.network) == (Decimal(10), "USDC", "Polygon")


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize(
    ("action", "happened"),
    [("renew", "subscription.renewed"), ("expired", "subscription.expired")],
)
def test_a_subscription_is_renewed_or_expires(form: str, action: str, happened: str) -> None:
    event = event_of(_sent(form, changed(SUBSCRIPTION, action=action)))

    assert (event.type, event.provider_reference) == (happened, "SUB-1")
    assert (event.customer.id, event.customer.email) == ("user-7", "payer@shop.example")
    assert event.amount is None


def test_a_renewal_of_the_next_term_is_another_event() -> None:
    later = changed(SUBSCRIPTION, subscription_end_date_ts=1738368000)

    assert event_of(posted(later)).id != event_of(posted(SUBSCRIPTION)).id


@pytest.mark.parametrize("form", ["get", "form"])
@pytest.mark.parametrize(
    ("status", "happened"), [("done", "payout.confirmed"), ("error", "payout.failed")]
)
def test_a_payout_has_no_amount(form: str, status: str, happened: str) -> None:
    event = event_of(_sent(form, changed(PAYOUT, status=status, error="no funds")))

    assert (event.type, event.provider_reference, event.amount) == (happened, "OUT-1", None)


def test_ids_never_change() -> None:
    members = [PENDING, CONFIRMED, CHECKOUT, DEPOSIT, SUBSCRIPTION, PAYOUT]

    assert [str(event_of(posted(each)).id) for each in members] == [
        "47ba3007-cc54-55dd-8745-8bb044b304da",
        "c4be30b9-ec61-59c7-9c93-9aa49b85413b",
        "fb588e4b-c1b5-5c9a-b2bd-41bdbb878e1a",
        "dc548afb-dc2b-5a68-948e-678584cbfba3",
        "4745ecc7-b1db-5f40-b2f5-d579aaf04959",
        "8c6475b1-d56b-52b9-b0b2-4cb1c786c565",
    ]


@pytest.mark.parametrize(
    ("coin", "currency", "network"),
    [
        ("btc", "BTC", "Bitcoin"),
        ("BTC", "BTC", "Bitcoin"),
        ("trc20_usdt", "USDT", "TRON"),
        ("erc20_usdt", "USDT", "Ethereum"),
        ("bep20_usdt", "USDT", "BSC"),
        ("polygon_usdt", "USDT", "Polygon"),
        ("xno", "XNO", None),
    ],
)
def test_a_ticker_names_currency_and_network(coin: str, currency: str, network: str | None) -> None:
    event = event_of(posted(changed(CONFIRMED, coin=coin)))

    assert (event.currency, event.network) == (currency, network)


@pytest.mark.parametrize("value", [0.05, "0.05", "5E-2"])
def test_an_amount_may_be_a_number_in_json(value: object) -> None:
    event = event_of(posted(changed(CONFIRMED, value_coin=value), media=JSON))

    assert event.amount == Decimal("0.05")


@pytest.mark.parametrize("txid", ["0xaa,0xbb", ["0xaa", "0xbb"]])
def test_several_transactions_name_no_single_one(txid: object) -> None:
    assert event_of(posted(changed(CHECKOUT, txid=txid), media=JSON)).tx_hash is None


@pytest.mark.parametrize(
    ("members", "reason", "field"),
    [
        (changed(CONFIRMED, value_coin=...), Reason.FIELD_MISSING, "value_coin"),
        (changed(CONFIRMED, coin=...), Reason.FIELD_MISSING, "coin"),
        (changed(CONFIRMED, coin="moon_usdt"), Reason.FIELD_MALFORMED, "coin"),
        (changed(CONFIRMED, coin="trc20_"), Reason.FIELD_MALFORMED, "coin"),
        (changed(CONFIRMED, pending=2), Reason.FIELD_MALFORMED, "pending"),
        (changed(CONFIRMED, pending="no"), Reason.FIELD_MALFORMED, "pending"),
        (changed(CONFIRMED, pending=False), Reason.FIELD_MALFORMED, "pending"),
        (changed(CONFIRMED, pending=...), Reason.UNKNOWN_EVENT, "fields"),
        (changed(CONFIRMED, value_coin="-1"), Reason.AMOUNT_UNREPRESENTABLE, "value_coin"),
        (changed(CONFIRMED, value_coin="1" * 21), Reason.AMOUNT_UNREPRESENTABLE, "value_coin"),
        (changed(CONFIRMED, fee_coin="x"), Reason.AMOUNT_UNREPRESENTABLE, "fee_coin"),
        (changed(CONFIRMED, value_coin=True), Reason.FIELD_MALFORMED, "value_coin"),
        (changed(CONFIRMED, uuid=5), Reason.FIELD_MALFORMED, "uuid"),
        (changed(CONFIRMED, uuid="a" * 513), Reason.FIELD_MALFORMED, "uuid"),
        (changed(CHECKOUT, status="error"), Reason.UNKNOWN_STATUS, "status"),
        (changed(CHECKOUT, status=...), Reason.UNKNOWN_STATUS, "status"),
        (changed(CHECKOUT, is_paid="yes"), Reason.FIELD_MALFORMED, "is_paid"),
        (changed(CHECKOUT, paid_amount="", is_paid=0), Reason.FIELD_MISSING, "paid_amount"),
        (changed(CHECKOUT, paid_amount=...), Reason.FIELD_MISSING, "paid_amount"),
        (changed(CHECKOUT, paid_coin=...), Reason.FIELD_MISSING, "paid_coin"),
        (changed(DEPOSIT, status="pending"), Reason.UNKNOWN_STATUS, "status"),
        (changed(DEPOSIT, status=...), Reason.FIELD_MISSING, "status"),
        (changed(DEPOSIT, paid_amount=...), Reason.FIELD_MISSING, "paid_amount"),
        (changed(SUBSCRIPTION, action="paused"), Reason.UNKNOWN_EVENT, "action"),
        (changed(SUBSCRIPTION, subscription_end_date_ts=...), Reason.FIELD_MISSING, "subscr"),
        (changed(PAYOUT, id=...), Reason.FIELD_MISSING, "id"),
        (changed(PAYOUT, id=1.5), Reason.FIELD_MALFORMED, "id"),
        (changed(PAYOUT, id=-5), Reason.FIELD_MALFORMED, "id"),
        (changed(CHECKOUT, payment_id=-5), Reason.FIELD_MALFORMED, "payment_id"),
        (changed(SUBSCRIPTION, subscription_id=-5), Reason.FIELD_MALFORMED, "subscription_id"),
        (changed(SUBSCRIPTION, subscription_end_date_ts=-5), Reason.FIELD_MALFORMED, "subscr"),
        (changed(PAYOUT, status="expired"), Reason.UNKNOWN_STATUS, "status"),
        ({"a": 1}, Reason.UNKNOWN_EVENT, "fields"),
        ({}, Reason.UNKNOWN_EVENT, "fields"),
        ({**CONFIRMED, **CHECKOUT}, Reason.AMBIGUOUS, "fields of two kinds"),
    ],
)
def test_misunderstood_delivery_reports_its_reason(
    members: _Members, reason: Reason, field: str
) -> None:
    with pytest.raises(NotUnderstood) as refused:
        event_of(posted(members, media=JSON))

    assert refused.value.reason is reason
    assert refused.value.detail.startswith(field)


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b'{"uuid":1,"uuid":2}', JSON),
        (b"[]", JSON),
        (b"uuid=1", JSON),
        (b"", JSON),
        (b"a=1&" * 1001, FORM),
    ],
)
def test_body_that_contradicts_its_content_type_is_unreadable(body: bytes, media: str) -> None:
    with pytest.raises(Unreadable, match=Reason.NOT_PARSEABLE):
        event_of(posted_bytes(body, media=media))


def test_merchant_parameters_are_among_the_fields_of_a_get() -> None:
    event = event_of(got(CONFIRMED, "payment_id=12345&type=shop&a=1&a=2&id=7&status=new"))

    assert (event.type, event.provider_reference) == ("payment.confirmed", CONFIRMED["uuid"])


def test_order_number_in_a_signed_url_is_used() -> None:
    assert event_of(got(CONFIRMED, "order_id=A%201")).reference == "A 1"
    assert event_of(got(CONFIRMED)).reference is None


def test_order_number_under_post_needs_a_valid_hmac() -> None:
    endpoint = bee().endpoint
    good = order_query(endpoint, "A-1")

    assert event_of(posted(CONFIRMED, good)).reference == "A-1"
    assert event_of(posted(CONFIRMED, good.replace("A-1", "A-2"))).reference is None
    assert event_of(posted(CONFIRMED, "order_id=A-1")).reference is None
    assert event_of(posted(CONFIRMED, "x=1&" * 1001 + good)).reference is None
    assert event_of(posted(CONFIRMED, "order_id=A-1&order_id_mac=%C3%A9")).reference is None


def test_hmac_is_valid_for_one_endpoint_while_its_secret_is_active() -> None:
    before = bee(replace(PLACE, keys=SECRETS[1:]))
    elsewhere = bee(replace(PLACE, name="other"))
    gone = bee(replace(PLACE, keys=SECRETS[:1]))
    query = before.order_query("A-1")

    assert event_of(posted(CONFIRMED, query)).reference == "A-1"
    assert event_of(posted(CONFIRMED, query), elsewhere).reference is None
    assert event_of(posted(CONFIRMED, query), gone).reference is None


def test_the_parameter_may_have_another_name() -> None:
    provider = bee(reference_parameter="ref")

    assert event_of(got(CONFIRMED, "ref=A-1&order_id=A-2"), provider).reference == "A-1"
    assert provider.order_query("A-1").startswith("ref=A-1&ref_mac=")


@pytest.mark.parametrize("name", ["uuid", "pending", "order id", "", "a&b", "a\n", "x" * 65])
def test_reserved_parameter_name_fails_the_start(name: str) -> None:
    with pytest.raises(ValidationError, match="reference_parameter"):
        bee(reference_parameter=name)


@pytest.mark.parametrize(
    ("members", "options"),
    [
        (CONFIRMED, {"expected_addresses": ["other"]}),
        (CHECKOUT, {"expected_addresses": ["other"]}),
        (DEPOSIT, {"expected_addresses": ["other"]}),
        (changed(CONFIRMED, address_out='{"o1": 0.5, "x": 0.5}'), {"expected_addresses": ["o1"]}),
        (CHECKOUT, {"expected_payments": ["PAY-2"]}),
        (SUBSCRIPTION, {"expected_payments": ["PAY-2"]}),
    ],
)
@pytest.mark.parametrize("form", _FORMS)
def test_delivery_about_another_merchants_payment_is_refused_as_foreign(
    form: str, members: _Members, options: dict[str, Any]
) -> None:
    with pytest.raises(NotOurs) as refused:
        event_of(_sent(form, members), bee(**options))

    assert refused.value.reason is Reason.NOT_OURS


@pytest.mark.parametrize(
    ("members", "options"),
    [
        (CONFIRMED, {"expected_addresses": ["other", ADDRESS]}),
        (CONFIRMED, {"expected_addresses": CONFIRMED["address_out"]}),
        (changed(CONFIRMED, address_out='{"o1": 1}'), {"expected_addresses": ["o1", "o2"]}),
        (changed(CONFIRMED, address_out={"o1": 1}), {"expected_addresses": ["o1", "o2"]}),
        (CHECKOUT, {"expected_payments": ["PAY-1"], "expected_addresses": ADDRESS}),
        (SUBSCRIPTION, {"expected_payments": ["SUB-1"], "expected_addresses": ["other"]}),
        (PAYOUT, {"expected_payments": ["PAY-2"], "expected_addresses": ["other"]}),
    ],
)
def test_delivery_with_expected_or_no_addresses_is_accepted(
    members: _Members, options: dict[str, Any]
) -> None:
    assert event_of(posted(members, media=JSON), bee(**options)).account == "shop-eu"


def test_order_url_needs_only_url_encoding() -> None:
    query = bee().order_query("Größe 1&2")

    assert query.startswith(urlencode({"order_id": "Größe 1&2"}) + "&order_id_mac=")
    assert event_of(posted(CONFIRMED, query)).reference == "Größe 1&2"
