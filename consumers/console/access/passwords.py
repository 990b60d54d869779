"""Hashes and checks passwords with scrypt, as `scrypt$LOG2N$R$P$SALT$HASH`."""

import base64
import hashlib
import hmac
import secrets
from typing import Final

_LOG2N: Final = 15
_R: Final = 8
_P: Final = 1
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_MEMORY_FACTOR: Final = 256
_MOST_LOG2N: Final = 18

NOBODY: Final = f"scrypt${_LOG2N}${_R}${_P}${'A' * 22}${'A' * 43}"
"""A hash that no password has, so that an unknown name takes as long as a known one."""


def hashed(password: str, log2n: int = _LOG2N) -> str:
    """Return the hash of a password with a new salt; `log2n` is the cost."""
    salt = secrets.token_bytes(_SALT_BYTES)
    derived = _derived(password, salt, (log2n, _R, _P))
    return f"scrypt${log2n}${_R}${_P}${_text(salt)}${_text(derived)}"


def matches(password: str, kept: str) -> bool:
    """Return whether a password has this hash. Takes about 0.1 s of a core and 32 MiB."""
    _, log2n, r, p, salt, expected = kept.split("$")
    derived = _derived(password, _bytes(salt), (int(log2n), int(r), int(p)))
    return hmac.compare_digest(derived, _bytes(expected))


def _derived(password: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    log2n, r, p = cost
    n = 1 << min(log2n, _MOST_LOG2N)
    return hashlib.scrypt(
        password.encode(),
        salt=salt,
        n=n,
        r=r,
        p=p,
        maxmem=n * r * _MEMORY_FACTOR,
        dklen=_HASH_BYTES,
    )


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
