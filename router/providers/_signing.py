"""How a delivery is proved genuine: the one place that makes a VerifiedDelivery.

A provider reads its headers with `signature_header` and `time_header`, says
which bytes the gateway may have signed (`Scheme`) and how a signature is
checked against a key (`Check`), and asks `prove`. Everything else is refused.
"""

import base64
import contextlib
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from router.contract.event import Verification
from router.delivery import Delivery, VerifiedDelivery
from router.errors import Reason, Unauthentic
from router.providers import Key

SHA256_BYTES = 32
"""Length of an HMAC-SHA256 before it is written as text."""

Check = Callable[[bytes, bytes], bool]
"""Tells whether the signature at hand is that of a secret (or public key) over a message."""

TimeUnit = Literal["s", "ms", "iso"]
"""How a time is written: Unix seconds, Unix milliseconds, or ISO 8601 with its offset."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_MS = re.compile(r"[0-9]{1,16}")
_UNIX_S = re.compile(r"[0-9]{1,13}")
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_FINGERPRINT_DOMAIN = b"payrouter key fingerprint\x00"


@dataclass(frozen=True)
class Scheme:
    """One way in which the gateway may have signed: its name and the bytes it covers.

    `message` is asked only when no earlier scheme held; None says that this
    body has no such form.
    """

    name: str
    message: Callable[[], bytes | None]


@dataclass(frozen=True)
class Signed:
    """What goes with the proof: the time under the signature, and the headers to keep."""

    at: datetime | None
    headers: tuple[str, ...]


@dataclass(frozen=True)
class HeaderRead:
    """A header was asked for, and had these values."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class FormMade:
    """The bytes of a scheme were put together; None: this body has no such form."""

    scheme: str
    message: bytes | None = field(repr=False)


@dataclass(frozen=True)
class KeyTried:
    """A key was tried on those bytes; of the signature it would have made only the beginning."""

    fingerprint: str
    held: bool
    expected: str | None


Seen = HeaderRead | FormMade | KeyTried

_SEEN: ContextVar[list[Seen] | None] = ContextVar("seen", default=None)
_EXPECTED: ContextVar[str | None] = ContextVar("expected", default=None)
_BEGINNING = 4
"""Bytes of an expected signature that are told: too few to forge one, enough to compare."""


@contextlib.contextmanager
def watched() -> Iterator[Sequence[Seen]]:
    """Write down what is looked at inside the block, for `payrouter verify`."""
    seen: list[Seen] = []
    token = _SEEN.set(seen)
    try:
        yield seen
    finally:
        _SEEN.reset(token)


def _saw(what: Seen) -> None:
    seen = _SEEN.get()
    if seen is not None:
        seen.append(what)


def fingerprint(secret: bytes) -> str:
    """Name a secret without telling it: the same in every log, metric and event."""
    return "fp:" + hashlib.sha256(_FINGERPRINT_DOMAIN + secret).hexdigest()[:6]


def signature_header(delivery: Delivery, name: str) -> str:
    """Return the one signature header, or raise Unauthentic."""
    return one_header(delivery, name, Reason.SIGNATURE_MISSING, Reason.SIGNATURE_DUPLICATED)


def time_header(delivery: Delivery, name: str) -> str:
    """Return the one header with the signed time, or raise Unauthentic."""
    return one_header(delivery, name, Reason.TIME_MISSING, Reason.TIME_DUPLICATED)


def one_header(delivery: Delivery, name: str, missing: Reason, duplicated: Reason) -> str:
    """Return a header's value where it stands exactly once, or raise Unauthentic."""
    values = delivery.header(name)
    _saw(HeaderRead(name, values))
    if not values:
        raise Unauthentic(missing, f"no header {name}")
    if len(values) > 1:
        raise Unauthentic(duplicated, f"header {name} stands {len(values)} times")
    return values[0]


def with_headers(delivery: Delivery, *pairs: tuple[str, str]) -> Delivery:
    """Give a delivery these headers in the place of those of the same names."""
    names = {name for name, _ in pairs}
    others = (pair for pair in delivery.headers if pair[0] not in names)
    return replace(delivery, headers=(*others, *pairs))


