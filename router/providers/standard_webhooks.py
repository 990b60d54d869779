"""Senders that sign according to Standard Webhooks, such as Svix.

The specification (github.com/standard-webhooks, spec/standard-webhooks.md)
defines headers and signatures but not the body: the meaning of its words is
defined in the endpoint's configuration. Without it, every delivery is verified
and goes to quarantine. `v1a`, ed25519, is in the specification and in Svix'
server, not in the reference libraries.
"""

import base64
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, Field

from router.contract.event import Event, EventType
from router.delivery import Delivery, VerifiedDelivery
from router.errors import ConfigurationError, NotUnderstood, Reason, Unauthentic
from router.providers import OPTIONS, Answer, EndpointContext, Example, Key, Simulation
from router.providers._mapping import (
    BodyMapping,
    CheckedMapping,
    event_of,
    fields_of,
    simulated,
    unconfirmed,
)
from router.providers._signing import (
    SHA256_BYTES,
    Check,
    Scheme,
    Signed,
    base64_bytes,
    from_unix_s,
    hmac_sha256,
    one_header,
    prove,
    signature_header,
    signed_time,
    time_header,
    undoubled,
    unix_s_text,
    with_headers,
)

V1 = "standard-webhooks-v1"
V1A = "standard-webhooks-v1a"

SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix of secrets
PUBLIC_PREFIX = "whpk_"
PRIVATE_PREFIX = "whsk_"

# Lengths that the specification allows; a secret that was not base64 is detected by its length.
_SECRET_BYTES = range(24, 65)
_ED25519_BYTES = 32
_ED25519_SIGNATURE_BYTES = 64

_ID = re.compile(r"[!-\-/-~]{1,256}")
"""Visible ASCII except the full stop, which separates it from the time in the signed message."""

_SIGNATURES = 16
"""More than any rotation needs."""

_V1A_SIGNATURES = 4
"""More than any rotation needs: each costs a pass over the body for every public key."""

_STANDARD = ("webhook-id", "webhook-timestamp", "webhook-signature")
_SVIX = ("svix-id", "svix-timestamp", "svix-signature")

_ANSWER = Answer(200, "text/plain", b"OK")


class StandardWebhooksOptions(BaseModel):
    """Any gateway that signs by Standard Webhooks, or as Svix does."""

    model_config = OPTIONS

    mapping: CheckedMapping | None = Field(
        None,
        description="Meaning of the gateway's words and fields. Without it every delivery goes to"
        " quarantine.",
    )


