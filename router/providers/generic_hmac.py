"""Gateways that sign with an HMAC and have no provider of their own.

The endpoint's configuration defines how a delivery is signed and what its
words mean. Nothing is guessed, so an endpoint needs this configuration. The
glossary page of Pulse2Pay (pulse2pay.com, en/glossary/webhooks) shows such a
shape: `X-Signature` over the body, the time within the body.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import new as new_hash
from typing import Annotated, Literal, Self

from pydantic import BaseModel, StringConstraints, model_validator

from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery
from router.errors import ConfigurationError, NotUnderstood, Reason, Unauthentic
from router.providers import OPTIONS, Answer, EndpointContext, Example, Key, Simulation
from router.providers._mapping import BodyMapping, normalize, put, simulated, told_moment
from router.providers._reading import Fields, Path, required
from router.providers._signing import (
    Scheme,
    Signed,
    TimeUnit,
    base64_bytes,
    dated,
    hex_signature,
    hmac_of,
    is_hmac,
    moment_reader,
    moment_text,
    prove,
    signature_header,
    signed_time,
    time_header,
    with_headers,
)

_TEMPLATE = re.compile(r"(\{body\}|\{time\})")

HeaderName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", max_length=100)
]

# How long the sender retries is unknown. A genuine retry must not be refused for its age, and
# the event's id makes a replay harmless.
_TOLERANCE = timedelta(hours=24)


class SignedTime(BaseModel):
    """`[….time]`: the location of the signed time."""

    model_config = OPTIONS

    header: HeaderName | None = None
    field: Path | None = None
    unit: TimeUnit = "s"

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.header is None) is (self.field is None):
            message = "set header or field"
            raise ValueError(message)
        return self


class GenericHmacOptions(BaseModel):
    """Options of an endpoint of this provider."""

    model_config = OPTIONS

    signature_header: HeaderName = "x-signature"
    signature_prefix: str = ""
    algorithm: Literal["sha256", "sha384", "sha512"] = "sha256"
    encoding: Literal["hex", "hex-upper", "base64"] = "hex"
    signed: str = "{body}"
    time: SignedTime | None = None
    answer: str = "OK"
    mapping: BodyMapping

    @model_validator(mode="after")
    def _covered(self) -> Self:
        pieces = _TEMPLATE.split(self.signed)
        if pieces.count("{body}") != 1 or any(set("{}") & set(text) for text in pieces[::2]):
            message = "signed: expected {body} once, with {time} and other text around it"
            raise ValueError(message)
        in_header = self.time is not None and self.time.header is not None
        if pieces.count("{time}") != int(in_header):
            message = "signed: expected {time} once if time.header is set, and never otherwise"
            raise ValueError(message)
        return self


# The shape of the glossary page, in which status and event repeat each other. The page's body
# has neither order nor currency; a real sender's body has both.
_EXAMPLE: Mapping[str, object] = {
    "signature_header": "X-Signature",
    "algorithm": "sha256",
    "encoding": "hex",
    "signed": "{body}",
    "time": {"field": "timestamp", "unit": "s"},
    "mapping": {
        "gateway": "generic_hmac",
        "event": "event",
        "status": "payment.status",
        "identity": ["payment.id", "event"],
        "events": {
            "payment.pending": "payment.pending",
            "payment.confirmed": "payment.confirmed",
            "payment.expired": "payment.expired",
            "payment.failed": "payment.failed",
        },
        "statuses": {
            "PENDING": "payment.pending",
            "CONFIRMED": "payment.confirmed",
            "EXPIRED": "payment.expired",
            "FAILED": "payment.failed",
        },
        "fields": {
            "provider_reference": "payment.id",
            "reference": "payment.order_id",
            "amount": "payment.amount",
            "currency": "payment.currency",
            "tx_hash": "payment.tx_hash",
        },
    },
}


@dataclass(frozen=True)
class GenericHmac:
    """The provider, a `router.providers.Provider`; usable only once it is configured."""

    name: str = "generic_hmac"
    methods: frozenset[str] = frozenset({"POST"})
    content_types: frozenset[str] = frozenset({"application/json"})
    options: type[GenericHmacOptions] = GenericHmacOptions
    own: GenericHmacOptions | None = None

    @property
    def tolerance(self) -> timedelta | None:
        """A day if a time is signed: narrow it once the sender's retries are known."""
        return None if self.own is None or self.own.time is None else _TOLERANCE

    @property
    def answer(self) -> Answer:
        """The configured success answer."""
        return Answer(200, "text/plain", (self.own.answer if self.own else "OK").encode())

    @property
    def kinds(self) -> Mapping[str, Sequence[str]]:
        """Kinds of delivery in the mapping, and the statuses of each."""
        return {} if self.own is None else self.own.mapping.kinds()

    def configured(self, options: GenericHmacOptions, _context: EndpointContext) -> "GenericHmac":
        """Return the provider configured for one endpoint."""
        return replace(self, own=options)

    def example(self) -> Example:
        """Return the shape of the glossary page, plus the currency that the page leaves out."""
        return Example(settings=_EXAMPLE)

    def verify(self, delivery: Delivery, keys: Sequence[Key]) -> VerifiedDelivery:
        """Return the delivery as verified, or raise Unauthentic."""
        own, headers = self._own, [self._own.signature_header.lower()]
        signature = _signature(own, signature_header(delivery, headers[0]))
        time, at = "", None
        if own.time is not None and own.time.header is not None:
            headers.append(own.time.header.lower())
            time = time_header(delivery, headers[1])
            at = signed_time(time, moment_reader(own.time.unit))
        schemes = (Scheme(self.name, lambda: _message(own, time, delivery.body)),)
        check = is_hmac(signature, own.algorithm)
        proved = prove(delivery, schemes, keys, check, Signed(at, tuple(headers)))
        return dated(proved, at or _time_within(own, proved))

    def normalize(self, verified: VerifiedDelivery) -> Sequence[Event]:
        """Return the one event of the delivery, or raise NotUnderstood."""
        own = self._own
        if own.time is not None and own.time.field is not None:
            required(own.time.field, _body_time(own.time.field, own.time.unit, verified))
        return (normalize(own.mapping, verified),)

    def simulate(self, wanted: Simulation, key: Key, target: str) -> Delivery:
        """Make a genuine delivery; a kind or status that is not in `kinds` is a KeyError."""
        own, members = self._own, simulated(self._own.mapping, wanted)
        if own.time is not None and own.time.field is not None:
            put(members, own.time.field, told_moment(wanted.at, own.time.unit))
        body = json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
        headers = (("content-type", "application/json"),)
        made = Delivery("simulated", "simulated", "POST", target, headers, body, wanted.at)
        return self.sign(made, key)

    def sign(self, delivery: Delivery, key: Key) -> Delivery:
        """Sign according to the settings; a time within the body is not changed."""
        own, time, pairs = self._own, "", []
        if own.time is not None and own.time.header is not None:
            time = moment_text(delivery.received_at, own.time.unit)
            pairs.append((own.time.header.lower(), time))
        signature = hmac_of(own.algorithm, key.secret, _message(own, time, delivery.body))
        written = (own.signature_header.lower(), _written(own, signature))
        return with_headers(delivery, *pairs, written)

    @property
    def _own(self) -> GenericHmacOptions:
        if self.own is None:
            message = "mapping: required by this provider"
            raise ConfigurationError(message)
        return self.own


