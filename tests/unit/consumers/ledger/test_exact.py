"""Books are exact under any decimal context of the process."""

from decimal import Context, Decimal, FloatOperation, Inexact, InvalidOperation, localcontext

import pytest
from hypothesis import given

from consumers.ledger.facts.exact import exact
from router.contract.event import Event
from tests.parts.ledger.histories import histories
from tests.parts.ledger.told import LARGEST, booked, found

NARROW = Context(prec=1, traps=[FloatOperation, Inexact, InvalidOperation])
"""Raises for almost every sum, so that none is made outside of `exact()` unnoticed."""


@given(histories())
def test_books_and_cases_do_not_depend_on_the_context_of_the_process(history: list[Event]) -> None:
    with localcontext(NARROW):
        narrow = booked(history), found(history)

    assert narrow == (booked(history), found(history))


def test_sum_of_the_largest_and_the_smallest_amount_is_exact() -> None:
    with localcontext(NARROW), exact():
        total = Decimal(LARGEST) + Decimal("1E-18") + Decimal(LARGEST)

    assert str(total) == "199999999999999999999.999999999999999999"


def test_sum_that_would_be_rounded_raises() -> None:
    with exact(), pytest.raises(Inexact):
        Decimal("1E+300") + Decimal("1E-300")
