"""Paths of fields: through objects, and through lists that have a single element.

`payment.id` is `id` of the object `payment`; `payments[].id` is `id` of the only element of the
list `payments`. A list of several is never cut to its first element: the others would be lost.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from router.contract.strict_json import JsonValue, type_name
from router.delivery import VerifiedDelivery
from router.providers._reading import Fields, malformed, members_of

_ONLY = "[]"


def fields_of(verified: VerifiedDelivery) -> Fields:
    """Parse a JSON body, whose fields are named by their paths. Raises Unreadable."""
    return Fields(partial(_at, members_of(verified)))


def _at(members: Mapping[str, JsonValue], path: str) -> JsonValue:
    value: JsonValue = members
    place: list[str] = []
    for segment in path.split("."):
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise malformed(".".join(place), f"expected an object, got {type_name(value)}")
        place.append(segment)
        value = value.get(segment.removesuffix(_ONLY))
        if segment.endswith(_ONLY):
            value = _only(".".join(place), value)
    return value


def _only(place: str, value: JsonValue) -> JsonValue:
    if value is None:
        return None
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise malformed(place, f"expected a list, got {type_name(value)}")
    if len(value) > 1:
        raise malformed(place, f"expected one element, got {len(value)}")
    return value[0] if value else None


def moment_at(fields: Fields, path: str, read: Callable[[str], datetime]) -> datetime | None:
    """Read a time, which may be a number with a fraction. Raises NotUnderstood."""
    value = fields.value(path)
    if not isinstance(value, Decimal):
        return fields.moment(path, read)
    try:
        return read(str(value))
    except ValueError as error:
        raise malformed(path, f"expected {error}") from None


def put(members: dict[str, Any], path: str, value: object) -> None:
    """Write a member by its path. Raises KeyError if a member in the way is not an object."""
    *outer, last = path.split(".")
    for segment in outer:
        members = _inner(members, segment)
    if last.endswith(_ONLY):
        members[last.removesuffix(_ONLY)] = [value]
    else:
        members[last] = value


def _inner(members: dict[str, Any], segment: str) -> dict[str, Any]:
    empty: object = [{}] if segment.endswith(_ONLY) else {}
    inner = members.setdefault(segment.removesuffix(_ONLY), empty)
    found = inner[0] if isinstance(inner, list) else inner
    if not isinstance(found, dict):
        raise KeyError(segment)
    return found
