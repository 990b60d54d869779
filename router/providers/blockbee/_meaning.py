"""What happened? The five kinds of message, each known by the fields it alone has.

An amount is what was paid, never what was forwarded after fees. A payout's
message has no amount, a subscription's no currency: their events have none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from router.contract.amounts import value_text
from router.contract.event import Event, EventType
from router.delivery import VerifiedDelivery
from router.errors import NotOurs, NotUnderstood, Reason, Unreadable
from router.providers._reading import Described, Fields, happening, refused, required
from router.providers.blockbee._body import posted
from router.providers.blockbee._coins import currency_and_network
from router.providers.blockbee._fields import addresses, from_form, one_or_zero, single
from router.providers.blockbee._options import Endpoint
from router.providers.blockbee._reference import signed_reference

_NO_PAYOUT = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class _Told:
    """What a message says: type, identity of this state change, what decides, what describes."""

    type: EventType
    identity: Sequence[str]
    facts: Mapping[str, object]
    described: Described = field(default_factory=dict)


def normalize(verified: VerifiedDelivery, endpoint: Endpoint) -> Event:
    """Say what happened, or raise NotUnderstood."""
    delivery = verified.delivery
    by_url = delivery.method == "GET"
    query = _query(delivery.target, signed=by_url)
    fields = single(query) if by_url else posted(verified)
    kind = _kind(fields)
    test = _is_test(kind, fields)
    if test is not True:
        # A test is about nobody's money: it names made-up addresses.
        _refuse_strangers(kind, fields, endpoint)
    told = kind.read(fields)
    reference = signed_reference(endpoint, query, url_is_signed=by_url)
    facts = {**told.facts, "reference": reference, "test": test}
    identity = (told.type.family, *told.identity)
    return happening(verified, "blockbee", told.type, identity, facts, told.described)


def _query(target: str, *, signed: bool) -> Mapping[str, Sequence[str]]:
    """Read the query of a URL; an unsigned one that cannot be read has no fields."""
    try:
        return from_form(target.partition("?")[2].encode("latin-1"))
    except Unreadable:
        if signed:
            raise
        return {}


def _is_test(kind: "_Kind", fields: Fields) -> bool | None:
    """Tell a test of the dashboard; what names a coin and is no test is about real money.

    BlockBee has no test network, and of a payout or subscription nothing says which it is.
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


def _refuse_strangers(kind: "_Kind", fields: Fields, endpoint: Endpoint) -> None:
    """Raise NotOurs for what BlockBee signed about somebody else's address or payment.

    Addresses decide only where some are expected.
    """
    expected = set(endpoint.options.expected_addresses)
    if expected:
        received = set(addresses(fields, kind.received))
        sent = set(addresses(fields, kind.sent))
        ours = received & expected or (sent and sent <= expected)
        if (received or sent) and not ours:
            raise NotOurs(Reason.NOT_OURS, "no address of expected_addresses")
    payment, payments = fields.identifier(kind.payment), endpoint.options.expected_payments
    if payments and payment is not None and payment not in payments:
        raise NotOurs(Reason.NOT_OURS, f"{kind.payment}: not in expected_payments")


def _custom(fields: Fields) -> _Told:
    uuid, pending = fields.needed("uuid"), one_or_zero(fields, "pending")
    fee = fields.fee("fee_coin")
    facts = _coins(fields, "value_coin", "coin", needed=not pending)
    facts |= {
        "provider_reference": uuid,
        "fee": fee,
        "fee_currency": None if fee is None else facts["currency"],
    }
    described: Described = {
        "tx_hash": lambda: fields.text("txid_in"),
        "to_address": lambda: fields.text("address_in"),
    }
    happened = EventType.PAYMENT_PENDING if pending else EventType.PAYMENT_CONFIRMED
    # One uuid for both: without the flag the confirmation would be taken for a redelivery.
    return _Told(happened, ("custom", uuid, "1" if pending else "0"), facts, described)


