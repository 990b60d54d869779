"""Exact arithmetic with amounts."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Context, FloatOperation, Inexact, InvalidOperation, localcontext

_DIGITS = 200
"""More digits than any sum of amounts has; a larger result raises instead of being rounded."""


@contextmanager
def exact() -> Iterator[None]:
    """Compute with Decimal without rounding; Python's default context keeps only 28 digits."""
    traps = [FloatOperation, Inexact, InvalidOperation]
    with localcontext(Context(prec=_DIGITS, traps=traps)):
        yield
