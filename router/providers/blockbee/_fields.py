"""The members of a message, whether from a query, a form or JSON."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import parse_qsl

from router.contract.event import MAX_TEXT
from router.contract.strict_json import JsonValue, StrictJsonError, parse_object
from router.errors import Reason, Unreadable
from router.providers._reading import as_amount, as_fee, as_text, malformed, refused, required

_WHOLE = re.compile(r"0|[1-9][0-9]*")
_MANY = 1000
_ESCAPED = "surrogateescape"


def from_form(text: bytes) -> Mapping[str, Sequence[str]]:
    """Read a query or a form: every value of a name, or raise Unreadable.

    A byte that is not UTF-8 becomes a lone surrogate. Every field that is read
    refuses one, so only a parameter of the merchant's own may have another
    encoding without stopping the money.
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


@dataclass(frozen=True)
class Fields:
    """The members by name; null and the empty text mean absent."""

    members: Mapping[str, Sequence[JsonValue]]

    def value(self, name: str) -> JsonValue:
        """Return a member as parsed, None where it is absent.

        Under GET the merchant's own parameters stand among the gateway's. In
        which order is in no documentation, so a name with two values is
        AMBIGUOUS: to take the wrong one would let whoever wrote the callback
        URL say what was paid. A name with the same value twice is clear, and
        one that is not read does not matter.
        """
        first, *others = self.members.get(name, ()) or (None,)
        if any(other != first for other in others):
            count = len(others) + 1
            detail = f"stands {count} times: one may be the callback URL's own"
            raise refused(Reason.AMBIGUOUS, name, detail)
        return None if first == "" else first

    def has(self, name: str) -> bool:
        """Tell whether there is such a member."""
        return self.value(name) is not None

    def text(self, name: str) -> str | None:
        """Read a text."""
        return as_text(name, self.value(name))

    def needed(self, name: str) -> str:
        """Read a text that has to be there."""
        return required(name, self.text(name))

    def identifier(self, name: str) -> str | None:
        """Read a text that JSON may write as a whole number."""
        value = self.value(name)
        if not isinstance(value, Decimal):
            return self.text(name)
        text = str(value)
        if len(text) > MAX_TEXT or _WHOLE.fullmatch(text) is None:
            raise malformed(name, "expected text or a whole number")
        return text

    def flag(self, name: str) -> bool:
        """Read 1 or 0, which has to be there."""
        value = required(name, self.value(name))
        found = {"1": True, "0": False}.get(str(value))
        if found is None:
            raise malformed(name, "expected 1 or 0")
        return found

    def amount(self, name: str) -> Decimal | None:
        """Read an amount, written as text or as a number."""
        return as_amount(name, self.value(name))

    def fee(self, name: str) -> Decimal | None:
        """Read a fee as an amount is read; one below zero is a rebate."""
        return as_fee(name, self.value(name))

    def addresses(self, name: str) -> Sequence[str]:
        """Read one address or several: a map of addresses to shares, as JSON or as its text."""
        value = self.value(name)
        if isinstance(value, str) and value.startswith("{"):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                raise malformed(name, "expected an address or a map of them") from None
        if isinstance(value, Mapping):
            return tuple(value)
        text = self.text(name)
        return () if text is None else (text,)
