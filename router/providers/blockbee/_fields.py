"""The members of a message, whether from a query, a form or JSON."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import parse_qsl

from router.contract.amounts import AmountError, parse_amount
from router.contract.event import MAX_TEXT, storable
from router.contract.strict_json import JsonValue, StrictJsonError, parse_object, type_name
from router.errors import NotUnderstood, Reason, Unreadable

_WHOLE = re.compile(r"0|[1-9][0-9]*")
_MANY = 1000


def refused(reason: Reason, name: str, wanted: str) -> NotUnderstood:
    """Say which field is wrong and what would have been right."""
    return NotUnderstood(reason, f"{name}: {wanted}")


def from_form(text: bytes) -> Mapping[str, Sequence[str]]:
    """Read a query or a form: every value of a name, or raise Unreadable."""
    try:
        pairs = parse_qsl(
            text.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_MANY
        )
    except ValueError as error:
        detail = "not UTF-8" if isinstance(error, UnicodeDecodeError) else "too many fields"
        raise Unreadable(Reason.NOT_PARSEABLE, detail) from None
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


@dataclass(frozen=True)
class Fields:
    """The members by name; null and the empty text mean absent."""

    members: Mapping[str, Sequence[JsonValue]]

    def value(self, name: str) -> JsonValue:
        """Return a member as parsed, None where it is absent; raise Unreadable where it is twice.

        A name that is not read may stand twice: the callback's own parameters
        are the merchant's.
        """
        values = self.members.get(name, ())
        if len(values) > 1:
            raise Unreadable(Reason.NOT_PARSEABLE, f"{name} stands {len(values)} times")
        return None if not values or values[0] == "" else values[0]

    def has(self, name: str) -> bool:
        """Tell whether there is such a member."""
        return self.value(name) is not None

    def text(self, name: str) -> str | None:
        """Read a text."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise _malformed(name, f"expected text, got {type_name(value)}")
        try:
            storable(value)
        except ValueError as error:
            raise _malformed(name, f"expected {error}") from None
        if len(value) > MAX_TEXT:
            raise _malformed(name, f"expected at most {MAX_TEXT} characters")
        return value

    def needed(self, name: str) -> str:
        """Read a text that has to be there."""
        value = self.text(name)
        if value is None:
            raise refused(Reason.FIELD_MISSING, name, "required")
        return value

    def identifier(self, name: str) -> str | None:
        """Read a text that JSON may write as a whole number."""
        value = self.value(name)
        if not isinstance(value, Decimal):
            return self.text(name)
        text = str(value)
        if len(text) > MAX_TEXT or _WHOLE.fullmatch(text) is None:
            raise _malformed(name, "expected text or a whole number")
        return text

    def flag(self, name: str) -> bool:
        """Read 1 or 0, which has to be there."""
        value = self.value(name)
        if value is None:
            raise refused(Reason.FIELD_MISSING, name, "required")
        found = {"1": True, "0": False}.get(str(value))
        if found is None:
            raise _malformed(name, "expected 1 or 0")
        return found

    def amount(self, name: str) -> Decimal | None:
        """Read an amount, written as text or as a number."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, str | Decimal):
            raise _malformed(name, f"expected an amount, got {type_name(value)}")
        try:
            return parse_amount(value)
        except AmountError as error:
            raise refused(Reason.AMOUNT_UNREPRESENTABLE, name, str(error)) from None

    def addresses(self, name: str) -> Sequence[str]:
        """Read one address or several: a map of addresses to shares, as JSON or as its text."""
        value = self.value(name)
        if isinstance(value, str) and value.startswith("{"):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                raise _malformed(name, "expected an address or a map of them") from None
        if isinstance(value, Mapping):
            return tuple(value)
        text = self.text(name)
        return () if text is None else (text,)


def _malformed(name: str, wanted: str) -> NotUnderstood:
    return refused(Reason.FIELD_MALFORMED, name, wanted)
