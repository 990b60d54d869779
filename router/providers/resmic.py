"""Resmic Pro: payments of a session, each delivered once and never retried.

Signed with the webhook secret of the dashboard's developer page, over the raw
body; there is no signed time and no delivery id. Sources: the pages
docs.resmic.com/resmic-pro ("Resmic docs", webhooks-and-notifications) and the
sender's own code, github.com/0xResmic/Resmic-PRO ("sender",
backend/src/services/makePaymentServices.js).
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from router.contract.event import Event, EventType
from router.delivery import Delivery, VerifiedDelivery
from router.providers import Answer, Key, Simulation
from router.providers._chains import is_live_name
from router.providers._reading import (
    Descriptions,
    Fields,
    currency_name,
    happening,
    network_name,
    required,
)
from router.providers._signing import (
    Scheme,
    Signed,
    hex_signature,
    hmac_sha256,
    is_hmac_sha256,
    prove,
    signature_header,
    with_headers,
)

SCHEME = "resmic-raw"
SIGNATURE_HEADER = "x-signature"

# The sender ignores the answer; the text is that of the sample endpoint (Resmic docs).
_ANSWER = Answer(
    200, "application/json", b'{"success":true,"message":"Webhook processed successfully"}'
)

_STATUSES = {True: EventType.PAYMENT_CONFIRMED, False: EventType.PAYMENT_FAILED}

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SENT = re.compile(r"([A-Z][a-z]{2}) ([0-9]{1,2}), ([0-9]{4}), ([0-9]{2}):([0-9]{2})")
_MIDNIGHT = 24


@dataclass(frozen=True)
class Resmic:
    """The provider, a `router.providers.Provider`."""

    name: str = "resmic"
    methods: frozenset[str] = frozenset({"POST"})
    content_types: frozenset[str] = frozenset({"application/json"})
    tolerance: None = None
    answer: Answer = _ANSWER
    kinds: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {"payment": ("confirmed", "failed")}
    )

    def verify(self, delivery: Delivery, keys: Sequence[Key]) -> VerifiedDelivery:
        """Return the delivery as verified, or raise Unauthentic."""
        signature = hex_signature(signature_header(delivery, SIGNATURE_HEADER))
        # The documented receiver serialises the parsed body again, which would also accept
        # altered bodies; the sender signs the bytes that it sends.
        schemes = (Scheme(SCHEME, lambda: delivery.body),)
        signed = Signed(None, (SIGNATURE_HEADER,))
        return prove(delivery, schemes, keys, is_hmac_sha256(signature), signed)

    def normalize(self, verified: VerifiedDelivery) -> Sequence[Event]:
        """Return the one event of the delivery, or raise NotUnderstood."""
        fields = Fields.of(verified)
        happened = _STATUSES[required("status", fields.flag("status"))]
        session = required("session_id", fields.text("session_id"))
        facts = {"provider_reference": session, **_money(fields, happened), **_test(fields)}
        identity = (session, happened.status)
        return (happening(verified, self.name, happened, identity, facts, _transfer(fields)),)

    def simulate(self, wanted: Simulation, key: Key, target: str) -> Delivery:
        """Make a genuine delivery; a kind or status that is not in `kinds` is a KeyError."""
        if wanted.status not in self.kinds[wanted.kind]:
            raise KeyError(wanted.status)
        body = json.dumps(_body(wanted), ensure_ascii=False, separators=(",", ":")).encode()
        headers = (("content-type", "application/json"),)
        made = Delivery("simulated", "simulated", "POST", target, headers, body, wanted.at)
        return self.sign(made, key)

    def sign(self, delivery: Delivery, key: Key) -> Delivery:
        """Sign the body."""
        signature = hmac_sha256(key.secret, delivery.body).hex()
        return with_headers(delivery, (SIGNATURE_HEADER, signature))


def _money(fields: Fields, happened: EventType) -> dict[str, object]:
    """Read the price of the session, which the sender reports instead of the amount paid."""
    amount, token = fields.amount("amount"), fields.text("token")
    if happened is EventType.PAYMENT_CONFIRMED:
        required("amount", amount)
    if amount is not None:
        required("token", token)
    currency = currency_name(token)
    price: dict[str, object] = {"expected_amount": amount, "expected_currency": currency}
    if happened is EventType.PAYMENT_FAILED:
        # The money may have come, if only its onward transfer failed: the amount is unknown.
        return price
    return {"amount": amount, "currency": currency, "amount_claimed": True, **price}


def _test(fields: Fields) -> dict[str, object]:
    """Recognize live networks by name; the sender's own sample names test networks (`Sepolia`)."""
    network = fields.value("blockchain")
    return {"test": False if isinstance(network, str) and is_live_name(network) else None}


def _transfer(fields: Fields) -> Descriptions:
    return {
        "network": lambda: network_name(fields.text("blockchain")),
        "tx_hash": lambda: fields.text("transaction_hash"),
        "from_address": lambda: fields.text("from_wallet_address"),
        "occurred_at": lambda: fields.moment("txTime", _sent_at),
    }


def _sent_at(text: str) -> datetime:
    """Read `Mar 5, 2025, 03:36`, UTC to the minute, or raise ValueError."""
    message = "a time such as Mar 5, 2025, 03:36"
    match = _SENT.fullmatch(text)
    if match is None or match[1] not in _MONTHS:
        raise ValueError(message)
    hour = int(match[4])
    # Node writes the hour after midnight as 24, with the date of the new day.
    parts = (int(match[3]), _MONTHS.index(match[1]) + 1, int(match[2]))
    return datetime(*parts, 0 if hour == _MIDNIGHT else hour, int(match[5]), tzinfo=UTC)


def _body(wanted: Simulation) -> dict[str, object]:
    digest = hashlib.sha256(f"resmic {wanted.number}".encode()).hexdigest()
    paid = {
        "amount": wanted.amount,
        "blockchain": "Sepolia" if wanted.test else "Ethereum",
        "token": wanted.currency,
        "from_wallet_address": f"0x{digest[:40]}",
        "transaction_hash": f"0x{digest}",
    }
    return {
        "session_id": str(uuid.UUID(digest[:32], version=4)),
        **(paid if wanted.status == "confirmed" else {}),
        "txTime": _written(wanted.at.astimezone(UTC)),
        "status": wanted.status == "confirmed",
    }


def _written(moment: datetime) -> str:
    hour = moment.hour or _MIDNIGHT
    month = _MONTHS[moment.month - 1]
    return f"{month} {moment.day}, {moment.year}, {hour:02}:{moment.minute:02}"


PROVIDER = Resmic()
