"""Money: exact decimals from text, never a float, never rounded."""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

MAX_DECIMALS = 18
"""Digits after the decimal point, as in the smallest unit of any asset (wei)."""

MAX_INTEGER_DIGITS = 20
"""Digits before the decimal point."""

EXACT = Context(prec=64, traps=[Inexact, InvalidOperation])
"""Arithmetic on a few amounts: a result that does not fit raises, never rounds."""


# An amount in plain digits that the contract represents as it is.
_REPRESENTABLE = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,18})?")


class AmountError(ValueError):
    """The value cannot be represented as an amount; the message has the reason."""


def parse_amount(value: object) -> Decimal:
    """Parse an amount from text or a Decimal, or raise AmountError.

    Accepts finite, non-negative values with at most 20 integer digits and 18 decimals;
    drops trailing zeros beyond those, and no others.
    """
    if isinstance(value, str | Decimal) and _REPRESENTABLE.fullmatch(str(value)) is not None:
        return Decimal(value)
    amount = _finite(value)
    if amount.is_signed():
        message = "an amount must not be negative"
        raise AmountError(message)
    return _fitted(amount)


def parse_signed_amount(value: object) -> Decimal:
    """Parse an amount that may be negative, or raise AmountError.

    Otherwise like `parse_amount`; minus zero becomes zero.
    """
    if isinstance(value, str | Decimal) and _REPRESENTABLE.fullmatch(str(value)) is not None:
        return Decimal(value)
    amount = _finite(value)
    size = _fitted(amount.copy_abs())
    return size.copy_negate() if amount.is_signed() and size else size


def amount_text(amount: Decimal) -> str:
    """Format an amount in plain digits, as in JSON: `1E+3` becomes `1000`."""
    return format(amount, "f")


def value_text(amount: Decimal) -> str:
    """Format an amount so that equal amounts have equal text: `100.50` becomes `100.5`."""
    text = amount_text(amount)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _finite(value: object) -> Decimal:
    if not isinstance(value, str | Decimal):
        message = f"an amount must be text or a Decimal, not {type(value).__name__}"
        raise AmountError(message)
    amount = _decimal(value)
    if not amount.is_finite():
        message = "an amount must be finite"
        raise AmountError(message)
    return amount


def _decimal(value: str | Decimal) -> Decimal:
    if isinstance(value, str) and not _plain(value):
        message = "an amount must consist of decimal digits"
        raise AmountError(message)
    try:
        return Decimal(value)
    except InvalidOperation:
        message = "an amount must consist of decimal digits"
        raise AmountError(message) from None


def _plain(text: str) -> bool:
    # Decimal would also accept white space, underscores and the digits of other scripts.
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
"""A pydantic field for money: Decimal in Python, a string in JSON."""

SignedAmount = Annotated[
    Decimal,
    BeforeValidator(parse_signed_amount),
    PlainSerializer(amount_text, return_type=str, when_used="always"),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$"}),
]
"""An `Amount` that may be negative, such as a fee that is a rebate."""
