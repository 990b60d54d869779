"""Exact arithmetic with amounts."""

from decimal import Context, Inexact, InvalidOperation

EXACT = Context(prec=200, traps=[Inexact, InvalidOperation])
"""More digits than any product or sum here has; a larger result raises instead of being rounded."""