@dataclass(frozen=True)
class StandardWebhooks:
    """The provider, a `router.providers.Provider`."""

    name: str = "standard_webhooks"
    methods: frozenset[str] = frozenset({"POST"})
    content_types: frozenset[str] = frozenset({"application/json"})
    # Every attempt is signed with a new time (spec, "webhook-timestamp").
    tolerance: timedelta = timedelta(minutes=5)
    answer: Answer = _ANSWER
    options: type[StandardWebhooksOptions] = StandardWebhooksOptions
    mapping: BodyMapping | None = None

    @property
    def kinds(self) -> Mapping[str, Sequence[str]]:
        """Kinds of delivery in the mapping, and the statuses of each."""
        return {} if self.mapping is None else self.mapping.kinds()

    @property
    def ignored(self) -> Sequence[str]:
        """Words that the mapping ignores."""
        return () if self.mapping is None else self.mapping.ignored

    def configured(
        self, options: StandardWebhooksOptions, context: EndpointContext
    ) -> "StandardWebhooks":
        """Return the provider configured for one endpoint; refuse malformed secrets."""
        for key in context.keys:
            _keyed(key)
        problems = [] if options.mapping is None else unconfirmed(options.mapping)
        if options.mapping is not None and options.mapping.identity:
            problems.append("mapping.identity: the header webhook-id is the identity")
        if problems:
            raise ConfigurationError(*problems)
        return replace(self, mapping=options.mapping)

    def example(self) -> Example:
        """Make a valid secret, and a mapping of the body that the specification recommends."""
        secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        return Example(settings={"secrets": [secret], "mapping": _EXAMPLE})

    def verify(self, delivery: Delivery, keys: Sequence[Key]) -> VerifiedDelivery:
        """Return the delivery as verified, or raise Unauthentic.

        A relay may add a signed set of headers to that of the sender. Then each is tried, and
        the one that a key proves counts.
        """
        single = undoubled(delivery, (*_STANDARD, *_SVIX))
        first, *others = _sets(single)
        try:
            return self._verify(single, first, keys)
        except Unauthentic:
            for names in others:
                with suppress(Unauthentic):
                    return self._verify(single, names, keys)
            raise

    def _verify(
        self, delivery: Delivery, names: tuple[str, str, str], keys: Sequence[Key]
    ) -> VerifiedDelivery:
        identity = one_header(delivery, names[0], Reason.ID_MISSING, Reason.ID_DUPLICATED)
        if _ID.fullmatch(identity) is None:
            raise Unauthentic(Reason.ID_MALFORMED, "expected visible ASCII without a full stop")
        time = time_header(delivery, names[1])
        signed = Signed(signed_time(time, from_unix_s), (*names, *self._unsigned))
        given = _signatures(signature_header(delivery, names[2]))
        message = _message(identity, time, delivery.body)
        known = [_keyed(key) for key in keys]
        for version, check in ((V1, _is_v1(given["v1"])), (V1A, _is_v1a(given["v1a"]))):
            own = [key for kind, key in known if kind == version]
            with suppress(Unauthentic):
                return prove(delivery, (Scheme(version, lambda: message),), own, check, signed)
        raise Unauthentic(Reason.SIGNATURE_WRONG, f"none of {len(keys)} keys made a signature")

    def normalize(self, verified: VerifiedDelivery) -> Sequence[Event]:
        """Return the one event of the delivery, or raise NotUnderstood."""
        if self.mapping is None:
            fields_of(verified)
            raise NotUnderstood(Reason.UNKNOWN_EVENT, "mapping: none is configured")
        (identity,) = verified.delivery.header(verified.signed_headers[0])
        return (event_of(self.mapping, verified, (identity,)),)

    def simulate(self, wanted: Simulation, key: Key, target: str) -> Delivery:
        """Make a genuine delivery; a kind or status that is not in `kinds` is a KeyError.

        A private key (`whsk_…`) makes the signature that its public key verifies.
        """
        if self.mapping is None:
            raise KeyError(wanted.kind)
        told = simulated(self.mapping, wanted)
        body = json.dumps(told.members, ensure_ascii=False, separators=(",", ":")).encode()
        identity = f"msg_{wanted.kind}-{wanted.status}-{wanted.number}"
        events = ((name, told.word) for name in self._unsigned)
        headers = (("content-type", "application/json"), ("webhook-id", identity), *events)
        made = Delivery("simulated", "simulated", "POST", target, headers, body, wanted.at)
        return self.sign(made, key)

    def sign(self, delivery: Delivery, key: Key) -> Delivery:
        """Sign the id from its header, the time and the body."""
        names = _sets(delivery)[0]
        (identity,) = delivery.header(names[0])
        time = unix_s_text(delivery.received_at)
        signature = _signature(key, _message(identity, time, delivery.body))
        return with_headers(delivery, (names[1], time), (names[2], signature))

    @property
    def _unsigned(self) -> tuple[str, ...]:
        """Headers that no signature covers, and that the mapping reads."""
        header = None if self.mapping is None else self.mapping.header
        return () if header is None else (header,)


def _sets(delivery: Delivery) -> Sequence[tuple[str, str, str]]:
    """Return the sets of header names of id, time and signature to try, the likeliest first."""
    found = [names for names in (_STANDARD, _SVIX) if all(map(delivery.header, names))]
    partial = [names for names in (_STANDARD, _SVIX) if any(map(delivery.header, names))]
    # Without a complete set, the error names what is missing of the first.
    return found or partial[:1] or [_STANDARD]


def _message(identity: str, time: str, body: bytes) -> bytes:
    return f"{identity}.{time}.".encode() + body


