"""Ways to forge a genuine delivery, and the expected reasons of refusal."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

from router.delivery import Delivery
from router.errors import Reason
from tests.conformance.kit import (
    Case,
    counts_repeated_headers_once,
    header_of,
    roles,
    said,
    saying,
    side,
    with_header,
    without,
)

_WRONG = frozenset({Reason.SIGNATURE_WRONG})
_WRONG_OR_MALFORMED = _WRONG | {Reason.SIGNATURE_MALFORMED}
_MISSING = frozenset({Reason.SIGNATURE_MISSING})
_NONE_OF_IT = frozenset({Reason.SIGNATURE_MISSING, Reason.TIME_MISSING, Reason.ID_MISSING})

Forge = Callable[[Case], Iterator[Delivery]]


@dataclass(frozen=True)
class Forgery:
    """A way to forge; it yields nothing if a gateway lacks the part that it changes."""

    forge: Forge
    reasons: frozenset[Reason]


@cache
def _genuine(case: Case) -> Delivery:
    return side(case.provider).made(case)


@cache
def _another(case: Case) -> Delivery:
    return side(case.provider).made(case, number=8, order="B-2", amount="1")


def _flipped(case: Case) -> Iterator[Delivery]:
    genuine = _genuine(case)
    words = said(genuine)
    for place in {0, len(words) // 3, len(words) // 2, len(words) - 1}:
        for bit in (1, 128):
            spoilt = words[:place] + bytes([words[place] ^ bit]) + words[place + 1 :]
            yield saying(genuine, spoilt)


def _cut(case: Case) -> Iterator[Delivery]:
    words = said(_genuine(case))
    yield saying(_genuine(case), words[:-1])
    yield saying(_genuine(case), words[1:])
    yield saying(_genuine(case), words[: len(words) // 2])


def _longer(case: Case) -> Iterator[Delivery]:
    words = said(_genuine(case))
    for more in (b"\n", b" ", b"&x=1", b"\0"):
        yield saying(_genuine(case), words + more)
    yield saying(_genuine(case), b" " + words)


def _empty(case: Case) -> Iterator[Delivery]:
    yield saying(_genuine(case), b"")


def _swapped(case: Case) -> Iterator[Delivery]:
    yield saying(_genuine(case), said(_another(case)))


def _more_money(case: Case) -> Iterator[Delivery]:
    for old, new in ((b"100.50", b"900.50"), (b"A-1", b"B-1"), (b"USDT", b"USDC")):
        words = said(_genuine(case)).replace(old, new)
        if words != said(_genuine(case)):
            yield saying(_genuine(case), words)


def _signature(case: Case) -> tuple[str, str]:
    name = header_of(case, Reason.SIGNATURE_MISSING)
    assert name is not None
    (value,) = _genuine(case).header(name)
    return name, value


def _resigned(*values: Callable[[str], str]) -> Forge:
    def forge(case: Case) -> Iterator[Delivery]:
        name, value = _signature(case)
        for changed in values:
            if changed(value) != value:
                yield with_header(_genuine(case), name, changed(value))

    return forge


def _no_signature(case: Case) -> Iterator[Delivery]:
    name, value = _signature(case)
    yield without(_genuine(case), name)
    yield with_header(without(_genuine(case), name), f"{name}-old", value)


def _two_signatures(case: Case) -> Iterator[Delivery]:
    name, value = _signature(case)
    if not counts_repeated_headers_once(case.provider):
        yield with_header(_genuine(case), name, value, value)
    yield with_header(_genuine(case), name, "0" * len(value), value)
    yield with_header(_genuine(case), name, value, "0" * len(value))


def _joined(case: Case) -> Iterator[Delivery]:
    name, value = _signature(case)
    # A list of parts may have the same part twice.
    if "=" not in value.partition(",")[0].rstrip("="):
        yield with_header(_genuine(case), name, f"{value},{value}")


def _other_algorithms(case: Case) -> Iterator[Delivery]:
    name, value = _signature(case)
    genuine, own = _genuine(case), side(case.provider)
    version = f"{value.partition(',')[0]}," if "," in value else ""
    secret = own.gateway.keys[0].secret
    digests = [hashlib.sha256(said(genuine)).digest(), hashlib.sha256().digest()]
    digests += [hmac.digest(secret, said(genuine), name) for name in ("sha512", "sha1", "md5")]
    digests += [hmac.digest(b"", said(genuine), "sha256"), b"", b"\0" * 32]
    for digest in digests:
        yield with_header(genuine, name, version + digest.hex())
        yield with_header(genuine, name, version + b64encode(digest).decode())


def _signature_of_another(case: Case) -> Iterator[Delivery]:
    name, _ = _signature(case)
    yield with_header(_genuine(case), name, *_another(case).header(name))


def _other_key(case: Case) -> Iterator[Delivery]:
    mine, theirs = side(case.provider), side(case.provider, 2).made(case)
    yield replace(
        theirs,
        endpoint=mine.endpoint.name,
        account=mine.endpoint.account,
        target=theirs.target.replace("/shop-2", "/shop-1", 1),
    )


def _nothing(case: Case) -> Iterator[Delivery]:
    kept = tuple(pair for pair in _genuine(case).headers if pair[0] == "content-type")
    yield replace(_genuine(case), headers=kept)
    yield replace(saying(_genuine(case), b""), headers=kept)


def _two_times(case: Case) -> Iterator[Delivery]:
    once = counts_repeated_headers_once(case.provider)
    yield from _of_role(Reason.TIME_MISSING, lambda v: [v, v + "0" if once else v])(case)


def _of_role(missing: Reason, *changes: Callable[[str], list[str]]) -> Forge:
    def forge(case: Case) -> Iterator[Delivery]:
        name = header_of(case, missing)
        if name is not None:
            (value,) = _genuine(case).header(name)
            for change in changes:
                yield with_header(_genuine(case), name, *change(value))

    return forge


def _others_moved(case: Case) -> Iterator[Delivery]:
    """Change every other required header of a delivery."""
    known = {Reason.SIGNATURE_MISSING, Reason.TIME_MISSING}
    for name, reason in roles(case).items():
        if reason not in known:
            (value,) = _genuine(case).header(name)
            yield with_header(_genuine(case), name, value + "1")
            if _another(case).header(name) != (value,):
                yield with_header(_genuine(case), name, *_another(case).header(name))


def _changed_in_the_middle(value: str) -> str:
    place = len(value) * 2 // 3
    while not value[place].isalnum():
        place -= 1
    return value[:place] + ("0" if value[place] != "0" else "1") + value[place + 1 :]


_LATER = _of_role(Reason.TIME_MISSING, lambda v: [_changed_in_the_middle(v)], lambda v: ["0" + v])
_WORDS = ("now", "", "-1", "1e3", "0x10", "9" * 40, "\u00b2")

FORGERIES: Mapping[str, Forgery] = {
    "bit flipped": Forgery(_flipped, _WRONG),
    "cut": Forgery(_cut, _WRONG),
    "longer": Forgery(_longer, _WRONG),
    "empty": Forgery(_empty, _WRONG),
    "said by another delivery": Forgery(_swapped, _WRONG),
    "more money": Forgery(_more_money, _WRONG),
    "no signature": Forgery(_no_signature, _MISSING),
    "two signatures": Forgery(_two_signatures, frozenset({Reason.SIGNATURE_DUPLICATED})),
    "signature malformed": Forgery(
        _resigned(
            lambda _: "", lambda _: "no signature!", lambda _: "\u00e9", lambda v: f"{v},{v}0"
        ),
        frozenset({Reason.SIGNATURE_MALFORMED}),
    ),
    "signature joined": Forgery(_joined, frozenset({Reason.SIGNATURE_MALFORMED})),
    "signature changed": Forgery(_resigned(_changed_in_the_middle), _WRONG),
    "signature cut": Forgery(
        # The beginning of some signature headers is the time.
        _resigned(lambda v: v[:-4], lambda v: v[4:]),
        _WRONG_OR_MALFORMED | {Reason.TIME_MISSING},
    ),
    "signature in other case": Forgery(
        _resigned(str.upper, str.lower, str.swapcase), _WRONG_OR_MALFORMED
    ),
    "signature of another delivery": Forgery(_signature_of_another, _WRONG),
    "other algorithm": Forgery(_other_algorithms, _WRONG_OR_MALFORMED),
    "other endpoint's key": Forgery(_other_key, _WRONG),
    "no header": Forgery(_nothing, _NONE_OF_IT),
    "time missing": Forgery(
        _of_role(Reason.TIME_MISSING, lambda _: []), frozenset({Reason.TIME_MISSING})
    ),
    "time doubled": Forgery(_two_times, frozenset({Reason.TIME_DUPLICATED})),
    "time malformed": Forgery(
        _of_role(Reason.TIME_MISSING, *((lambda _, w=word: [w]) for word in _WORDS)),
        frozenset({Reason.TIME_MALFORMED}),
    ),
    "time moved": Forgery(_LATER, _WRONG),
    "identity moved": Forgery(_others_moved, _WRONG),
}
