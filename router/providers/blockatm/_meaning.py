"""Meaning of version 2: the tables of its words, and one event from one body."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from router.contract.amounts import value_text
from router.contract.event import Event, EventType
from router.contract.strict_json import JsonValue
from router.delivery import Delivery, VerifiedDelivery
from router.errors import NotUnderstood, Reason, Unreadable
from router.providers._reading import (
    Descriptions,
    Fields,
    currency_name,
    happening,
    members_of,
    network_name,
    refused,
    required,
)
from router.providers._signing import from_unix_ms
from router.providers.blockatm._fields import has, snake_case, spelled, whole
from router.providers.blockatm._signature import EVENT_HEADER, SORTED
from router.providers.blockatm._sorted_form import refuse_hidden

# The header table has `payment`, the sample request `Payment`, older revisions
# `payment.success`; the QR words are those of version 1 (readme.io, callback-parameters).
EVENTS = {
    "payment": "payment",
    "qr-payment": "payment",
    "payout": "payout",
    "qr-payout": "payout",
}

# The event header is not signed: the fields of the body must agree with it.
_MARKERS = {
    "payment": ("orderType", "cashierId", "orderNo"),
    "payout": ("bizOrderNo", "toAddress", "contractId", "fee", "gasAmount", "detailList"),
}
_SHARED = (
    *("id", "status", "amount", "symbol", "network", "chainId", "txId", "fromAddress", "custNo"),
    *("blockTime", "createTime", "type", "platOrderNo"),
)
_KNOWN = frozenset(
    spelling
    for name in (*_MARKERS["payment"], *_MARKERS["payout"], *_SHARED)
    for spelling in (name, snake_case(name))
)

# BlockATM docs, webhooks/payment-webhook.md and payout-webhook.md. WAITING_PAYMENT is a word
# of the query API; a payout's PENDING is only in the state diagram.
_STATUSES = {
    "payment": {
        "PENDING": EventType.PAYMENT_PENDING,
        "WAITING_PAYMENT": EventType.PAYMENT_PENDING,
        "SUCCESS": EventType.PAYMENT_CONFIRMED,
        "EXPIRED": EventType.PAYMENT_EXPIRED,
        "CANCELLED": EventType.PAYMENT_CANCELLED,
    },
    "payout": {
        "PENDING": EventType.PAYOUT_PENDING,
        "SUCCESS": EventType.PAYOUT_CONFIRMED,
        "REFUSE": EventType.PAYOUT_FAILED,
    },
}

# The numbers of early 2025, still in the query API's description. A payout's 3 ("locked")
# is left out: its outcome is decided by an operator.
_NUMBERS = {
    "payment": {
        "9": EventType.PAYMENT_CONFIRMED,
        "1": EventType.PAYMENT_PENDING,
        "0": EventType.PAYMENT_PENDING,
        "-1": EventType.PAYMENT_EXPIRED,
        "-2": EventType.PAYMENT_FAILED,
        "-3": EventType.PAYMENT_CANCELLED,
    },
    "payout": {
        "0": EventType.PAYOUT_PENDING,
        "1": EventType.PAYOUT_CONFIRMED,
        "2": EventType.PAYOUT_FAILED,
    },
}

# The only number that means the same in every version that has it.
_EVERYWHERE = ("payment", "9")

_NEEDS_MONEY = frozenset({EventType.PAYMENT_CONFIRMED, EventType.PAYOUT_CONFIRMED})

# Fees and gas are in USDT for every currency (webhooks/payout-webhook.md; for a payment of
# version 1 readme.io, callback-parameters).
FEE_CURRENCY = "USDT"


def normalize(verified: VerifiedDelivery) -> Event:
    """Return the event of a delivery, or raise NotUnderstood."""
    members = members_of(verified)
    if verified.verification.scheme == SORTED:
        refuse_hidden(members, _KNOWN)
    fields = spelled(members)
    word = event_word(verified.delivery)
    kind = _kind(word, members)
    status = required("status", fields.identifier("status"))
    happened = _happened(kind, status, of_version_1=_may_be_version_1(word, members))
    facts = _payment(fields) if kind == "payment" else _payout(fields)
    facts |= _money(fields, happened)
    identity = (str(facts["provider_reference"]),)
    return event(verified, happened, identity, facts, _transfer(fields, kind))


def event_word(delivery: Delivery) -> str | None:
    """Return the word of the event header in lower case, without a status after a dot."""
    values = delivery.header(EVENT_HEADER)
    words = {value.strip().lower().partition(".")[0] for value in values}
    if len(words) > 1:
        raise Unreadable(Reason.EVENT_HEADER_CONTRADICTS, f"{EVENT_HEADER}: two values")
    return next(iter(words), None)


def _kind(word: str | None, members: Mapping[str, JsonValue]) -> str:
    shown = _shown(members)
    kind = shown if word is None else EVENTS.get(word)
    if kind is None:
        raise refused(Reason.UNKNOWN_EVENT, EVENT_HEADER, "expected payment or payout")
    if shown not in {None, kind}:
        detail = f"{EVENT_HEADER}: {kind}, but the body is that of a {shown}"
        raise Unreadable(Reason.EVENT_HEADER_CONTRADICTS, detail)
    return kind


def _shown(members: Mapping[str, JsonValue]) -> str | None:
    shown = marked(members, _MARKERS)
    if len(shown) > 1:
        raise NotUnderstood(Reason.AMBIGUOUS, "fields of a payment and of a payout in one body")
    return shown[0] if shown else None


def marked(members: Mapping[str, JsonValue], markers: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Return the kinds of which the body has a field that no other kind has."""
    present = {name for name, value in members.items() if value is not None and value != ""}
    return [
        kind
        for kind, names in markers.items()
        if any(name in present or snake_case(name) in present for name in names)
    ]


