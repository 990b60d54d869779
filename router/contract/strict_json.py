"""Reads JSON without loss: exact numbers, no duplicate keys, limited depth."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

_TYPE_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
JsonValue = Mapping[str, "JsonValue"] | Sequence["JsonValue"] | str | Decimal | bool | None
"""A parsed JSON value; every number is a Decimal that keeps the digits as written."""

MAX_DEPTH = 32
"""Maximum nesting. No gateway sends more than four levels."""

# The closing quote is optional, so that an unterminated string is matched once and not rescanned.
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_BRACKET = re.compile(r"[^\[\]{}]+")
_STEP = {"{": 1, "[": 1, "}": -1, "]": -1}


class StrictJsonError(ValueError):
    """The text is not JSON as defined here; the message has the reason and not the text."""


def parse(data: bytes) -> JsonValue:
    """Read UTF-8 JSON, or raise StrictJsonError.

    It refuses anything but UTF-8, a duplicate key at any level, NaN and the infinities,
    numbers that Decimal cannot represent, and nesting deeper than MAX_DEPTH.
    """
    value: JsonValue = parse_as(data, _number, unique_keys)
    return value


def parse_as(
    data: bytes,
    number: Callable[[str], Any],
    members: Callable[[list[tuple[str, Any]]], Any],
) -> Any:  # noqa: ANN401 - depends on the two functions
    """Read UTF-8 JSON as strictly as `parse`, with these functions for numbers and objects."""
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
    """Return the name of a parsed value's JSON type, for error messages."""
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
    """Make an object from its members, or raise StrictJsonError if a key occurs twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        message = "duplicate key in an object"
        raise StrictJsonError(message)
    return members


def _check_depth(text: str) -> None:
    # Before parsing: otherwise a sender could exhaust the parser's recursion limit.
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _NO_BRACKET.sub("", _STRING.sub("", text)):
        depth += _STEP[bracket]
        if depth > MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels"
            raise StrictJsonError(message)