def hex_signature(text: str, length: int = SHA256_BYTES) -> bytes:
    """Decode a signature of `length` bytes in lower-case hex, or raise Unauthentic.

    One spelling only: a second one of the same signature proves that somebody
    rewrote it.
    """
    if re.fullmatch(rf"[0-9a-f]{{{2 * length}}}", text) is None:
        raise Unauthentic(Reason.SIGNATURE_MALFORMED, f"expected {2 * length} lower-case hex")
    return bytes.fromhex(text)


def base64_bytes(text: str) -> bytes | None:
    """Decode base64 in its one spelling, padded and of the standard alphabet; None otherwise."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return decoded if base64.b64encode(decoded).decode() == text else None


def base64_signature(text: str, shortest: int = 8) -> bytes:
    """Decode a signature in padded base64 of its one canonical spelling, or raise Unauthentic."""
    signature = base64_bytes(text)
    if signature is None or len(signature) < shortest:
        raise Unauthentic(Reason.SIGNATURE_MALFORMED, "expected base64")
    return signature


def from_unix_ms(text: str) -> datetime:
    """Read Unix milliseconds exactly, or raise ValueError."""
    if _UNIX_MS.fullmatch(text) is None:
        message = "Unix milliseconds, 1 to 16 digits"
        raise ValueError(message)
    try:
        # timedelta counts whole milliseconds in integers; a float would lose some.
        return _EPOCH + timedelta(milliseconds=int(text))
    except OverflowError:
        message = "a time before the year 10000"
        raise ValueError(message) from None


def from_unix_s(text: str) -> datetime:
    """Read Unix seconds, or raise ValueError."""
    if _UNIX_S.fullmatch(text) is None:
        message = "Unix seconds, 1 to 13 digits"
        raise ValueError(message)
    try:
        return _EPOCH + timedelta(seconds=int(text))
    except OverflowError:
        message = "a time before the year 10000"
        raise ValueError(message) from None


def from_iso(text: str) -> datetime:
    """Read an ISO 8601 time with its offset, or raise ValueError."""
    message = "an ISO 8601 time with its offset"
    if _ISO.fullmatch(text) is None:
        raise ValueError(message)
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(message) from None


def signed_unix_ms(text: str) -> datetime:
    """Read a signed time in Unix milliseconds, or raise Unauthentic."""
    return signed_time(text, from_unix_ms)


def signed_time(text: str, read: Callable[[str], datetime]) -> datetime:
    """Read a signed time with one of the readers above, or raise Unauthentic."""
    try:
        return read(text)
    except ValueError as error:
        raise Unauthentic(Reason.TIME_MALFORMED, f"expected {error}") from None


def unix_ms_text(moment: datetime) -> str:
    """Write an aware time as Unix milliseconds, as a gateway does when it signs."""
    return str((moment - _EPOCH) // timedelta(milliseconds=1))


def unix_s_text(moment: datetime) -> str:
    """Write an aware time as Unix seconds."""
    return str((moment - _EPOCH) // timedelta(seconds=1))


def iso_text(moment: datetime) -> str:
    """Write an aware time as ISO 8601, in UTC to the millisecond."""
    return (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    )


def moment_reader(unit: TimeUnit) -> Callable[[str], datetime]:
    """Return what reads a time of this unit."""
    return {"s": from_unix_s, "ms": from_unix_ms, "iso": from_iso}[unit]


def moment_text(moment: datetime, unit: TimeUnit) -> str:
    """Write an aware time in this unit."""
    return {"s": unix_s_text, "ms": unix_ms_text, "iso": iso_text}[unit](moment)


def hmac_sha256(secret: bytes, message: bytes) -> bytes:
    """Sign a message."""
    return hmac.digest(secret, message, "sha256")


def hmac_of(algorithm: str, secret: bytes, message: bytes) -> bytes:
    """Sign a message with an HMAC over another hash."""
    return hmac.digest(secret, message, algorithm)


def is_hmac_sha256(signature: bytes) -> Check:
    """Check this signature in constant time. An empty secret proves nothing."""
    return is_hmac(signature, "sha256")


def is_hmac(signature: bytes, algorithm: str) -> Check:
    """Check a signature made with another hash as well."""

    def check(secret: bytes, message: bytes) -> bool:
        expected = hmac_of(algorithm, secret, message)
        if _SEEN.get() is not None:
            _EXPECTED.set(expected[:_BEGINNING].hex())
        return hmac.compare_digest(expected, signature) and bool(secret)

    return check


def public_key(text: str, kind: Literal["RSA", "P-256"]) -> Key:
    """Read a public key of this kind, as PEM or as the base64 inside, or raise ValueError."""
    lines = [line for line in text.strip().splitlines() if not line.startswith("-----")]
    try:
        der = base64.b64decode("".join(lines), validate=True)
        key = _loaded(der)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if key is None or isinstance(key, rsa.RSAPublicKey) is not (kind == "RSA"):
        message = f"expected a public key, {kind}, as PEM"
        raise ValueError(message)
    # Written anew, so that one key has one fingerprint.
    own = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Key(own, fingerprint(own))


def is_rsa_sha256(signature: bytes) -> Check:
    """Check this RSA PKCS#1 v1.5 signature; the secret is a public key in DER."""

    def check(der: bytes, message: bytes) -> bool:
        key = _loaded(der)
        if not isinstance(key, rsa.RSAPublicKey):
            return False
        try:
            key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    return check


