"""Exact arithmetic with amounts."""

from contextlib import AbstractContextManager
from decimal import Context, FloatOperation, Inexact, InvalidOperation, localcontext
from functools import cache

_DIGITS = 200
"""More digits than any sum of amounts has; a larger result raises instead of being rounded."""


def exact() -> AbstractContextManager[Context]:
    """Compute with Decimal without rounding; Python's default context keeps only 28 digits."""
    # It enters a copy, so that no flag of the shared one is ever set.
    return localcontext(_exact())


@cache
def _exact() -> Context:
    return Context(prec=_DIGITS, traps=[FloatOperation, Inexact, InvalidOperation])
