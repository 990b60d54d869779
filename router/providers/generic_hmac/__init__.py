"""Gateways that sign with an HMAC and have no provider of their own.

The endpoint's configuration defines how a delivery is signed and what its
words mean. Nothing is guessed, so an endpoint needs this configuration. The
glossary page of Pulse2Pay (pulse2pay.com, en/glossary/webhooks) shows such a
shape: `X-Signature` over the body, the time within the body.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery
from router.errors import ConfigurationError, NotUnderstood
from router.providers import Answer, EndpointContext, Example, Key, Simulation
from router.providers._mapping import (
    event_of,
    fields_of,
    moment_at,
    put,
    simulated,
    told_moment,
    unconfirmed,
)
from router.providers._reading import required
from router.providers._signing import (
    Scheme,
    Signed,
    dated,
    is_one_of_hmacs,
    moment_reader,
    moment_text,
    prove,
    signed_time,
    undoubled,
    with_headers,
)
from router.providers.generic_hmac._options import EVENT, URL, GenericHmacOptions, SignedTime
from router.providers.generic_hmac._signature import (
    decoded_key,
    signatures_and_time,
    signed_bytes,
    written_signature,
)

# How long the sender retries is unknown. A genuine retry must not be refused for its age, and
# the event's id makes a replay harmless.
_TOLERANCE = timedelta(hours=24)


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
    context: EndpointContext | None = None

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

    @property
    def ignored(self) -> Sequence[str]:
        """Words that the mapping ignores."""
        return () if self.own is None else self.own.mapping.ignored

    def configured(self, options: GenericHmacOptions, context: EndpointContext) -> "GenericHmac":
        """Return the provider configured for one endpoint."""
        problems = [] if options.signs(EVENT) else unconfirmed(options.mapping)
        if options.signs(URL) and context.public_url is None:
            problems.append("public_url: required here or under [edge], since signed has {url}")
        if problems:
            raise ConfigurationError(*problems)
        for key in context.keys:
            decoded_key(options, key)
        return replace(self, own=options, context=context)

    def example(self) -> Example:
        """Return the shape of the glossary page, plus the currency that the page leaves out."""
        return Example(settings=_EXAMPLE)

    def verify(self, delivery: Delivery, keys: Sequence[Key]) -> VerifiedDelivery:
        """Return the delivery as verified, or raise Unauthentic."""
        own, names = self._own, self._headers
        single = undoubled(delivery, names)
        signatures, time = signatures_and_time(own, single)
        at = None
        if own.time is not None and time is not None:
            at = signed_time(time, moment_reader(own.time.unit))
        schemes = (Scheme(self.name, lambda: self._message(single, time or "")),)
        known = [decoded_key(own, key) for key in keys]
        check = is_one_of_hmacs(signatures, own.algorithm)
        proved = prove(single, schemes, known, check, Signed(at, names))
        return dated(proved, at or _time_within(own.time, proved))

    def normalize(self, verified: VerifiedDelivery) -> Sequence[Event]:
        """Return the one event of the delivery, or raise NotUnderstood or IgnoredEvent."""
        own = self._own
        if own.time is not None and own.time.field is not None:
            required(own.time.field, _body_time(own.time, own.time.field, verified))
        return (event_of(own.mapping, verified),)

    def simulate(self, wanted: Simulation, key: Key, target: str) -> Delivery:
        """Make a genuine delivery; a kind or status that is not in `kinds` is a KeyError."""
        own, told = self._own, simulated(self._own.mapping, wanted)
        if own.time is not None and own.time.field is not None:
            put(told.members, own.time.field, told_moment(wanted.at, own.time.unit))
        body = json.dumps(told.members, ensure_ascii=False, separators=(",", ":")).encode()
        event = own.mapping.header
        headers = [("content-type", "application/json"), *([(event, told.word)] if event else [])]
        made = Delivery("simulated", "simulated", "POST", target, tuple(headers), body, wanted.at)
        return self.sign(made, key)

    def sign(self, delivery: Delivery, key: Key) -> Delivery:
        """Sign according to the settings; a time within the body is not changed."""
        own, time, pairs = self._own, "", []
        if own.time is not None and own.time.field is None:
            time = moment_text(delivery.received_at, own.time.unit)
        if own.time is not None and own.time.header is not None:
            pairs.append((own.time.header.lower(), time))
        message = self._message(delivery, time)
        written = written_signature(own, decoded_key(own, key), message, time)
        return with_headers(delivery, *pairs, (own.signature_header.lower(), written))

    def _message(self, delivery: Delivery, time: str) -> bytes:
        url = "" if self.context is None else self.context.url(delivery.target)
        return signed_bytes(self._own, delivery, time, url)

    @property
    def _headers(self) -> tuple[str, ...]:
        """Headers that prove a delivery, and the one that names its event."""
        own = self._own
        names = [own.signature_header, own.time and own.time.header, own.mapping.event_header]
        return tuple(name.lower() for name in names if name)

    @property
    def _own(self) -> GenericHmacOptions:
        if self.own is None:
            message = "mapping: required by this provider"
            raise ConfigurationError(message)
        return self.own


def _time_within(time: SignedTime | None, proved: VerifiedDelivery) -> datetime | None:
    """Return the time in the verified body; None if unreadable, which normalize reports."""
    if time is None or time.field is None:
        return None
    try:
        return _body_time(time, time.field, proved)
    except NotUnderstood:
        return None


def _body_time(time: SignedTime, path: str, verified: VerifiedDelivery) -> datetime | None:
    return moment_at(fields_of(verified), path, moment_reader(time.unit))


PROVIDER = GenericHmac()
