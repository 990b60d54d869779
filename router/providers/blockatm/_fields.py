"""Fields in either of BlockATM's two spellings."""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache, partial

from router.contract.fields import MAX_TEXT
from router.contract.strict_json import JsonValue, type_name
from router.errors import Reason
from router.providers._reading import Fields, malformed, refused

_WHOLE = re.compile(r"0|[1-9][0-9]*")


@cache
def snake_case(name: str) -> str:
    """Return the other spelling of a field: `bizOrderNo` is `biz_order_no`."""
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def spelled(members: Mapping[str, JsonValue]) -> Fields:
    """Return the top-level fields by their documented name.

    Null and the empty text mean absent: an unpaid order has an empty
    `fromAddress` (BlockATM docs, webhooks/payment-webhook.md). The requests
    on the overview pages spell names in snake case, the field tables never
    do; both are read.
    """
    return Fields(partial(_in_either_spelling, members))


def has(members: Mapping[str, JsonValue], name: str) -> bool:
    """Return whether a field is present in a spelling, even if the spellings contradict."""
    return _present(members, name) is not None or _present(members, snake_case(name)) is not None


def whole(fields: Fields, name: str) -> str | None:
    """Return the digits of a whole number, which may be a number or text."""
    value = fields.value(name)
    if value is None:
        return None
    text = str(value) if isinstance(value, Decimal) else value
    if not isinstance(text, str) or len(text) > MAX_TEXT or _WHOLE.fullmatch(text) is None:
        raise malformed(name, "expected a whole number")
    return text


def _in_either_spelling(members: Mapping[str, JsonValue], name: str) -> JsonValue:
    first, other = _present(members, name), snake_case(name)
    if other == name:
        return first
    second = _present(members, other)
    if first is None or second is None:
        return second if first is None else first
    if type_name(first) != type_name(second) or first != second:
        raise refused(Reason.AMBIGUOUS, name, "two spellings with two values")
    return first


def _present(members: Mapping[str, JsonValue], name: str) -> JsonValue:
    value = members.get(name)
    return None if value == "" else value
