"""Meaning of version 2: the tables of its words, and one event from one body."""

from collections.abc import Mapping
from typing import TypeVar

from router.contract.event import Event, EventType
from router.contract.strict_json import JsonValue, StrictJsonError
from router.delivery import Delivery, VerifiedDelivery
from router.errors import NotUnderstood, Reason, Unreadable
from router.providers._reading import Described, currency_name, happening, network_name, refused
from router.providers.blockatm._fields import Fields, snake_case
from router.providers.blockatm._signature import EVENT_HEADER, SORTED
from router.providers.blockatm._sorted_form import refuse_hidden

_T = TypeVar("_T")

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

# A payout's fee and gas are in USDT for every payout currency (webhooks/payout-webhook.md).
_FEE_CURRENCY = "USDT"


def normalize(verified: VerifiedDelivery) -> Event:
    """Return the event of a delivery, or raise NotUnderstood."""
    members = members_of(verified)
    if verified.verification.scheme == SORTED:
        refuse_hidden(members, _KNOWN)
    fields = Fields(members)
    word = event_word(verified.delivery)
    kind = _kind(word, fields)
    happened = _happened(kind, word, fields)
    facts = _payment(fields) if kind == "payment" else _payout(fields)
    facts |= _money(fields, happened)
    identity = (str(facts["provider_reference"]),)
    return event(verified, happened, identity, facts, _transfer(fields, kind))


def members_of(verified: VerifiedDelivery) -> Mapping[str, JsonValue]:
    """Parse the body, or raise Unreadable."""
    try:
        return verified.json_object()
    except StrictJsonError as error:
        raise Unreadable(Reason.NOT_PARSEABLE, str(error)) from None


def event_word(delivery: Delivery) -> str | None:
    """Return the word of the event header in lower case, without a status after a dot."""
    values = delivery.header(EVENT_HEADER)
    words = {value.strip().lower().partition(".")[0] for value in values}
    if len(words) > 1:
        raise Unreadable(Reason.EVENT_HEADER_CONTRADICTS, f"{EVENT_HEADER}: two values")
    return next(iter(words), None)


def _kind(word: str | None, fields: Fields) -> str:
    shown = _shown(fields)
    kind = shown if word is None else EVENTS.get(word)
    if kind is None:
        raise refused(Reason.UNKNOWN_EVENT, EVENT_HEADER, "expected payment or payout")
    if shown not in {None, kind}:
        detail = f"{EVENT_HEADER}: {kind}, but the body is that of a {shown}"
        raise Unreadable(Reason.EVENT_HEADER_CONTRADICTS, detail)
    return kind


def _shown(fields: Fields) -> str | None:
    shown = [kind for kind, names in _MARKERS.items() if any(fields.has(name) for name in names)]
    if len(shown) > 1:
        raise NotUnderstood(Reason.AMBIGUOUS, "fields of a payment and of a payout in one body")
    return shown[0] if shown else None


def _happened(kind: str, word: str | None, fields: Fields) -> EventType:
    status = required("status", fields.identifier("status"))
    if status in _NUMBERS[kind]:
        _refuse_other_numbers(kind, status, word, fields)
        return _NUMBERS[kind][status]
    if status not in _STATUSES[kind]:
        raise refused(Reason.UNKNOWN_STATUS, "status", f"expected {', '.join(_STATUSES[kind])}")
    return _STATUSES[kind][status]


def _refuse_other_numbers(kind: str, status: str, word: str | None, fields: Fields) -> None:
    # 1, 2 and -1 mean something else in version 1, which alone has QR words and platOrderNo.
    version_1 = (word or "").startswith("qr-") or fields.has("platOrderNo")
    if version_1 and (kind, status) != _EVERYWHERE:
        raise refused(Reason.AMBIGUOUS, "status", "a number that depends on the version")


def _payment(fields: Fields) -> dict[str, object]:
    return {
        "provider_reference": required("id", fields.whole("id")),
        "reference": fields.text("orderNo"),
    }


def _payout(fields: Fields) -> dict[str, object]:
    order = required("bizOrderNo", fields.text("bizOrderNo"))
    fee, gas = fields.fee("fee"), fields.amount("gasAmount")
    return {
        "provider_reference": order,
        "reference": order,
        "fee": fee,
        "fee_currency": None if fee is None else _FEE_CURRENCY,
        "gas": gas,
        "gas_currency": None if gas is None else _FEE_CURRENCY,
    }


def _money(fields: Fields, happened: EventType) -> dict[str, object]:
    amount, symbol = fields.amount("amount"), fields.text("symbol")
    if happened in _NEEDS_MONEY:
        required("amount", amount)
    if amount is not None:
        required("symbol", symbol)
    return {"amount": amount, "currency": currency_name(symbol)}


def _transfer(fields: Fields, kind: str) -> Described:
    receiver = {"to_address": lambda: fields.text("toAddress")} if kind == "payout" else {}
    return {
        **shared(fields),
        **receiver,
        "from_address": lambda: fields.text("fromAddress"),
        "occurred_at": lambda: fields.moment("blockTime"),
    }


def shared(fields: Fields) -> Described:
    """Return readers of the descriptive fields that every kind of body has."""
    return {
        "network": lambda: network_name(fields.text("network")),
        "chain_id": lambda: fields.identifier("chainId"),
        "tx_hash": lambda: fields.text("txId"),
        "customer.id": lambda: fields.text("custNo"),
    }


def required(name: str, value: _T | None) -> _T:
    """Return the value of a required field, or raise NotUnderstood."""
    if value is None:
        raise refused(Reason.FIELD_MISSING, name, "required")
    return value


def event(
    verified: VerifiedDelivery,
    happened: EventType,
    identity: tuple[str, ...],
    facts: Mapping[str, object],
    described: Described,
) -> Event:
    """Make the event; `identity` is the gateway's id of the payment or payout."""
    whole = (happened.family, *identity, happened.status)
    return happening(verified, "blockatm", happened, whole, facts, described)
