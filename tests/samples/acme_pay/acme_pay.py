"""Acme Pay: payments, signed over time and body with the endpoint's secret."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from router.contract.event import Event, EventType
from router.delivery import Delivery, VerifiedDelivery
from router.errors import Reason
from router.providers import Answer, Key, Simulation
from router.providers._reading import (
    Descriptions,
    Fields,
    currency_name,
    happening,
    network_name,
    refused,
    required,
)
from router.providers._signing import (
    Scheme,
    Signed,
    from_unix_s,
    hex_signature,
    hmac_sha256,
    is_hmac_sha256,
    prove,
    signature_header,
    signed_time,
    time_header,
    unix_s_text,
    with_headers,
)

SIGNATURE_HEADER = "acme-signature"
TIME_HEADER = "acme-time"

# Acme's words, as its page lists them, and what they mean. A word that is not here is not guessed.
_EVENTS = {
    "opened": EventType.PAYMENT_PENDING,
    "paid": EventType.PAYMENT_CONFIRMED,
    "lapsed": EventType.PAYMENT_EXPIRED,
}
_WORDS = {happened.status: word for word, happened in _EVENTS.items()}


@dataclass(frozen=True)
class AcmePay:
    """The provider, as `router.providers.Provider` wants it."""

    name: str = "acme_pay"
    methods: frozenset[str] = frozenset({"POST"})
    content_types: frozenset[str] = frozenset({"application/json"})
    tolerance: timedelta = timedelta(minutes=5)
    answer: Answer = field(default_factory=lambda: Answer(200, "text/plain", b"accepted"))
    kinds: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"payment": tuple(_WORDS)})

    def verify(self, delivery: Delivery, keys: Sequence[Key]) -> VerifiedDelivery:
        """Return the delivery as verified, or raise Unauthentic."""
        signature = hex_signature(signature_header(delivery, SIGNATURE_HEADER))
        time = time_header(delivery, TIME_HEADER)
        signed = Signed(signed_time(time, from_unix_s), (SIGNATURE_HEADER, TIME_HEADER))
        schemes = (Scheme("acme-pay", lambda: _message(time, delivery.body)),)
        return prove(delivery, schemes, keys, is_hmac_sha256(signature), signed)

    def normalize(self, verified: VerifiedDelivery) -> Sequence[Event]:
        """Return the one event of the delivery, or raise NotUnderstood."""
        fields = Fields.of(verified)
        word = required("event", fields.text("event"))
        if word not in _EVENTS:
            raise refused(Reason.UNKNOWN_EVENT, "event", f"expected {', '.join(_EVENTS)}")
        payment = required("payment", fields.text("payment"))
        amount, coin = fields.amount("sum"), fields.text("coin")
        if word == "paid":
            required("sum", amount)
        if amount is not None:
            required("coin", coin)
        facts = {
            "provider_reference": payment,
            "reference": fields.text("order"),
            "amount": amount,
            "currency": currency_name(coin),
        }
        identity = (payment, word)
        described = _described(fields)
        return (happening(verified, self.name, _EVENTS[word], identity, facts, described),)

    def simulate(self, wanted: Simulation, key: Key, target: str) -> Delivery:
        """Make a genuine delivery; a kind or status that is not in `kinds` is a KeyError."""
        members = {
            "event": {"payment": _WORDS}[wanted.kind][wanted.status],
            "payment": f"pay_{wanted.number}",
            "order": wanted.order,
            "sum": wanted.amount,
            "coin": wanted.currency,
            "network": "Sepolia" if wanted.test else "Ethereum",
            "tx": f"0x{wanted.number:064x}",
            "at": int(unix_s_text(wanted.at)),
        }
        headers, body = (("content-type", "application/json"),), json.dumps(members).encode()
        made = Delivery("simulated", "simulated", "POST", target, headers, body, wanted.at)
        return self.sign(made, key)

    def sign(self, delivery: Delivery, key: Key) -> Delivery:
        """Sign time and body."""
        time = unix_s_text(delivery.received_at)
        signature = hmac_sha256(key.secret, _message(time, delivery.body)).hex()
        return with_headers(delivery, (SIGNATURE_HEADER, signature), (TIME_HEADER, time))


def _described(fields: Fields) -> Descriptions:
    return {
        "network": lambda: network_name(fields.text("network")),
        "tx_hash": lambda: fields.text("tx"),
        "occurred_at": lambda: fields.moment("at", from_unix_s),
    }


def _message(time: str, body: bytes) -> bytes:
    return time.encode() + b"." + body


PROVIDER = AcmePay()
