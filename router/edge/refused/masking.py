"""Masks secrets in unverified bytes, in the spellings that occur in requests."""

import base64
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, quote_plus

MASK = "{masked}"
"""Replaces a secret or token, and the value of a header that carries credentials."""

_LONG_ENOUGH = 8
"""Shortest secret, in bytes, searched for within base64: a shorter one would match by chance."""


def spellings(secrets: Iterable[bytes]) -> Sequence[bytes]:
    """Return the spellings of the secrets in a body or URL, in lower case.

    These are plain, percent-encoded, with escaped slashes, in hexadecimal, and
    within base64. A sender can still spell a secret in other ways.
    """
    found: set[bytes] = set()
    for secret in secrets:
        for each in (secret, secret.removeprefix(b"whsec_")):
            found |= {each, each.replace(b"/", b"\\/"), each.hex().encode()}
            found |= {quote(each, safe="").encode(), quote_plus(each).encode()}
            found |= set(_within_base64(each))
    return sorted({each.lower() for each in found} - {b""})


def masked(text: bytes, lowered: Iterable[bytes]) -> bytes:
    """Replace each of these spellings, in upper or lower case, by `MASK`."""
    searched = text.lower()
    spans = sorted(span for each in lowered for span in _places(searched, each))
    pieces: list[bytes] = []
    end = 0
    for start, stop in spans:
        if start >= end:
            pieces += [text[end:start], MASK.encode()]
        end = max(end, stop)
    return b"".join(pieces) + text[end:]


def _places(text: bytes, wanted: bytes) -> Iterator[tuple[int, int]]:
    start = text.find(wanted)
    while start >= 0:
        yield start, start + len(wanted)
        start = text.find(wanted, start + len(wanted))


def _within_base64(secret: bytes) -> Iterator[bytes]:
    """Yield the characters that only the secret determines, for each offset in a longer text."""
    if len(secret) < _LONG_ENOUGH:
        return
    for before in range(3):
        padded = bytes(before) + secret
        # A character holds six bits: the first and last may include bits of a neighbour.
        whole = slice(-(-before * 8 // 6), len(padded) * 8 // 6)
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(padded)[whole]
