"""JSON read without loss: exact numbers, no duplicate keys, bounded depth."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

_TYPE_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
JsonValue = Mapping[str, "JsonValue"] | Sequence["JsonValue"] | str | Decimal | bool | None
"""A parsed JSON value; every number is a Decimal that keeps the digits as written."""

MAX_DEPTH = 32
"""Deepest nesting accepted. No gateway sends more than four levels."""

# The closing quote is optional so that an unterminated string is one token, not a rescan.
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_BRACKET = re.compile(r"[^\[\]{}]+")
_STEP = {"{": 1, "[": 1, "}": -1, "]": -1}


class StrictJsonError(ValueError):
    """The text is not JSON as this contract reads it; the message says why, without the text."""


def parse(data: bytes) -> JsonValue:
    """Read UTF-8 JSON, or raise StrictJsonError.

    Refused: anything but UTF-8, a duplicate key at any level, NaN and the
    infinities, numbers Decimal cannot hold, nesting deeper than MAX_DEPTH.
    """
    value: JsonValue = parse_as(data, _number, unique_keys)
    return value


def parse_as(
    data: bytes,
    number: Callable[[str], Any],
    members: Callable[[list[tuple[str, Any]]], Any],
) -> Any:  # noqa: ANN401 - what the two make of it
    """Read UTF-8 JSON as strictly, with these makers of numbers and objects."""
    text = _decode(data)
    _check_depth(text)
    try:
        return json.loads(
            text,
            parse_int=number,
            parse_float=number,
            parse_constant=_refuse_constant,
            object_pairs_hook=members,
        )
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg} at character {error.pos}"
        raise StrictJsonError(message) from None


def parse_object(data: bytes) -> Mapping[str, JsonValue]:
    """Read UTF-8 JSON whose top level is an object, or raise StrictJsonError."""
    value = parse(data)
    if not isinstance(value, Mapping):
        message = f"expected a JSON object at the top, got {type_name(value)}"
        raise StrictJsonError(message)
    return value


def type_name(value: JsonValue) -> str:
    """Name a parsed value's JSON type, for error messages."""
    return _TYPE_NAMES.get(type(value), "number")


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        message = "not UTF-8"
        raise StrictJsonError(message) from None


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        message = "a number's exponent is out of range"
        raise StrictJsonError(message) from None


def _refuse_constant(name: str) -> JsonValue:
    message = f"{name} is not JSON"
    raise StrictJsonError(message)


def unique_keys(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    """Make an object of its members, or raise StrictJsonError where a key stands twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        message = "duplicate key in an object"
        raise StrictJsonError(message)
    return members


def _check_depth(text: str) -> None:
    # Before the parser, whose recursion would otherwise be the sender's to spend.
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _NO_BRACKET.sub("", _STRING.sub("", text)):
        depth += _STEP[bracket]
        if depth > MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels"
            raise StrictJsonError(message)