def is_ecdsa_sha256(signature: bytes) -> Check:
    """Check this ECDSA signature, ASN.1 DER; the secret is a public key in DER."""

    def check(der: bytes, message: bytes) -> bool:
        key = _loaded(der)
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return False
        try:
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    return check


def new_rsa_key() -> tuple[bytes, str]:
    """Make a key pair to play a gateway with: the private half, the public half, as PEM."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    own = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return own, public.decode("ascii")


def rsa_sha256(private: bytes, message: bytes) -> str:
    """Sign a message with a private RSA key in PEM, in base64, or raise ValueError."""
    signature = _loaded_private(private).sign(message, padding.PKCS1v15(), hashes.SHA256())
    return base64.b64encode(signature).decode()


@cache
def _loaded_private(pem: bytes) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if isinstance(key, rsa.RSAPrivateKey):
        return key
    message = "expected a private RSA key"
    raise ValueError(message)


@cache
def _loaded(der: bytes) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey | None:
    key = serialization.load_der_public_key(der)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key if isinstance(key.curve, ec.SECP256R1) else None
    return key if isinstance(key, rsa.RSAPublicKey) else None


def prove(
    delivery: Delivery, schemes: Iterable[Scheme], keys: Sequence[Key], check: Check, signed: Signed
) -> VerifiedDelivery:
    """Return the delivery, verified by the first scheme and key to hold, or raise Unauthentic."""
    for scheme in schemes:
        message = scheme.message()
        _saw(FormMade(scheme.name, message))
        key = None if message is None else _holding(keys, message, check)
        if key is not None:
            verification = Verification(scheme=scheme.name, key=key.fingerprint)
            return VerifiedDelivery(delivery, verification, signed.at, signed.headers)
    raise Unauthentic(Reason.SIGNATURE_WRONG, f"none of {len(keys)} keys made this signature")


def dated(verified: VerifiedDelivery, at: datetime | None) -> VerifiedDelivery:
    """Say when a delivery was signed, where the time stands in what the proof covers."""
    return replace(verified, signed_at=at)


def _holding(keys: Sequence[Key], message: bytes, check: Check) -> Key | None:
    return next((key for key in keys if _holds(key, message, check)), None)


def _holds(key: Key, message: bytes, check: Check) -> bool:
    if _SEEN.get() is None:
        return check(key.secret, message)
    _EXPECTED.set(None)
    held = check(key.secret, message)
    _saw(KeyTried(key.fingerprint, held, _EXPECTED.get()))
    return held
