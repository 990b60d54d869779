"""Reads JSON with msgspec if the result is certain to be that of `router.contract.strict_json`.

msgspec accepts what the strict parser accepts, with three exceptions: it keeps the last of several
members with one name, it loses the sign of `-0`, and it nests deeper. A body that may have one of
them is left to the strict parser, and so is every body that msgspec refuses: the strict parser
decides, and its error has the reason.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from router.contract import strict_json
from router.contract.strict_json import MAX_DEPTH, JsonValue

_MINUS_ZERO = re.compile(rb"[\s:,\[]-0(?![.eE])")
_TOO_DEEP = MAX_DEPTH + 1


class _TooDeep(Exception):  # noqa: N818 - names the state
    """A value is nested deeper than the strict parser allows."""


def parse_object(data: bytes) -> Mapping[str, JsonValue]:
    """Read UTF-8 JSON whose top level is an object, or raise StrictJsonError.

    The same as `router.contract.strict_json.parse_object`, in less time.
    """
    members = read_object(data)
    return strict_json.parse_object(data) if members is None else members


def read_object(data: bytes) -> dict[str, JsonValue] | None:
    """Return the members of a JSON object; None if only the strict parser can decide."""
    if b"\\" in data or (b"-0" in data and _MINUS_ZERO.search(data) is not None):
        return None
    decode, refusal = _msgspec()
    try:
        # Another decoder of UTF-8 might accept more.
        data.decode("utf-8")
        members = decode(data)
        if type(members) is not dict or _make_exact(members, 1) * 2 != data.count(b'"'):
            return None
    except (refusal, ValueError, ArithmeticError, RecursionError, _TooDeep):
        return None
    return members


@cache
def _msgspec() -> tuple[Callable[[bytes], Any], type[Exception]]:
    """Return the reader of msgspec, and the base of its errors."""
    # Of the processes that import this module, only those that read bodies need it.
    import msgspec  # noqa: PLC0415

    return msgspec.json.Decoder(float_hook=Decimal).decode, msgspec.MsgspecError


def _make_exact(members: dict[str, Any], depth: int) -> int:
    """Make a Decimal of each whole number, and return how many texts and names there are.

    Without a backslash, each of them has two quotation marks in the body, and nothing else has
    any: a repeated name, which msgspec drops, has more.
    """
    if depth == _TOO_DEEP:
        raise _TooDeep
    texts = len(members)
    for name, value in members.items():
        kind = type(value)
        if kind is str:
            texts += 1
        elif kind is int:
            members[name] = Decimal(value)
        elif kind is dict:
            texts += _make_exact(value, depth + 1)
        elif kind is list:
            texts += _make_exact_list(value, depth + 1)
    return texts


def _make_exact_list(values: list[Any], depth: int) -> int:
    if depth == _TOO_DEEP:
        raise _TooDeep
    texts = 0
    for place, value in enumerate(values):
        kind = type(value)
        if kind is str:
            texts += 1
        elif kind is int:
            values[place] = Decimal(value)
        elif kind is dict:
            texts += _make_exact(value, depth + 1)
        elif kind is list:
            texts += _make_exact_list(value, depth + 1)
    return texts