def _checkout(fields: Fields) -> _Told:
    payment, paid = fields.identifier("payment_id"), one_or_zero(fields, "is_paid")
    facts = _coins(fields, "paid_amount", "paid_coin", needed=True)
    happened = _checkout_type(fields, paid=paid)
    facts |= {"provider_reference": payment}
    identity = ("checkout", str(payment), happened.status, value_text(facts["amount"]))
    return _Told(happened, identity, facts, _transfer(fields))


def _checkout_type(fields: Fields, *, paid: bool) -> EventType:
    if paid and fields.value("status") != "done":
        # Paid and yet not done is in no table: only a person can say what it is.
        raise refused(Reason.UNKNOWN_STATUS, "status", "expected done where is_paid is 1")
    if paid:
        return EventType.PAYMENT_CONFIRMED
    some = fields.amount("paid_amount")
    return EventType.PAYMENT_UNDERPAID if some else EventType.PAYMENT_PENDING


def _deposit(fields: Fields) -> _Told:
    uuid = fields.needed("uuid")
    _status(fields, ("done",))
    facts = _coins(fields, "paid_amount", "paid_coin", needed=True)
    facts |= {"provider_reference": uuid}
    return _Told(EventType.PAYMENT_CONFIRMED, ("deposit", uuid), facts, _transfer(fields))


def _subscription(fields: Fields) -> _Told:
    subscription, action = str(fields.identifier("subscription_id")), fields.needed("action")
    happened = _ACTIONS.get(action)
    if happened is None:
        raise refused(Reason.UNKNOWN_EVENT, "action", f"expected {', '.join(_ACTIONS)}")
    end = required("subscription_end_date_ts", fields.identifier("subscription_end_date_ts"))
    described: Described = {
        "customer.id": lambda: fields.identifier("subscription_user_id"),
        "customer.email": lambda: fields.text("subscription_user_email"),
    }
    facts = {"provider_reference": subscription}
    return _Told(happened, (subscription, action, end), facts, described)


_ACTIONS = {"renew": EventType.SUBSCRIPTION_RENEWED, "expired": EventType.SUBSCRIPTION_EXPIRED}


def _payout(fields: Fields) -> _Told:
    status = _status(fields, _PAYOUTS)
    # The field is in no table of the docs, only in what others report; without it nothing
    # tells one payout from the next.
    payout = required("id", fields.identifier("id"))
    return _Told(_PAYOUTS[status], (payout, status), {"provider_reference": payout})


_PAYOUTS = {"done": EventType.PAYOUT_CONFIRMED, "error": EventType.PAYOUT_FAILED}


@dataclass(frozen=True)
class _Kind:
    """A kind of message: the fields that mark it, its reader, and the fields that say whose it is.

    `coin` is the field with the currency. The marks are two or more, since
    under GET the merchant's own parameters stand among the fields: `payment_id`
    alone may be one of them.
    """

    marks: Sequence[str]
    read: Callable[[Fields], _Told]
    received: str = ""
    sent: str = ""
    payment: str = ""
    coin: str = ""

    @property
    def named(self) -> Sequence[str]:
        """The fields in which a test of the dashboard has `TEST_`."""
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


def _coins(fields: Fields, amount: str, coin: str, *, needed: bool) -> dict[str, Any]:
    money, ticker = fields.amount(amount), fields.text(coin)
    if needed:
        required(amount, money)
    if money is not None:
        required(coin, ticker)
    currency, network = (None, None) if ticker is None else currency_and_network(coin, ticker)
    return {"amount": money, "currency": currency, "network": network}


def _transfer(fields: Fields) -> Described:
    return {
        "tx_hash": lambda: _transaction(fields),
        "to_address": lambda: fields.text("address"),
    }


def _transaction(fields: Fields) -> str | None:
    """Return the transaction where it is one; a list of several names no single one."""
    value = fields.value("txid")
    several = isinstance(value, list) or (isinstance(value, str) and "," in value)
    return None if several else fields.text("txid")