def _message(own: GenericHmacOptions, time: str, body: bytes) -> bytes:
    before, _, after = own.signed.partition("{body}")
    written = [text.replace("{time}", time).encode() for text in (before, after)]
    return written[0] + body + written[1]


def _signature(own: GenericHmacOptions, text: str) -> bytes:
    length = new_hash(own.algorithm).digest_size
    if not text.startswith(own.signature_prefix):
        raise Unauthentic(Reason.SIGNATURE_MALFORMED, f"expected {own.signature_prefix}…")
    text = text.removeprefix(own.signature_prefix)
    if own.encoding == "hex":
        return hex_signature(text, length)
    if own.encoding == "hex-upper":
        return hex_signature(text.swapcase(), length)
    decoded = base64_bytes(text)
    if decoded is None or len(decoded) != length:
        raise Unauthentic(Reason.SIGNATURE_MALFORMED, f"expected {length} bytes in base64")
    return decoded


def _written(own: GenericHmacOptions, signature: bytes) -> str:
    if own.encoding == "base64":
        return own.signature_prefix + base64.b64encode(signature).decode()
    text = signature.hex()
    return own.signature_prefix + (text.upper() if own.encoding == "hex-upper" else text)


def _time_within(own: GenericHmacOptions, proved: VerifiedDelivery) -> datetime | None:
    """Return the time in the verified body; None if unreadable, which normalize reports."""
    if own.time is None or own.time.field is None:
        return None
    try:
        return _body_time(own.time.field, own.time.unit, proved)
    except NotUnderstood:
        return None


def _body_time(path: str, unit: TimeUnit, verified: VerifiedDelivery) -> datetime | None:
    return Fields.of(verified).moment(path, moment_reader(unit))


PROVIDER = GenericHmac()
