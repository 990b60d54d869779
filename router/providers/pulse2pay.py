"""Pulse2Pay: payments, with a separate event id for each state change.

Signed with the webhook secret shown when the endpoint is registered, over
time and raw body. Sources: pulse2pay.com, en/guides/webhook-security and
ru/developers/webhooks ("developer docs"), and the changelog of 2026-01-27,
which states that they match the sender. The glossary page shows another
shape, for which there is `generic_hmac`.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from decimal import Decimal

from router.contract.amounts import EXACT, amount_text
from router.contract.event import Event, EventType
from router.delivery import Delivery, VerifiedDelivery
from router.errors import NotUnderstood, Reason
from router.providers import Answer, Key, Simulation
from router.providers._reading import (
    Descriptions,
    Fields,
    currency_name,
    happening,
    network_name,
    refused,
    representable,
    required,
)
from router.providers._signing import (
    Scheme,
    Signed,
    from_iso,
    hex_signature,
    hmac_sha256,
    is_hmac_sha256,
    prove,
    signature_header,
    signed_unix_ms,
    time_header,
    unix_ms_text,
    with_headers,
)

SCHEME = "pulse2pay"
SIGNATURE_HEADER = "x-pulse2pay-signature"
TIME_HEADER = "x-pulse2pay-timestamp"

# Any 2xx is accepted; the glossary page answers 200 OK.
_ANSWER = Answer(200, "text/plain", b"OK")

_EVENTS = {
    "payment.created": EventType.PAYMENT_PENDING,
    "payment.pending": EventType.PAYMENT_PENDING,
    "payment.confirmed": EventType.PAYMENT_CONFIRMED,
    "payment.underpaid": EventType.PAYMENT_UNDERPAID,
    "payment.overpaid": EventType.PAYMENT_OVERPAID,
    "payment.expired": EventType.PAYMENT_EXPIRED,
    "payment.failed": EventType.PAYMENT_FAILED,
    "payment.canceled": EventType.PAYMENT_CANCELLED,
}
# Of the two words for pending, the later one is simulated.
_WORDS = {happened.status: word for word, happened in _EVENTS.items()}

# A status repeats the type. There is no status `created`: such a payment may be pending.
_STATUSES = {"payment.created": ("created", "pending")}

# Fields with the difference between the amount paid and the price; either name may be used.
_GAPS = {
    EventType.PAYMENT_UNDERPAID: ("data.underpaidAmount", -1),
    EventType.PAYMENT_OVERPAID: ("data.overpaidAmount", 1),
}
_EITHER_GAP = "data.differenceAmount"

# Which events report that the price is paid in full, or is not: a payment is confirmed unless it
# is under- or overpaid (developer docs; the changelog of 2026-01-27 added the two).
_PRICE_MET = {
    EventType.PAYMENT_CONFIRMED: True,
    EventType.PAYMENT_OVERPAID: True,
    EventType.PAYMENT_UNDERPAID: False,
}


@dataclass(frozen=True)
class Pulse2Pay:
    """The provider, a `router.providers.Provider`."""

    name: str = "pulse2pay"
    methods: frozenset[str] = frozenset({"POST"})
    content_types: frozenset[str] = frozenset({"application/json"})
    # Retries follow after 1 s, 5 s, 30 s, 1 min and 5 min, each with a 30 s time-out: 9 min in
    # all (developer docs). It is not documented whether each is signed again: none may be stale.
    tolerance: timedelta = timedelta(minutes=10)
    answer: Answer = _ANSWER
    kinds: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"payment": tuple(_WORDS)})

    def verify(self, delivery: Delivery, keys: Sequence[Key]) -> VerifiedDelivery:
        """Return the delivery as verified, or raise Unauthentic."""
        signature = hex_signature(signature_header(delivery, SIGNATURE_HEADER))
        time = time_header(delivery, TIME_HEADER)
        signed = Signed(signed_unix_ms(time), (SIGNATURE_HEADER, TIME_HEADER))
        schemes = (Scheme(SCHEME, lambda: _message(time, delivery.body)),)
        return prove(delivery, schemes, keys, is_hmac_sha256(signature), signed)

    def normalize(self, verified: VerifiedDelivery) -> Sequence[Event]:
        """Return the one event of the delivery, or raise NotUnderstood."""
        fields = Fields.of(verified)
        identity = required("id", fields.text("id"))
        word, happened = _happened(fields)
        facts = {
            "provider_reference": required("data.paymentId", fields.text("data.paymentId")),
            "reference": fields.text("data.externalId"),
            **_money(fields, happened),
        }
        change = (identity, word)
        return (happening(verified, self.name, happened, change, facts, _transfer(fields)),)

    def simulate(self, wanted: Simulation, key: Key, target: str) -> Delivery:
        """Make a genuine delivery; a kind or status that is not in `kinds` is a KeyError."""
        word = {"payment": _WORDS}[wanted.kind][wanted.status]
        body = json.dumps(_body(wanted, word), ensure_ascii=False, separators=(",", ":")).encode()
        headers = (("content-type", "application/json"),)
        made = Delivery("simulated", "simulated", "POST", target, headers, body, wanted.at)
        return self.sign(made, key)

    def sign(self, delivery: Delivery, key: Key) -> Delivery:
        """Sign time and body."""
        time = unix_ms_text(delivery.received_at)
        signature = hmac_sha256(key.secret, _message(time, delivery.body)).hex()
        return with_headers(delivery, (SIGNATURE_HEADER, signature), (TIME_HEADER, time))


def _message(time: str, body: bytes) -> bytes:
    return time.encode() + b"." + body


def _happened(fields: Fields) -> tuple[str, EventType]:
    word = required("type", fields.text("type"))
    if word not in _EVENTS:
        raise refused(Reason.UNKNOWN_EVENT, "type", f"expected {', '.join(_EVENTS)}")
    status = fields.text("data.status")
    expected = _STATUSES.get(word, (word.partition(".")[2],))
    if status is not None and status.lower() not in expected:
        raise NotUnderstood(Reason.AMBIGUOUS, f"data.status: contradicts {word}")
    return word, _EVENTS[word]


def _money(fields: Fields, happened: EventType) -> dict[str, object]:
    """Read the price, and the amount paid if it is known.

    `data.amount` is the price. The amount paid is the price if the payment is confirmed, and the
    price with the difference added or subtracted if it is over- or underpaid; `receivedAmount`,
    which is not documented, must agree.
    """
    price, currency = fields.amount("data.amount"), currency_name(fields.text("data.currency"))
    paid = _paid(fields, happened, price)
    received = fields.amount("data.receivedAmount")
    if paid is not None and received is not None and paid != received:
        raise NotUnderstood(Reason.AMBIGUOUS, "data.receivedAmount: not what data.amount implies")
    if price is not None:
        required("data.currency", currency)
    return {
        "amount": paid,
        "currency": currency,
        "expected_amount": price,
        "expected_currency": currency,
        "price_met": _PRICE_MET.get(happened),
    }


def _paid(fields: Fields, happened: EventType, price: Decimal | None) -> Decimal | None:
    if happened is EventType.PAYMENT_CONFIRMED:
        return required("data.amount", price)
    if happened not in _GAPS:
        return None
    name, sign = _GAPS[happened]
    gap = required(name, _gap(fields, name))
    paid = EXACT.add(required("data.amount", price), gap * sign)
    return representable(name, paid)


def _gap(fields: Fields, name: str) -> Decimal | None:
    named, either = fields.amount(name), fields.amount(_EITHER_GAP)
    if named is not None and either is not None and named != either:
        raise NotUnderstood(Reason.AMBIGUOUS, f"{name}: differs from {_EITHER_GAP}")
    return either if named is None else named


def _transfer(fields: Fields) -> Descriptions:
    return {
        "network": lambda: network_name(fields.text("data.network")),
        "tx_hash": lambda: fields.text("data.txHash"),
        "to_address": lambda: fields.text("data.depositAddress"),
        "customer.id": lambda: fields.text("data.merchantUserId"),
        "occurred_at": lambda: fields.moment("createdAt", from_iso),
    }


def _body(wanted: Simulation, word: str) -> dict[str, object]:
    digest = hashlib.sha256(f"pulse2pay {wanted.number}".encode()).hexdigest()
    return {
        "id": f"evt_{digest[:24]}_{wanted.status}",
        "type": word,
        "createdAt": wanted.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "data": {
            "paymentId": str(uuid.UUID(digest[:32], version=4)),
            "status": word.partition(".")[2],
            **_priced(wanted),
            "currency": wanted.currency,
            "network": "TRON",
            "externalId": wanted.order,
        },
    }


def _priced(wanted: Simulation) -> dict[str, str]:
    """Return a price for which the amount paid is the simulated amount."""
    paid = Decimal(wanted.amount)
    if wanted.status == "underpaid":
        price = amount_text(EXACT.add(paid, Decimal(1)))
        return {"amount": price, "underpaidAmount": "1", "differenceAmount": "1"}
    if wanted.status == "overpaid":
        gap = min(paid, Decimal(1))
        price, surplus = amount_text(EXACT.subtract(paid, gap)), amount_text(gap)
        return {"amount": price, "overpaidAmount": surplus, "differenceAmount": surplus}
    return {"amount": wanted.amount}


PROVIDER = Pulse2Pay()