def _signatures(text: str) -> Mapping[str, list[bytes]]:
    """Group the signatures by version; versions other than v1 and v1a are ignored."""
    entries = text.split(" ")
    if len(entries) > _SIGNATURES:
        raise Unauthentic(Reason.SIGNATURE_MALFORMED, f"more than {_SIGNATURES} signatures")
    found: dict[str, list[bytes]] = {"v1": [], "v1a": []}
    lengths = {"v1": SHA256_BYTES, "v1a": _ED25519_SIGNATURE_BYTES}
    for entry in entries:
        version, _, written = entry.partition(",")
        signature = base64_bytes(written) if version in found else None
        if signature is not None and len(signature) == lengths[version]:
            found[version].append(signature)
    if len(found["v1a"]) > _V1A_SIGNATURES:
        detail = f"more than {_V1A_SIGNATURES} signatures v1a"
        raise Unauthentic(Reason.SIGNATURE_MALFORMED, detail)
    if not any(found.values()):
        raise Unauthentic(Reason.SIGNATURE_MALFORMED, "expected v1 or v1a, a comma and base64")
    return found


def _is_v1(given: Sequence[bytes]) -> Check:
    def check(secret: bytes, message: bytes) -> bool:
        expected = hmac_sha256(secret, message)
        return any(hmac.compare_digest(expected, signature) for signature in given)

    return check


def _is_v1a(given: Sequence[bytes]) -> Check:
    def check(public: bytes, message: bytes) -> bool:
        key = Ed25519PublicKey.from_public_bytes(public)
        return any(_verifies(key, signature, message) for signature in given)

    return check


def _verifies(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _keyed(key: Key) -> tuple[str, Key]:
    """Return the signature version that a key is for, and the decoded key.

    Raises ConfigurationError if it is malformed.
    """
    text = key.secret.decode("utf-8", "replace")
    if text.startswith(PRIVATE_PREFIX):
        message = f"secrets: {PRIVATE_PREFIX} is the sender's, expected {PUBLIC_PREFIX}"
        raise ConfigurationError(message)
    if text.startswith(PUBLIC_PREFIX):
        public = _decoded(text.removeprefix(PUBLIC_PREFIX))
        if public is None or len(public) != _ED25519_BYTES:
            message = f"secrets: expected {PUBLIC_PREFIX} and {_ED25519_BYTES} bytes in base64"
            raise ConfigurationError(message)
        return V1A, Key(public, key.fingerprint)
    secret = _decoded(text.removeprefix(SECRET_PREFIX))
    if secret is None or len(secret) not in _SECRET_BYTES:
        message = f"secrets: expected {SECRET_PREFIX} and 24 to 64 bytes in base64"
        raise ConfigurationError(message)
    return V1, Key(secret, key.fingerprint)


def _decoded(text: str) -> bytes | None:
    """Decode a key as the reference libraries do; None if it is not base64.

    Python, Ruby and PHP also accept it without padding. None of them reads the
    URL-safe alphabet: they drop its characters or refuse them, so it is refused.
    """
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:
        return None


def _signature(key: Key, message: bytes) -> str:
    text = key.secret.decode("utf-8", "replace")
    private = _decoded(text.removeprefix(PRIVATE_PREFIX))
    if text.startswith(PRIVATE_PREFIX) and private is not None:
        signing = Ed25519PrivateKey.from_private_bytes(private[:_ED25519_BYTES])
        return "v1a," + base64.b64encode(signing.sign(message)).decode()
    # A malformed secret is used as it is, so that its signature matches no valid secret.
    secret = _decoded(text.removeprefix(SECRET_PREFIX)) or key.secret
    return "v1," + base64.b64encode(hmac_sha256(secret, message)).decode()


# The recommended body; the names under `data` are the sender's own.
_EXAMPLE: Mapping[str, object] = {
    "gateway": "standard_webhooks",
    "event": "type",
    "events": {happened.value: happened.value for happened in EventType},
    "fields": {
        "provider_reference": "data.id",
        "reference": "data.order_id",
        "amount": "data.amount",
        "currency": "data.currency",
        "network": "data.network",
        "tx_hash": "data.tx_hash",
        "occurred_at": "timestamp",
    },
}

PROVIDER = StandardWebhooks()
