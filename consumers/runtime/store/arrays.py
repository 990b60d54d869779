"""Rows on their way into a statement: one array per column.

So a batch of any size is the same prepared statement and never meets the
limit on parameters.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnClause, column, func, literal
from sqlalchemy.sql.selectable import TableValuedAlias


def as_table(
    columns: Sequence[ColumnClause[Any]], rows: Iterable[Sequence[object]]
) -> TableValuedAlias:
    """Offer rows, at least one, as a table: `unnest` of one array per column."""
    values = zip(*rows, strict=True)
    arrays = [literal(list(each), ARRAY(of.type)) for of, each in zip(columns, values, strict=True)]
    named = [column(each.name, each.type) for each in columns]
    return func.unnest(*arrays).table_valued(*named).render_derived()