def _happened(kind: str, status: str, *, of_version_1: bool) -> EventType:
    if status in _NUMBERS[kind]:
        # 1, 2 and -1 mean something else in version 1.
        if of_version_1 and (kind, status) != _EVERYWHERE:
            raise refused(Reason.AMBIGUOUS, "status", "a number that depends on the version")
        return _NUMBERS[kind][status]
    if status not in _STATUSES[kind]:
        raise refused(Reason.UNKNOWN_STATUS, "status", f"expected {', '.join(_STATUSES[kind])}")
    return _STATUSES[kind][status]


def _may_be_version_1(word: str | None, members: Mapping[str, JsonValue]) -> bool:
    """Return whether a delivery has a QR word or `platOrderNo`, which only version 1 has."""
    return (word or "").startswith("qr-") or has(members, "platOrderNo")


def _payment(fields: Fields) -> dict[str, object]:
    return {
        "provider_reference": required("id", whole(fields, "id")),
        "reference": fields.text("orderNo"),
    }


def _payout(fields: Fields) -> dict[str, object]:
    order = required("bizOrderNo", fields.text("bizOrderNo"))
    fee, gas = fields.fee("fee"), fields.amount("gasAmount")
    return {
        "provider_reference": order,
        "reference": order,
        "fee": fee,
        "fee_currency": None if fee is None else FEE_CURRENCY,
        "gas": gas,
        "gas_currency": None if gas is None else FEE_CURRENCY,
    }


def _money(fields: Fields, happened: EventType) -> dict[str, object]:
    amount, symbol = fields.amount("amount"), fields.text("symbol")
    if happened in _NEEDS_MONEY:
        required("amount", amount)
    if amount is not None:
        required("symbol", symbol)
    return {"amount": amount, "currency": currency_name(symbol)}


def _transfer(fields: Fields, kind: str) -> Descriptions:
    receiver = {"to_address": lambda: fields.text("toAddress")} if kind == "payout" else {}
    return {
        **shared(fields),
        **receiver,
        "from_address": lambda: fields.text("fromAddress"),
        "occurred_at": lambda: fields.moment("blockTime", from_unix_ms),
    }


def shared(fields: Fields) -> Descriptions:
    """Return readers of the descriptive fields that every kind of body has."""
    return {
        "network": lambda: network_name(fields.text("network")),
        "chain_id": lambda: fields.identifier("chainId"),
        "tx_hash": lambda: fields.text("txId"),
        "customer.id": lambda: fields.text("custNo"),
    }


def event(
    verified: VerifiedDelivery,
    happened: EventType,
    identity: tuple[str, ...],
    facts: Mapping[str, object],
    described: Descriptions,
) -> Event:
    """Make the event; `identity` is the gateway's id of the payment or payout.

    The amount is part of the event's id: no page rules out that a status repeats with another
    amount, and two words mean pending, one of them before any money arrived.
    """
    amount = facts["amount"]
    paid = (value_text(amount),) if isinstance(amount, Decimal) else ()
    whole = (happened.family, *identity, happened.status, *paid)
    return happening(verified, "blockatm", happened, whole, facts, described)
