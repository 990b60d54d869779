"""Simulated BlockBee messages of every kind and in every form."""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlencode

from router.delivery import Delivery
from router.errors import ConfigurationError
from router.providers import Key, Simulation
from router.providers._signing import rsa_sha256, with_headers
from router.providers.blockbee._body import FORM, JSON
from router.providers.blockbee._coins import ticker_of
from router.providers.blockbee._options import BlockBeeEndpoint
from router.providers.blockbee._reference import order_query
from router.providers.blockbee._signature import SIGNATURE_HEADER, TYPE_HEADER, signed_url

_EVERY_FORM = ("get", "form", "json")
# A payout is sent as a form, or by GET if so set in the dashboard, but never as JSON.
_OF_PAYOUT = ("payout-form", "payout-get")


_FIRST_TERM = 1735689600


def _forms(*messages: str) -> Sequence[str]:
    return tuple(f"{message}-{form}" for message in messages for form in _EVERY_FORM)


_VARIANTS: Mapping[str, Sequence[str]] = {
    "payment.pending": _forms("custom", "checkout"),
    "payment.confirmed": _forms("custom", "checkout", "deposit"),
    "payment.underpaid": _forms("checkout"),
    "payout.confirmed": _OF_PAYOUT,
    "payout.failed": _OF_PAYOUT,
    "subscription.renewed": _forms("subscription"),
    "subscription.expired": _forms("subscription"),
}


def variants() -> Mapping[str, Sequence[str]]:
    """Return the forms of each type, the usual one first."""
    return _VARIANTS


def kinds() -> Mapping[str, Sequence[str]]:
    """Return the kinds of delivery that can be made, and the statuses of each."""
    found: dict[str, list[str]] = {}
    for event_type in _VARIANTS:
        kind, _, status = event_type.partition(".")
        found.setdefault(kind, []).append(status)
    return found


def simulate(wanted: Simulation, key: Key, target: str, endpoint: BlockBeeEndpoint) -> Delivery:
    """Make a delivery signed with this private key; KeyError if it is not in `variants`."""
    known = _VARIANTS[f"{wanted.kind}.{wanted.status}"]
    variant = wanted.variant or known[0]
    if variant not in known:
        raise KeyError(variant)
    message, _, form = variant.partition("-")
    members = _MESSAGES[message](wanted, endpoint)
    if message != "payout" and endpoint.context.keys:
        target += "?" + order_query(endpoint, wanted.order)
    made = Delivery("simulated", "simulated", "POST", target, (), b"", wanted.at)
    if form == "get":
        query = urlencode(members)
        made = replace(made, method="GET", target=target + ("&" if "?" in target else "?") + query)
        return signed(made, key, endpoint)
    body = json.dumps(members).encode() if form == "json" else urlencode(members).encode()
    made = replace(made, body=body, headers=((TYPE_HEADER, JSON if form == "json" else FORM),))
    return signed(made, key, endpoint)


def signed(made: Delivery, key: Key, endpoint: BlockBeeEndpoint) -> Delivery:
    """Sign the URL of a GET or the body of a POST; raises ConfigurationError without a key."""
    by_url = made.method == "GET"
    message = signed_url(endpoint.context, made.target) if by_url else made.body
    try:
        signature = rsa_sha256(key.secret, message)
    except ValueError:
        detail = (
            "send: only BlockBee has the private key of this endpoint; use a configuration that"
            " `payrouter dev` generated, which has a separate key"
        )
        raise ConfigurationError(detail) from None
    return with_headers(made, (SIGNATURE_HEADER, signature))


def _custom(wanted: Simulation, endpoint: BlockBeeEndpoint) -> dict[str, object]:
    pending = wanted.status == "pending"
    confirmed = {
        "confirmations": 3,
        "value_coin": wanted.amount,
        "value_coin_convert": json.dumps(
            dict.fromkeys(("USD", endpoint.options.converted_currency), wanted.amount)
        ),
        "fee_coin": "0",
        "txid_out": _digest("forwarded", wanted),
    }
    return {
        "uuid": _marked(_uuid("custom", wanted), wanted),
        "address_in": _address(wanted, endpoint),
        "address_out": _address(wanted, endpoint),
        "txid_in": _digest("transaction", wanted),
        "coin": ticker_of(wanted.currency),
        "price": "1",
        "pending": 1 if pending else 0,
        **({} if pending else confirmed),
    }


def _checkout(wanted: Simulation, endpoint: BlockBeeEndpoint) -> dict[str, object]:
    paid = wanted.status == "confirmed"
    return {
        **_paid(wanted, endpoint),
        "payment_id": _marked(_payment(wanted, endpoint), wanted),
        "is_paid": 1 if paid else 0,
        "status": "done" if paid else "pending",
        **_sums("0" if wanted.status == "pending" else wanted.amount),
        "type": "payment",
    }


def _deposit(wanted: Simulation, endpoint: BlockBeeEndpoint) -> dict[str, object]:
    named = {"uuid": _marked(_uuid("deposit", wanted), wanted), "status": "done", "type": "deposit"}
    return {**_paid(wanted, endpoint), **named, **_sums(wanted.amount)}


def _sums(paid: str) -> dict[str, object]:
    # At the simulated rate of 1, and without fees.
    return dict.fromkeys(("paid_amount", "paid_amount_fiat", "received_amount"), paid)


def _paid(wanted: Simulation, endpoint: BlockBeeEndpoint) -> dict[str, object]:
    return {
        "txid": _digest("transaction", wanted),
        "address": _address(wanted, endpoint),
        "currency": "usd",
        "paid_coin": ticker_of(wanted.currency),
        "exchange_rate": "1",
    }


def _subscription(wanted: Simulation, endpoint: BlockBeeEndpoint) -> dict[str, object]:
    # Derived from the number, not the time: a repeated delivery has the same term.
    start = _FIRST_TERM + wanted.number % 10**9
    return {
        "action": "renew" if wanted.status == "renewed" else "expired",
        "subscription_id": _payment(wanted, endpoint),
        "subscription_start_date_ts": start,
        "subscription_end_date_ts": start + 30 * 24 * 3600,
        "subscription_user_id": "CustNo_00240101",
        "subscription_user_email": "payer@shop.example",
    }


def _payout(wanted: Simulation, _endpoint: BlockBeeEndpoint) -> dict[str, object]:
    failed = wanted.status == "failed"
    reason = {"error": "insufficient balance"} if failed else {}
    return {"id": _uuid("payout", wanted), "status": "error" if failed else "done", **reason}


_MESSAGES = {
    "custom": _custom,
    "checkout": _checkout,
    "deposit": _deposit,
    "subscription": _subscription,
    "payout": _payout,
}


def _marked(name: str, wanted: Simulation) -> str:
    """Mark an id as the dashboard's tests do. Payouts and subscriptions have no such mark."""
    return f"TEST_{name}" if wanted.test else name


def _address(wanted: Simulation, endpoint: BlockBeeEndpoint) -> str:
    return next(iter(endpoint.options.expected_addresses), f"3P{_digest('address', wanted)[:32]}")


def _payment(wanted: Simulation, endpoint: BlockBeeEndpoint) -> str:
    return next(iter(endpoint.options.expected_payments), _uuid("payment", wanted))


def _uuid(role: str, wanted: Simulation) -> str:
    return str(uuid.UUID(_digest(role, wanted)[:32], version=4))


def _digest(role: str, wanted: Simulation) -> str:
    return hashlib.sha256(f"{wanted.kind} {role} {wanted.number}".encode()).hexdigest()
