"""Keys and the signatures they make: HMAC, RSA and ECDSA."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from router.errors import Reason, Unauthentic
from router.providers import Key
from router.providers._signing.notes import note_expected

SHA256_BYTES = 32
"""Length of an HMAC-SHA256 before it is written as text."""

Check = Callable[[bytes, bytes], bool]
"""Returns whether a signature is valid for a secret (or public key) and a message."""

_FINGERPRINT_DOMAIN = b"payrouter key fingerprint\x00"


def fingerprint(secret: bytes) -> str:
    """Return a name that does not reveal the secret, for logs, metrics and events."""
    return "fp:" + hashlib.sha256(_FINGERPRINT_DOMAIN + secret).hexdigest()[:6]


_LOWER_HEX = re.compile("[0-9a-f]+")


def hex_signature(text: str, length: int = SHA256_BYTES) -> bytes:
    """Decode a signature of `length` bytes in lower-case hex, or raise Unauthentic.

    Only one spelling is valid: a second spelling of the same signature proves that it was
    rewritten.
    """
    if len(text) != 2 * length or _LOWER_HEX.fullmatch(text) is None:
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


def hmac_sha256(secret: bytes, message: bytes) -> bytes:
    """Sign a message."""
    return hmac.digest(secret, message, "sha256")


def hmac_of(algorithm: str, secret: bytes, message: bytes) -> bytes:
    """Sign a message with an HMAC over another hash."""
    return hmac.digest(secret, message, algorithm)


def is_hmac_sha256(signature: bytes) -> Check:
    """Return a check of this signature in constant time. An empty secret never matches."""
    return is_hmac(signature, "sha256")


def is_hmac(signature: bytes, algorithm: str) -> Check:
    """Return a check of a signature with this hash."""

    def check(secret: bytes, message: bytes) -> bool:
        expected = hmac.digest(secret, message, algorithm)
        note_expected(expected)
        return hmac.compare_digest(expected, signature) and bool(secret)

    return check


def is_one_of_hmacs(signatures: Sequence[bytes], algorithm: str) -> Check:
    """Return a check whether one of these signatures is right: one pass over the message."""

    def check(secret: bytes, message: bytes) -> bool:
        expected = hmac_of(algorithm, secret, message)
        note_expected(expected)
        held = [hmac.compare_digest(expected, signature) for signature in signatures]
        return any(held) and bool(secret)

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
    # Serialized again, so that one key has one fingerprint.
    own = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Key(own, fingerprint(own))


def is_rsa_sha256(signature: bytes) -> Check:
    """Return a check of this RSA PKCS#1 v1.5 signature; the secret is a public key in DER."""

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
    """Return a check of this ECDSA signature, ASN.1 DER; the secret is a public key in DER."""

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
    """Make a key pair for a simulated gateway: private key and public key, as PEM."""
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
