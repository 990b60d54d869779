"""A declaration of cases that cannot work is refused when it is made."""

import pytest
from sqlalchemy import select

from consumers.runtime.cases.source import CaseQuery, CaseRows
from tests.parts.runtime.counting import EFFECT
from tests.parts.runtime.parcels import HEAVY, PARCEL


def test_rows_without_a_named_column_are_refused() -> None:
    with pytest.raises(TypeError, match="cases of effect: it has no column account"):
        CaseRows(EFFECT, (HEAVY,), reference=None)


def test_rows_may_lack_what_is_declared_as_absent() -> None:
    assert CaseRows(PARCEL, (HEAVY,), provider=None).provider is None


def test_query_without_the_columns_of_a_case_is_refused() -> None:
    with pytest.raises(TypeError, match="parcel-heavy: the query has no column account"):
        CaseQuery(HEAVY, select(PARCEL.c.id.label("subject")))
