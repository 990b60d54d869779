"""Mapping of a configured gateway: paths, words, units, identity."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from router.contract.event import Event, EventType
from router.errors import ConfigurationError, NotUnderstood, Reason
from router.providers import Simulation
from tests.parts.providers.configured import endpoint, gateway
from tests.parts.providers.deliveries import Gateway, body_of, delivery, hex_hmac

_SECRET = "acme-secret"
_MAPPING: dict[str, object] = {
    "gateway": "acme",
    "event": "what",
    "events": {"paid": "payment.confirmed", "open": "payment.pending", "sent": "payout.confirmed"},
    "fields": {
        "provider_reference": "p.id",
        "reference": "p.order",
        "amount": "p.sum",
        "currency": "p.coin",
        "fee": "p.fee",
        "fee_currency": "p.coin",
        "network": "p.chain",
        "chain_id": "p.chain_id",
        "tx_hash": "p.tx",
        "from_address": "p.from",
        "to_address": "p.to",
        "customer_id": "p.who",
        "customer_email": "p.mail",
        "occurred_at": "at",
    },
}
_PAID: dict[str, object] = {
    "what": "paid",
    "at": "2026-01-02T03:04:05Z",
    "p": {
        "id": 77,
        "order": "A-1",
        "sum": "12.50",
        "coin": "usdt",
        "fee": 0.1,
        "chain": "trc20",
        "chain_id": 728126428,
        "tx": "0xab",
        "from": "T1",
        "to": "T2",
        "who": 5,
        "mail": "a@b.c",
    },
}


def _acme(**changes: object) -> Gateway:
    mapping = json.loads(body_of(_MAPPING, {k.replace("__", "."): v for k, v in changes.items()}))
    return gateway("generic_hmac", secrets=[_SECRET], mapping=mapping)


def _event_of(own: Gateway, **changes: object) -> Event:
    body = body_of(_PAID, {name.replace("__", "."): value for name, value in changes.items()})
    return own.normalized(delivery(body, ("x-signature", hex_hmac(_SECRET.encode(), body))))


def test_every_field_is_taken_from_its_path() -> None:
    event = _event_of(_acme())

    left_out = {"id", "raw", "verification", "endpoint", "account", "received_at"}
    assert event.model_dump(exclude=left_out, exclude_none=True) == {
        "type": EventType.PAYMENT_CONFIRMED,
        "provider": "acme",
        "provider_reference": "77",
        "reference": "A-1",
        "amount": "12.50",
        "currency": "USDT",
        "fee": "0.1",
        "fee_currency": "USDT",
        "network": "TRON",
        "chain_id": "728126428",
        "tx_hash": "0xab",
        "from_address": "T1",
        "to_address": "T2",
        "customer": {"id": "5", "email": "a@b.c"},
        "occurred_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "test": False,
        "unread": (),
    }


def test_payment_word_and_amount_are_the_identity_unless_fields_are_named() -> None:
    own, named = _acme(), _acme(identity=["delivery"])
    others = [
        _event_of(own, **change)
        for change in (
            {"what": "open"},
            {"p__id": 78},
            {"p__sum": "13"},
            {"p__id": "7", "what": "paid"},
        )
    ]

    # The same amount in another spelling is no other amount.
    assert _event_of(own).id == _event_of(own, p__sum="12.5").id
    assert len({_event_of(own).id, *(event.id for event in others)}) == 5
    first = _event_of(named, delivery="d1")
    assert first.id == _event_of(named, delivery="d1", what="open").id
    assert first.id != _event_of(named, delivery="d2").id


def test_two_gateways_of_one_account_do_not_share_identities() -> None:
    assert _event_of(_acme()).id != _event_of(_acme(gateway="other")).id


def test_fixed_value_is_not_read_from_the_body() -> None:
    own = _acme(
        fields__currency=..., fields__network=..., fixed={"currency": "EUR", "network": "ETH"}
    )

    event = _event_of(own)

    assert (event.currency, event.network) == ("EUR", "Ethereum")


@pytest.mark.parametrize(
    ("digits", "value", "expected"),
    [
        (2, 1050, "10.50"),
        (2, "5", "0.05"),
        (18, 10**37 + 1, "10000000000000000000.000000000000000001"),
        (6, "0", "0"),
    ],
)
def test_minor_units_are_counted_exactly(digits: int, value: object, expected: str) -> None:
    event = _event_of(_acme(minor_units=digits, fields__fee=...), p__sum=value)

    assert event.amount == Decimal(expected)


@pytest.mark.parametrize("value", ["10.5", 10.5, 1e30, "-1", "ten", "1_0", "1" * 61])
def test_minor_units_must_be_whole(value: object) -> None:
    with pytest.raises(NotUnderstood) as refused:
        _event_of(_acme(minor_units=2, fields__fee=...), p__sum=value)

    assert refused.value.detail == "p.sum: expected a whole number of minor units"


@pytest.mark.parametrize(
    ("changes", "reason", "place"),
    [
        ({"what": "refund"}, Reason.UNKNOWN_EVENT, "what"),
        ({"what": ...}, Reason.FIELD_MISSING, "what"),
        ({"what": True}, Reason.FIELD_MALFORMED, "what"),
        ({"p__id": ...}, Reason.FIELD_MISSING, "p.id"),
        ({"p__id": 1.5}, Reason.FIELD_MALFORMED, "p.id"),
        ({"p": ...}, Reason.FIELD_MISSING, "p.id"),
        ({"p": [1]}, Reason.FIELD_MALFORMED, "p"),
        ({"p__sum": ...}, Reason.FIELD_MISSING, "p.sum"),
        ({"p__sum": "1e99"}, Reason.AMOUNT_UNREPRESENTABLE, "p.sum"),
        ({"p__coin": ...}, Reason.FIELD_MISSING, "p.coin"),
        ({"p__coin": 5}, Reason.FIELD_MALFORMED, "p.coin"),
        ({"p__order": "a\u0007"}, Reason.FIELD_MALFORMED, "p.order"),
    ],
)
def test_delivery_that_contradicts_the_mapping_is_not_understood(
    changes: dict[str, object], reason: Reason, place: str
) -> None:
    with pytest.raises(NotUnderstood) as refused:
        _event_of(_acme(), **changes)

    assert refused.value.reason is reason
    assert refused.value.detail.startswith(f"{place}: ")


@pytest.mark.parametrize(
    ("changes", "unread"),
    [
        ({"p__chain": 5}, "network"),
        ({"p__chain_id": 1.5}, "chain_id"),
        ({"p__tx": 5}, "tx_hash"),
        ({"p__from": {}}, "from_address"),
        ({"p__to": "a\x7f"}, "to_address"),
        ({"p__who": True}, "customer.id"),
        ({"p__mail": ["a"]}, "customer.email"),
        ({"at": 5}, "occurred_at"),
    ],
)
def test_unreadable_description_does_not_prevent_an_event(
    changes: dict[str, object], unread: str
) -> None:
    event, whole = _event_of(_acme(), **changes), _event_of(_acme())

    assert event.unread == (unread,)
    assert (event.id, event.fingerprint) == (whole.id, whole.fingerprint)


def test_description_with_a_path_through_a_non_object_does_not_prevent_an_event() -> None:
    own = _acme(fields__customer_email="who.mail")

    assert _event_of(own, who="text").unread == ("customer.email",)


@pytest.mark.parametrize(("units", "fee"), [(0, "-0.1"), (1, -1)])
def test_a_fee_below_zero_is_a_rebate(units: int, fee: object) -> None:
    event = _event_of(_acme(minor_units=units), p__fee=fee, p__sum="5")

    assert event.fee == Decimal("-0.1")


_LIVEMODE: dict[str, object] = {
    "test_if": {"live": [False, "no"]},
    "live_if": {"live": [True, 1]},
}


@pytest.mark.parametrize(
    ("value", "told"),
    [(False, True), ("false", True), ("no", True), (True, False), (1, False), (..., None)],
)
def test_mapped_field_marks_test_money(value: object, told: object) -> None:
    own = _acme(**_LIVEMODE, fields__chain_id=...)

    assert _event_of(own, live=value).test is told


def test_money_on_a_test_chain_is_test_money_regardless_of_the_field() -> None:
    assert _event_of(_acme(**_LIVEMODE), p__chain="Nile", live=True).test is True


def test_a_word_that_is_neither_test_nor_live_is_not_understood() -> None:
    with pytest.raises(NotUnderstood, match="field_malformed: live: neither test_if nor live_if"):
        _event_of(_acme(**_LIVEMODE), live="perhaps")


def test_status_must_agree_with_the_event_word() -> None:
    own = _acme(
        status="p.state",
        statuses={"1": "payment.confirmed", "0": "payment.pending", "2": "payout.confirmed"},
    )

    assert _event_of(own, p__state=1).type is EventType.PAYMENT_CONFIRMED
    for state, reason in (
        (0, Reason.AMBIGUOUS),
        (3, Reason.UNKNOWN_STATUS),
        (None, Reason.FIELD_MISSING),
    ):
        with pytest.raises(NotUnderstood) as refused:
            _event_of(own, p__state=state)
        assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"fields__amount": ...}, "mapping: events.paid: payment.confirmed needs fields.amount"),
        (
            {"fields__currency": ...},
            "mapping: fields.amount: needs fields.currency or fixed.currency",
        ),
        (
            {"fixed": {"currency": "EUR"}},
            "mapping: fixed.currency: fields.currency is given as well",
        ),
        ({"status": "p.state"}, "mapping: status and statuses belong together"),
        ({"statuses": {"1": "payment.pending"}}, "mapping: status and statuses belong together"),
        (
            {"status": "p.state", "statuses": {"1": "payment.pending"}},
            "mapping: events.paid: no word of statuses means payment.confirmed",
        ),
        ({"fields__tx_hash": "p"}, "mapping: p cannot be a field and hold p."),
        ({"fields__tx_hash": "p..x"}, "mapping.fields.tx_hash: "),
        ({"fields__tx_hash": ""}, "mapping.fields.tx_hash: "),
        (
            {"fields__provider_reference": ...},
            "mapping: events.paid: needs fields.provider_reference",
        ),
        ({"fields__colour": "x"}, "mapping.fields.colour: unknown key"),
        ({"events": {}}, "mapping.events: "),
        (
            {"test_if": {"p": 1}, "live_if": {"p": 0}},
            "mapping: p cannot be a field and hold",
        ),
        (
            {"test_if": {"live": []}, "live_if": {"live": 1}},
            "mapping.test_if.live: expected a word",
        ),
        ({"test_if": {"live": 1}}, "mapping: test_if and live_if belong together"),
        (
            {"test_if": {"live": "true"}, "live_if": {"live": True}},
            "mapping: test_if and live_if can both hold",
        ),
        ({"events": {"paid": "payment.payed"}}, "mapping.events.paid: "),
        ({"minor_units": 19}, "mapping.minor_units: "),
        ({"gateway": ...}, "mapping.gateway: Field required"),
    ],
)
def test_invalid_mapping_fails_the_start(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        _acme(**changes)

    assert str(refused.value).startswith(f"endpoints.shop.{problem}")


def test_amount_below_a_minor_unit_cannot_be_simulated() -> None:
    made = endpoint(
        "generic_hmac",
        secrets=[_SECRET],
        mapping={
            **_MAPPING,
            "minor_units": 2,
            "fields": {"provider_reference": "i", "amount": "a", "currency": "c"},
        },
    )
    wanted = Simulation(
        "payment", "confirmed", "A-1", "1.005", "USD", 7, datetime(2026, 1, 1, tzinfo=UTC)
    )

    with pytest.raises(ConfigurationError, match=r"^--amount: this gateway counts 2 decimals"):
        made.provider.simulate(wanted, made.keys[0], "/webhooks/shop")
