"""Meaning of the five kinds of message, each recognized by fields that no other has.

An amount is the amount paid, never the one forwarded after fees. A payout's
message and event have no amount, a subscription's no currency.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from router.contract.amounts import value_text
from router.contract.event import Event, EventType
from router.delivery import VerifiedDelivery
from router.errors import NotOurs, NotUnderstood, Reason, Unreadable
from router.providers._reading import Descriptions, Fields, happening, refused, required
from router.providers.blockbee._body import posted
from router.providers.blockbee._fields import addresses, from_form, identifier, one_or_zero, single
from router.providers.blockbee._money import (
    coins,
    converted_by_checkout,
    converted_by_map,
    fee_of_checkout,
)
from router.providers.blockbee._options import BlockBeeEndpoint
from router.providers.blockbee._reference import signed_reference

_NO_PAYOUT = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class _Message:
    """Content of a message: event type, identity of the state change, facts, descriptions."""

    type: EventType
    identity: Sequence[str]
    facts: Mapping[str, object]
    described: Descriptions = field(default_factory=dict)


def normalize(verified: VerifiedDelivery, endpoint: BlockBeeEndpoint) -> Event:
    """Return the event of a delivery, or raise NotUnderstood."""
    delivery = verified.delivery
    by_url = delivery.method == "GET"
    query = _query(delivery.target, signed=by_url)
    fields = single(query) if by_url else posted(verified)
    kind = _kind(fields)
    test = _is_test(kind, fields)
    if test is not True:
        # A test names made-up addresses, and is not about any merchant's money.
        _refuse_other_merchants(kind, fields, endpoint)
    message = kind.read(fields, endpoint)
    reference = signed_reference(endpoint, query, url_is_signed=by_url)
    facts = {**message.facts, "reference": reference, "test": test}
    identity = (message.type.family, *message.identity)
    return happening(verified, "blockbee", message.type, identity, facts, message.described)


def _query(target: str, *, signed: bool) -> Mapping[str, Sequence[str]]:
    """Read the query of a URL; an unsigned query that is malformed has no fields."""
    try:
        return from_form(target.partition("?")[2].encode("latin-1"))
    except Unreadable:
        if signed:
            raise
        return {}


def _is_test(kind: "_Kind", fields: Fields) -> bool | None:
    """Return True for a test of the dashboard, False for another message that names a coin.

    None for a payout or subscription, which do not show whether they are tests. BlockBee has
    no test network, so that every coin is real money.
    """
    named = [fields.value(name) for name in kind.named]
    if any(isinstance(text, str) and text.upper().startswith("TEST_") for text in named):
        return True
    if kind.read is _payout and fields.value("id") == _NO_PAYOUT:
        return True
    return False if kind.coin and fields.has(kind.coin) else None


def _kind(fields: Fields) -> "_Kind":
    found = [kind for kind in _KINDS if all(fields.has(mark) for mark in kind.marks)]
    if len(found) > 1:
        raise NotUnderstood(Reason.AMBIGUOUS, "fields of two kinds of message in one")
    if found:
        return found[0]
    if fields.has("status") and not any(fields.has(name) for name in _OF_OTHERS):
        return _Kind(("status",), _payout)
    expected = ", ".join("+".join(kind.marks) for kind in _KINDS)
    raise refused(Reason.UNKNOWN_EVENT, "fields", f"expected {expected}, or those of a payout")


def _refuse_other_merchants(kind: "_Kind", fields: Fields, endpoint: BlockBeeEndpoint) -> None:
    """Raise NotOurs for a message about another merchant's address or payment.

    Addresses and payments are checked only if the endpoint lists those it expects.
    """
    expected = set(endpoint.options.expected_addresses)
    if expected:
        received = set(addresses(fields, kind.received))
        sent = set(addresses(fields, kind.sent))
        ours = received & expected or (sent and sent <= expected)
        if (received or sent) and not ours:
            raise NotOurs(Reason.NOT_OURS, "no address of expected_addresses")
    payment, payments = identifier(fields, kind.payment), endpoint.options.expected_payments
    if payments and payment is not None and payment not in payments:
        raise NotOurs(Reason.NOT_OURS, f"{kind.payment}: not in expected_payments")


def _custom(fields: Fields, endpoint: BlockBeeEndpoint) -> _Message:
    uuid, pending = fields.needed("uuid"), one_or_zero(fields, "pending")
    fee = fields.fee("fee_coin")
    facts = coins(fields, "value_coin", "coin", needed=not pending)
    facts |= {
        "provider_reference": uuid,
        "fee": fee,
        "fee_currency": None if fee is None else facts["currency"],
    }
    if facts["amount"] is not None:
        facts |= converted_by_map(fields, endpoint.options.converted_currency)
    described: Descriptions = {
        "tx_hash": lambda: fields.text("txid_in"),
        "to_address": lambda: fields.text("address_in"),
    }
    happened = EventType.PAYMENT_PENDING if pending else EventType.PAYMENT_CONFIRMED
    # One uuid for both: without the flag the confirmation would look like a redelivery.
    return _Message(happened, ("custom", uuid, "1" if pending else "0"), facts, described)


def _checkout(fields: Fields, _: BlockBeeEndpoint) -> _Message:
    payment, paid = identifier(fields, "payment_id"), one_or_zero(fields, "is_paid")
    facts = coins(fields, "paid_amount", "paid_coin", needed=True)
    happened = _checkout_type(fields, paid=paid)
    facts |= {"provider_reference": payment, **converted_by_checkout(fields)}
    if paid:
        # Such a message reports that the customer has paid (checkout-payments-webhook).
        facts |= {"price_met": True, **fee_of_checkout(fields, facts["amount"], facts["currency"])}
    identity = ("checkout", str(payment), happened.status, value_text(facts["amount"]))
    return _Message(happened, identity, facts, _transfer(fields))


def _checkout_type(fields: Fields, *, paid: bool) -> EventType:
    if paid and fields.value("status") != "done":
        # Paid but not done is not documented: an operator must decide.
        raise refused(Reason.UNKNOWN_STATUS, "status", "expected done if is_paid is 1")
    if paid:
        return EventType.PAYMENT_CONFIRMED
    some = fields.amount("paid_amount")
    return EventType.PAYMENT_UNDERPAID if some else EventType.PAYMENT_PENDING


def _deposit(fields: Fields, _: BlockBeeEndpoint) -> _Message:
    uuid = fields.needed("uuid")
    _status(fields, ("done",))
    facts = coins(fields, "paid_amount", "paid_coin", needed=True)
    facts |= {"provider_reference": uuid, **converted_by_checkout(fields)}
    facts |= fee_of_checkout(fields, facts["amount"], facts["currency"])
    return _Message(EventType.PAYMENT_CONFIRMED, ("deposit", uuid), facts, _transfer(fields))


def _subscription(fields: Fields, _: BlockBeeEndpoint) -> _Message:
    subscription, action = str(identifier(fields, "subscription_id")), fields.needed("action")
    happened = _ACTIONS.get(action)
    if happened is None:
        raise refused(Reason.UNKNOWN_EVENT, "action", f"expected {', '.join(_ACTIONS)}")
    end = required("subscription_end_date_ts", identifier(fields, "subscription_end_date_ts"))
    described: Descriptions = {
        "customer.id": lambda: identifier(fields, "subscription_user_id"),
        "customer.email": lambda: fields.text("subscription_user_email"),
    }
    facts = {"provider_reference": subscription}
    return _Message(happened, (subscription, action, end), facts, described)


_ACTIONS = {"renew": EventType.SUBSCRIPTION_RENEWED, "expired": EventType.SUBSCRIPTION_EXPIRED}


def _payout(fields: Fields, _: BlockBeeEndpoint) -> _Message:
    status = _status(fields, _PAYOUTS)
    # The docs do not list this field, but users report it; without it payouts could not be
    # distinguished.
    payout = required("id", identifier(fields, "id"))
    return _Message(_PAYOUTS[status], (payout, status), {"provider_reference": payout})


_PAYOUTS = {"done": EventType.PAYOUT_CONFIRMED, "error": EventType.PAYOUT_FAILED}


@dataclass(frozen=True)
class _Kind:
    """A kind of message: its marking fields, its reader, and the fields that show its owner.

    `coin` is the field with the currency. There are at least two marks, since
    under GET the merchant's own parameters are among the fields: `payment_id`
    may be one of them.
    """

    marks: Sequence[str]
    read: Callable[[Fields, BlockBeeEndpoint], _Message]
    received: str = ""
    sent: str = ""
    payment: str = ""
    coin: str = ""

    @property
    def named(self) -> Sequence[str]:
        """The fields whose value begins with `TEST_` in a test of the dashboard."""
        uuid = "uuid" if "uuid" in self.marks else ""
        places = (uuid, self.received, self.sent, self.payment, self.coin)
        return [name for name in places if name]


_KINDS = (
    _Kind(("uuid", "address_in", "pending"), _custom, "address_in", "address_out", coin="coin"),
    _Kind(("payment_id", "is_paid"), _checkout, "address", "", "payment_id", "paid_coin"),
    _Kind(("uuid", "paid_coin"), _deposit, "address", coin="paid_coin"),
    _Kind(("subscription_id", "action"), _subscription, payment="subscription_id"),
)
_OF_OTHERS = ("uuid", "payment_id", "subscription_id")


def _status(fields: Fields, known: Sequence[str] | Mapping[str, EventType]) -> str:
    status = fields.needed("status")
    if status not in known:
        raise refused(Reason.UNKNOWN_STATUS, "status", f"expected {', '.join(known)}")
    return status


def _transfer(fields: Fields) -> Descriptions:
    return {
        "tx_hash": lambda: _transaction(fields),
        "to_address": lambda: fields.text("address"),
    }


def _transaction(fields: Fields) -> str | None:
    """Return the transaction, None if there are several."""
    value = fields.value("txid")
    several = isinstance(value, list) or (isinstance(value, str) and "," in value)
    return None if several else fields.text("txid")
