"""The signature header, the time that is signed, and the bytes they cover."""

import base64
from collections.abc import Mapping, Sequence
from hashlib import new as new_hash

from router.delivery import Delivery
from router.errors import ConfigurationError, Reason, Unauthentic
from router.providers import Key
from router.providers._signing import (
    base64_bytes,
    hex_signature,
    hmac_of,
    signature_header,
    time_header,
)
from router.providers.generic_hmac._options import BODY, EVENT, TIME, URL, GenericHmacOptions

_MOST_PARTS = 16
"""More than any rotation needs."""


def signatures_and_time(
    own: GenericHmacOptions, delivery: Delivery
) -> tuple[Sequence[bytes], str | None]:
    """Return the signatures, and the text of the time, None unless it is outside the body."""
    header = signature_header(delivery, own.signature_header.lower())
    time, part = own.time, own.signature_part
    if part is None:
        parts: Mapping[str, Sequence[str]] = {}
        signatures = [_signature(own, header)]
    else:
        parts = _parts(header, own.part_separator)
        signatures = [_signature(own, text) for text in parts.get(part, ())]
    if not signatures:
        raise Unauthentic(Reason.SIGNATURE_MALFORMED, f"expected a part {part}")
    if time is not None and time.header is not None:
        return signatures, time_header(delivery, time.header.lower())
    if time is not None and time.part is not None:
        return signatures, _only_time(time.part, parts.get(time.part, ()))
    return signatures, None


def _parts(text: str, separator: str) -> Mapping[str, Sequence[str]]:
    """Group the parts of a header by name; parts of other names do not matter."""
    entries = text.split(separator)
    if len(entries) > _MOST_PARTS:
        raise Unauthentic(Reason.SIGNATURE_MALFORMED, f"more than {_MOST_PARTS} parts")
    found: dict[str, dict[str, None]] = {}
    for entry in entries:
        name, _, value = entry.strip().partition("=")
        found.setdefault(name, {})[value] = None
    return {name: tuple(values) for name, values in found.items()}


def _only_time(part: str, values: Sequence[str]) -> str:
    if not values:
        raise Unauthentic(Reason.TIME_MISSING, f"no part {part}")
    if len(values) > 1:
        raise Unauthentic(Reason.TIME_DUPLICATED, f"part {part} has {len(values)} values")
    return values[0]


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


def signed_bytes(own: GenericHmacOptions, delivery: Delivery, time: str, url: str) -> bytes:
    """Return the bytes that the signature covers."""
    event = own.mapping.header
    contents = {
        BODY: delivery.body,
        TIME: time.encode(),
        EVENT: ", ".join(delivery.header(event)).encode("latin-1") if event else b"",
        URL: url.encode("latin-1"),
    }
    return b"".join(
        contents[piece] if place % 2 else piece.encode() for place, piece in enumerate(own.pieces)
    )


def written_signature(own: GenericHmacOptions, key: Key, message: bytes, time: str) -> str:
    """Sign, and write the header as the gateway does."""
    signature = hmac_of(own.algorithm, key.secret, message)
    if own.encoding == "base64":
        text = base64.b64encode(signature).decode()
    else:
        text = signature.hex().upper() if own.encoding == "hex-upper" else signature.hex()
    text = own.signature_prefix + text
    if own.signature_part is None:
        return text
    named = f"{own.signature_part}={text}"
    if own.time is None or own.time.part is None:
        return named
    return f"{own.time.part}={time}{own.part_separator}{named}"


def decoded_key(own: GenericHmacOptions, key: Key) -> Key:
    """Decode a secret as configured, or raise ConfigurationError."""
    if own.key_encoding == "text":
        return key
    text = key.secret.decode("utf-8", "replace").strip()
    try:
        secret = bytes.fromhex(text) if own.key_encoding == "hex" else base64_bytes(text)
    except ValueError:
        secret = None
    if not secret:
        message = f"secrets: expected {own.key_encoding}, the key_encoding of this endpoint"
        raise ConfigurationError(message)
    return Key(secret, key.fingerprint)
