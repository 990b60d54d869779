"""Money: exact decimals from text, never a float, never rounded."""

from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

MAX_DECIMALS = 18
"""Digits behind the point: what the finest assets (wei) have."""

MAX_INTEGER_DIGITS = 20
"""Digits before the point."""


class AmountError(ValueError):
    """The value is no amount this contract can represent; the message says why."""


def parse_amount(value: object) -> Decimal:
    """Read an amount from its text (or from a Decimal), or raise AmountError.

    Accepted: finite, not negative, at most 20 integer digits and 18 decimals
    by value; trailing zeros are kept as far as they fit.
    """
    amount = _finite(value)
    if amount.is_signed():
        message = "an amount is not negative"
        raise AmountError(message)
    return _fitted(amount)


def parse_signed_amount(value: object) -> Decimal:
    """Read an amount that may be below zero, or raise AmountError.

    Otherwise as `parse_amount`; minus zero is zero.
    """
    amount = _finite(value)
    size = _fitted(amount.copy_abs())
    return size.copy_negate() if amount.is_signed() and size else size


def amount_text(amount: Decimal) -> str:
    """Write an amount in plain digits, as it stands in JSON: `1E+3` becomes `1000`."""
    return format(amount, "f")


def value_text(amount: Decimal) -> str:
    """Write an amount by value, so that equal amounts have equal text: `100.50` becomes `100.5`."""
    text = amount_text(amount)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _finite(value: object) -> Decimal:
    if not isinstance(value, str | Decimal):
        message = f"an amount is text or Decimal, got {type(value).__name__}"
        raise AmountError(message)
    amount = _decimal(value)
    if not amount.is_finite():
        message = "an amount is finite"
        raise AmountError(message)
    return amount


def _decimal(value: str | Decimal) -> Decimal:
    if isinstance(value, str) and not _plain(value):
        message = "an amount is decimal digits"
        raise AmountError(message)
    try:
        return Decimal(value)
    except InvalidOperation:
        message = "an amount is decimal digits"
        raise AmountError(message) from None


def _plain(text: str) -> bool:
    # Decimal would also take blanks, underscores and the digits of other scripts.
    return text.isascii() and "_" not in text and text == text.strip()


def _fitted(amount: Decimal) -> Decimal:
    _, digits, exponent = amount.as_tuple()
    point = int(exponent)
    if point < -MAX_DECIMALS:
        dropped = min(-MAX_DECIMALS - point, len(digits))
        if any(digits[-dropped:]):
            message = f"an amount has at most {MAX_DECIMALS} decimals"
            raise AmountError(message)
        digits = digits[:-dropped] or (0,)
        point = -MAX_DECIMALS
    if amount and len(digits) + point > MAX_INTEGER_DIGITS:
        message = f"an amount has at most {MAX_INTEGER_DIGITS} integer digits"
        raise AmountError(message)
    return Decimal((0, digits, point))


Amount = Annotated[
    Decimal,
    BeforeValidator(parse_amount),
    PlainSerializer(amount_text, return_type=str, when_used="always"),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,20}(\.[0-9]{1,18})?$"}),
]
"""A pydantic field of money: Decimal in Python, a string in JSON."""

SignedAmount = Annotated[
    Decimal,
    BeforeValidator(parse_signed_amount),
    PlainSerializer(amount_text, return_type=str, when_used="always"),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$"}),
]
"""An `Amount` that may be below zero: a fee that is a rebate."""
