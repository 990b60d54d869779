"""Fields of a message, whether from a query, a form or JSON."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from urllib.parse import parse_qsl

from router.contract.fast.bodies import parse_object
from router.contract.strict_json import JsonValue, StrictJsonError
from router.errors import Reason, Unreadable
from router.providers._reading import Fields, malformed, refused, required

_MANY = 1000
_ESCAPED = "surrogateescape"


def from_form(text: bytes) -> Mapping[str, Sequence[str]]:
    """Read a query or a form: every value of a name, or raise Unreadable.

    A byte that is not UTF-8 becomes a lone surrogate, which makes a field
    unreadable when it is read. So parameters that are never read, such as the
    merchant's own, may have any encoding.
    """
    try:
        pairs = parse_qsl(
            text.decode("utf-8", _ESCAPED),
            keep_blank_values=True,
            errors=_ESCAPED,
            max_num_fields=_MANY,
        )
    except ValueError:
        raise Unreadable(Reason.NOT_PARSEABLE, "too many fields") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def from_json(body: bytes) -> Mapping[str, Sequence[JsonValue]]:
    """Read a JSON object, or raise Unreadable."""
    try:
        return {name: [value] for name, value in parse_object(body).items()}
    except StrictJsonError as error:
        raise Unreadable(Reason.NOT_PARSEABLE, str(error)) from None


def single(members: Mapping[str, Sequence[JsonValue]]) -> Fields:
    """Return the fields of a message; null and the empty text mean absent.

    Under GET, the query contains the merchant's own parameters as well as the gateway's.
    Their order is not documented, so a name with two values is AMBIGUOUS: with the wrong
    one, the author of the callback URL could choose what was paid. A name with the same
    value twice is clear, and a field that is not read does not matter.
    """
    return Fields(partial(_single, members))


def _single(members: Mapping[str, Sequence[JsonValue]], name: str) -> JsonValue:
    first, *others = members.get(name, ()) or (None,)
    if any(other != first for other in others):
        detail = f"occurs {len(others) + 1} times: one may be the callback URL's own"
        raise refused(Reason.AMBIGUOUS, name, detail)
    return first


def identifier(fields: Fields, name: str) -> str | None:
    """Read a text that may be a whole number in JSON; BlockBee's numbers have no sign."""
    value = fields.value(name)
    if isinstance(value, Decimal) and value.is_signed():
        raise malformed(name, "expected text or a whole number")
    return fields.identifier(name)


def one_or_zero(fields: Fields, name: str) -> bool:
    """Read 1 or 0, which must be present."""
    found = {"1": True, "0": False}.get(str(required(name, fields.value(name))))
    if found is None:
        raise malformed(name, "expected 1 or 0")
    return found


def addresses(fields: Fields, name: str) -> Sequence[str]:
    """Read one address or several: a map of addresses to shares, as JSON or as its text."""
    value = fields.value(name)
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise malformed(name, "expected an address or a map of them") from None
    if isinstance(value, Mapping):
        return tuple(value)
    text = fields.text(name)
    return () if text is None else (text,)
