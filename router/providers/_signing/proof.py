"""The proof that a delivery is genuine: the only module that makes a VerifiedDelivery."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from router.contract.event import Verification
from router.delivery import Delivery, VerifiedDelivery
from router.errors import Reason, Unauthentic
from router.providers import Key
from router.providers._signing.keys import Check
from router.providers._signing.notes import (
    FormMade,
    HeaderRead,
    KeyTried,
    expected,
    is_watched,
    note,
    note_expected,
)

_VERIFICATIONS = 1024
"""Schemes with a key that are remembered: a few for each endpoint."""


@dataclass(frozen=True)
class Scheme:
    """One way in which the gateway may have signed: its name and the bytes it covers.

    `message` is called only if no earlier scheme matched; it returns None if this
    body has no such form.
    """

    name: str
    message: Callable[[], bytes | None]


@dataclass(frozen=True)
class Signed:
    """Signed time of a delivery, and the headers to keep with it."""

    at: datetime | None
    headers: tuple[str, ...]


def signature_header(delivery: Delivery, name: str) -> str:
    """Return the one signature header, or raise Unauthentic."""
    return one_header(delivery, name, Reason.SIGNATURE_MISSING, Reason.SIGNATURE_DUPLICATED)


def time_header(delivery: Delivery, name: str) -> str:
    """Return the one header with the signed time, or raise Unauthentic."""
    return one_header(delivery, name, Reason.TIME_MISSING, Reason.TIME_DUPLICATED)


def one_header(delivery: Delivery, name: str, missing: Reason, duplicated: Reason) -> str:
    """Return the value of a header that occurs exactly once, or raise Unauthentic."""
    values = delivery.header(name)
    if is_watched():
        note(HeaderRead(name, values))
    if not values:
        raise Unauthentic(missing, f"no header {name}")
    if len(values) > 1:
        raise Unauthentic(duplicated, f"header {name} occurs {len(values)} times")
    return values[0]


def with_headers(delivery: Delivery, *pairs: tuple[str, str]) -> Delivery:
    """Return a delivery with these headers in place of those with the same names."""
    names = {name for name, _ in pairs}
    others = (pair for pair in delivery.headers if pair[0] not in names)
    return replace(delivery, headers=(*others, *pairs))


def undoubled(delivery: Delivery, names: Iterable[str]) -> Delivery:
    """Return the delivery with each of these headers once, where a relay repeated it unchanged.

    A relay may send a header twice, or join both values with a comma. Values that differ are
    left as they are: they contradict each other.
    """
    found = {name: {_halved(value) for value in delivery.header(name)} for name in names}
    pairs = [
        (name, value) for name, values in found.items() if len(values) == 1 for value in values
    ]
    return with_headers(delivery, *pairs)


def _halved(value: str) -> str:
    half = value[: (len(value) - len(_JOINT)) // 2]
    return half if half and value == half + _JOINT + half else value


_JOINT = ", "


def prove(
    delivery: Delivery, schemes: Iterable[Scheme], keys: Sequence[Key], check: Check, signed: Signed
) -> VerifiedDelivery:
    """Return the delivery, verified by the first matching scheme and key, or raise Unauthentic."""
    for scheme in schemes:
        message = scheme.message()
        if is_watched():
            note(FormMade(scheme.name, message))
        key = None if message is None else _holding(keys, message, check)
        if key is not None:
            verification = _verification(scheme.name, key.fingerprint)
            return VerifiedDelivery(delivery, verification, signed.at, signed.headers)
    raise Unauthentic(Reason.SIGNATURE_WRONG, f"none of {len(keys)} keys made this signature")


def dated(verified: VerifiedDelivery, at: datetime | None) -> VerifiedDelivery:
    """Set when a delivery was signed, if the signed bytes contain the time."""
    return replace(verified, signed_at=at)


def _holding(keys: Sequence[Key], message: bytes, check: Check) -> Key | None:
    watched = is_watched()
    for key in keys:
        if _noted(key, message, check) if watched else check(key.secret, message):
            return key
    return None


@lru_cache(maxsize=_VERIFICATIONS)
def _verification(scheme: str, key: str) -> Verification:
    return Verification(scheme=scheme, key=key)


def _noted(key: Key, message: bytes, check: Check) -> bool:
    """Check a signature and note what was expected."""
    note_expected(None)
    held = check(key.secret, message)
    note(KeyTried(key.fingerprint, held, expected()))
    return held
