"""CPU cost of refusing a forged delivery, relative to hashing a body of the maximum size."""

import hashlib
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from router.configuration.settings import EdgeSettings
from router.delivery import Delivery
from router.errors import Reason, Unauthentic
from tests.conformance import kit

LARGEST = EdgeSettings().body_limit_bytes
_LARGEST_HEAD = EdgeSettings().header_limit_bytes
_SIZES = tuple(LARGEST // part for part in (1, 2, 4, 8, 16))

RUNAWAY = 30
"""Maximum multiple of the cost of hashing: a verification takes one or a few passes."""

_RUNS = 7
_MOST_RUNS = 200
"""Runs until the best one is unlikely to have shared its core and its cache with other programs."""


def ratio(work: Callable[[], object]) -> float:
    """Return the CPU time of the work as a multiple of hashing a body of the maximum size.

    Both are measured in turn, and the best of several runs counts, so that other work on the
    machine slows down neither alone; of more runs if the result would be too high.
    """
    body = random.Random(1).randbytes(LARGEST)
    best = hashing = float("inf")
    # Coverage would slow down our lines and not the hash.
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        for run in range(_MOST_RUNS):
            if run >= _RUNS and best < RUNAWAY * hashing:
                break
            best = min(best, _seconds(work))
            hashing = min(hashing, _seconds(lambda: hashlib.sha256(body).digest()))
    finally:
        sys.settrace(tracer)
    return best / hashing


def _seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of this thread for the work."""
    started = time.thread_time()
    work()
    return time.thread_time() - started


def _repeated(before: bytes, piece: bytes, after: bytes) -> Callable[[int], bytes]:
    def make(size: int) -> bytes:
        return before + piece * ((size - len(before) - len(after)) // len(piece)) + after

    return make


def _numbered(size: int) -> bytes:
    members = ",".join(f'"{number:06x}":"{number:06x}"' for number in range(size // 18))
    return f"{{{members}}}".encode()


_DEEP = b'{"a":' * 20 + b"1" + b"}" * 20

BODIES: Mapping[str, Callable[[int], bytes]] = {
    "garbage": lambda size: random.Random(2).randbytes(size),
    "brackets": _repeated(b"", b"[", b""),
    "quotation marks": _repeated(b'{"a":"', b'\\"', b'"}'),
    "one text": _repeated(b'{"a":"', b"x", b'"}'),
    "many members": _numbered,
    "many numbers": _repeated(b'{"a":[1', b",1", b"]}"),
    "many fractions": _repeated(b'{"a":[1', b",1.5", b"]}"),
    "many objects": _repeated(b'{"a":[{}', b",{}", b"]}"),
    "deep objects": _repeated(b'{"a":[1', b"," + _DEEP, b"]}"),
    "rows": _repeated(b'{"a":[1', b',{"amount":"1.00","orderNo":"TX1"}', b"]}"),
    "pairs": _repeated(b"a=1", b"&a=1", b""),
    "escapes": _repeated(b"a=1", b"&%61=%31", b""),
}
"""Bodies that are slow to parse, by content; each is made with an approximate size."""


def forged(own: kit.Side, case: kit.Case) -> Iterator[tuple[str, Delivery]]:
    """Yield deliveries with the headers of a genuine one and a forged body."""
    genuine = own.made(case)
    sizes = (_LARGEST_HEAD,) if genuine.method == "GET" else _SIZES
    for name, make in BODIES.items():
        for size in sizes:
            words = make(size)
            if genuine.method == "GET":
                words = words.translate(None, b" \r\n")
            yield f"{name}, {size} bytes", replace(kit.saying(genuine, words), received_at=kit.AT)


def refusing(own: kit.Side, delivery: Delivery) -> Callable[[], object]:
    """Return a function that refuses a forged delivery."""

    def refuse() -> None:
        with pytest.raises(Unauthentic) as refused:
            own.provider.verify(delivery, own.endpoint.keys)
        assert refused.value.reason is Reason.SIGNATURE_WRONG

    return refuse
