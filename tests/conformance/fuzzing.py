"""Inputs for the whole edge: genuine deliveries, taken apart and recombined."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from router.delivery import Delivery
from router.errors import Reason
from tests.conformance import kit
from tests.conformance.kit import Case

_WORDS = (
    "",
    "0",
    "now",
    "application/json",
    "text/plain",
    "9" * 300,
    "\u00ff",
    "v1,",
    "sha256=",
    "true",
    "-1",
    "payment",
    "payout",
    "*",
    "{body}",
)
_NAMES = ("content-type", "content-length", "content-encoding", "host", "x-forwarded-for", "")
_PIECES = (b'"', b"{", b"}", b"[", b",", b":", b"&", b"=", b"%00", b"\\u0000", b"\xff", b"1e999")


@dataclass(frozen=True)
class Input:
    """A delivery, and whether it is genuine in every byte."""

    delivery: Delivery
    genuine: bool = False


@dataclass
class Fuzzer:
    """Makes inputs for one provider. The same seed makes the same ones from the same deliveries."""

    name: str
    chance: random.Random

    def __post_init__(self) -> None:
        """Make the initial genuine deliveries, and one of a stranger."""
        cases = kit.cases(self.name)
        mine, theirs = kit.side(self.name), kit.side(self.name, 2)
        self.genuine = [
            mine.made(case, number=number, order=f"A-{number}")
            for case in cases
            for number in (7, 8, 9)
        ]
        self.strangers = [
            replace(
                theirs.made(case),
                endpoint="shop-1",
                account="shop-1",
                target=theirs.made(case).target.replace("/shop-2", "/shop-1", 1),
            )
            for case in cases
        ]
        self.needed = _needed(cases)

    def inputs(self, count: int) -> Iterator[Input]:
        """Yield this many inputs."""
        ways: Sequence[Callable[[], Delivery]] = (
            self._edited,
            self._edited,
            self._mixed,
            self._header,
            self._header,
            self._stranger,
            self._noise,
            self._target,
        )
        for _ in range(count):
            if self.chance.random() < 1 / 50:
                yield Input(self.chance.choice(self.genuine), genuine=True)
            else:
                yield Input(self.chance.choice(ways)())

    def is_genuine(self, delivery: Delivery) -> bool:
        """Return whether all signed parts are those of one genuine delivery."""
        return any(
            kit.said(delivery) == kit.said(real)
            and delivery.method == real.method
            and all(self._same(delivery.header(name), real.header(name)) for name in self.needed)
            for real in self.genuine
        )

    def _same(self, given: Sequence[str], real: Sequence[str]) -> bool:
        once = kit.counts_repeated_headers_once(self.name)
        return set(given) == set(real) if once else tuple(given) == tuple(real)

    def _edited(self) -> Delivery:
        made = self.chance.choice(self.genuine)
        words = bytearray(kit.said(made))
        for _ in range(self.chance.choice((1, 1, 1, 2, 5, 40))):
            self._edit(words)
        return kit.saying(made, bytes(words))

    def _edit(self, words: bytearray) -> None:
        chance = self.chance
        place = chance.randrange(len(words) + 1)
        match chance.randrange(5):
            case 0:
                words[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del words[place : place + chance.choice((1, 1, 8, 64))]
            case 2:
                words[place:place] = chance.choice(_PIECES)
            case 3:
                start = chance.randrange(len(words) + 1)
                words[place:place] = words[start : start + chance.randrange(40)]
            case _:
                words[place:place] = bytes(chance.randrange(48, 58) for _ in range(3))

    def _mixed(self) -> Delivery:
        """Combine the body of one delivery with some or all headers of another."""
        first, second = self.chance.sample(self.genuine, 2)
        headers = tuple(
            self.chance.choice((one, other))
            for one, other in zip(first.headers, second.headers, strict=False)
        )
        return kit.saying(replace(first, headers=headers), kit.said(second))

    def _header(self) -> Delivery:
        made, chance = self.chance.choice(self.genuine), self.chance
        headers = list(made.headers)
        place = chance.randrange(len(headers))
        name, value = headers[place]
        match chance.randrange(6):
            case 0:
                del headers[place]
            case 1:
                headers.insert(place, (name, chance.choice((value, *_WORDS))))
            case 2:
                headers[place] = (name, chance.choice(_WORDS))
            case 3:
                cut = chance.randrange(len(value) + 1)
                headers[place] = (name, value[:cut] + chance.choice("0aZ ,=\u00e9") + value[cut:])
            case 4:
                cut = chance.randrange(len(value) + 1)
                headers[place] = (name, value[:cut] + value[cut + 1 :])
            case _:
                headers.append((chance.choice(_NAMES), chance.choice(_WORDS)))
        return replace(made, headers=tuple(headers))

    def _stranger(self) -> Delivery:
        return self.chance.choice(self.strangers)

    def _noise(self) -> Delivery:
        made, chance = self.chance.choice(self.genuine), self.chance
        headers = tuple(
            (chance.choice((name, name, "x-noise")), chance.choice((value, *_WORDS)))
            for name, value in made.headers
        )
        body = chance.randbytes(chance.choice((0, 1, 20, 300, 3000)))
        method = chance.choice(("GET", "POST", "POST", "POST", "PUT", "\u00e9"))
        return kit.saying(replace(made, headers=headers, method=method), body)

    def _target(self) -> Delivery:
        made = self.chance.choice(self.genuine)
        tail = self.chance.choice(("/", "?", "?x=1", "/..", "%2f", "/{token}", "a" * 200))
        return kit.saying(replace(made, target=made.target.partition("?")[0] + tail), b"{}")


def _needed(cases: Sequence[Case]) -> frozenset[str]:
    """Return the headers under a signature, without the one that holds it."""
    signatures = {Reason.SIGNATURE_MISSING}
    return frozenset(
        name
        for case in cases
        for name, reason in kit.roles(case).items()
        if reason not in signatures
    )
