"""The members of a body, each read as what it has to be: never guessed, never dropped silently."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache

from router.contract.event import MAX_TEXT
from router.contract.strict_json import JsonValue, type_name
from router.errors import Reason
from router.providers._reading import (
    as_amount,
    as_fee,
    as_identifier,
    as_text,
    malformed,
    refused,
)
from router.providers._signing import from_unix_ms

_WHOLE = re.compile(r"0|[1-9][0-9]*")


@cache
def snake_case(name: str) -> str:
    """Return the other spelling of a field: `bizOrderNo` is `biz_order_no`."""
    return re.sub(r"([A-Z])", r"_\1", name).lower()


@dataclass(frozen=True)
class Fields:
    """The top-level members by their documented name.

    Null and the empty text mean absent: an unpaid order has an empty
    `fromAddress` (BlockATM docs, webhooks/payment-webhook.md). The requests
    on the overview pages spell names in snake case, the field tables never
    do; both are read.
    """

    members: Mapping[str, JsonValue]

    def value(self, name: str) -> JsonValue:
        """Return a member as parsed, None where it is absent."""
        first, second = self._present(name), self._present(snake_case(name))
        if first is None or second is None:
            return second if first is None else first
        if type_name(first) != type_name(second) or first != second:
            raise refused(Reason.AMBIGUOUS, name, "two spellings with two values")
        return first

    def has(self, name: str) -> bool:
        """Tell whether there is such a member, whatever its value."""
        return any(self._present(each) is not None for each in (name, snake_case(name)))

    def text(self, name: str) -> str | None:
        """Read a text."""
        return as_text(name, self.value(name))

    def whole(self, name: str) -> str | None:
        """Read a whole number, written as a number or as its digits; returned as its digits."""
        value = self.value(name)
        if value is None:
            return None
        text = str(value) if isinstance(value, Decimal) else value
        if not isinstance(text, str) or len(text) > MAX_TEXT or _WHOLE.fullmatch(text) is None:
            raise malformed(name, "expected a whole number")
        return text

    def identifier(self, name: str) -> str | None:
        """Read a text that is digits for some, and so may come as a number without a fraction."""
        return as_identifier(name, self.value(name))

    def amount(self, name: str) -> Decimal | None:
        """Read an amount, written as text or as a number."""
        return as_amount(name, self.value(name))

    def fee(self, name: str) -> Decimal | None:
        """Read a fee as an amount is read; one below zero is a rebate."""
        return as_fee(name, self.value(name))

    def moment(self, name: str) -> datetime | None:
        """Read a time in Unix milliseconds."""
        digits = self.whole(name)
        try:
            return None if digits is None else from_unix_ms(digits)
        except ValueError as error:
            raise malformed(name, f"expected {error}") from None

    def _present(self, name: str) -> JsonValue:
        value = self.members.get(name)
        return None if value == "" else value
