"""Sources of a consumer's cases: rows that carry them, and rows that have waited for too long."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, Table

from consumers.runtime.cases.kind import CaseKind

QUERY_COLUMNS = (
    *("subject", "account", "reference", "provider", "provider_reference"),
    *("since", "facts"),
)
"""Columns of `CaseQuery.rows`."""


@dataclass(frozen=True)
class CaseRows:
    """A table with the column `cases` (see `cases_column`), one row per subject.

    The other fields name the columns of the row that describe the subject; None if
    the table has no such column. The subject's id has to be the same in a rebuilt database, since
    operators' words about a case refer to it. A partial index on `cases IS NOT NULL` is needed.
    """

    table: Table
    kinds: Sequence[CaseKind]
    subject: str = "id"
    account: str | None = "account"
    reference: str | None = "reference"
    provider: str | None = "provider"
    provider_reference: str | None = "provider_reference"
    cases: str = "cases"

    def __post_init__(self) -> None:
        """Refuse a column that the table does not have."""
        named = {self.subject, self.account, self.reference, self.provider}
        named |= {self.provider_reference, self.cases}
        missing = {each for each in named if each is not None} - set(self.table.c.keys())
        if missing:
            message = f"cases of {self.table.name}: it has no column {min(missing)}"
            raise TypeError(message)


@dataclass(frozen=True)
class CaseQuery:
    """A kind of case that holds for the rows that a query finds, once they are old enough.

    `rows` selects `QUERY_COLUMNS`, by their names: `since` is the moment from which `grace`
    counts, `facts` a jsonb object of texts. A closed case opens again if `facts` change. The query
    runs every few seconds, so it has to read a table or an index that stays small.
    """

    kind: CaseKind
    rows: Select[Any]
    grace: timedelta = timedelta()

    def __post_init__(self) -> None:
        """Refuse a query without the columns of a case."""
        missing = set(QUERY_COLUMNS) - set(self.rows.selected_columns.keys())
        if missing:
            message = f"cases of kind {self.kind.name}: the query has no column {min(missing)}"
            raise TypeError(message)

    @property
    def kinds(self) -> Sequence[CaseKind]:
        """The kind, as the kinds of a source."""
        return (self.kind,)


CaseSource = CaseRows | CaseQuery
"""A part of a consumer's cases, as it declares them in its `Service`."""
