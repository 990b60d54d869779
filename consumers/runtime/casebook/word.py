"""Operators' words about cases: closed, reopened, assigned, or a note; stored permanently."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.store.tables import RuntimeTables


class SaidWord(StrEnum):
    """The words; a closed case opens again if its facts change."""

    ASSIGNED = "assigned"
    CLOSED = "closed"
    NOTE = "note"
    REOPENED = "reopened"


@dataclass(frozen=True)
class NewWord:
    """A word to write: about which case, with which facts, what, and why.

    `assignee` is who an assigned case is given to, None for no one.
    """

    kind: str
    subject: str
    digest: str
    case_id: str
    word: SaidWord
    reason: str
    who: str
    facts: Mapping[str, str]
    assignee: str | None = None


@dataclass(frozen=True)
class CaseWord:
    """A word as it is stored; `digest` is that of the facts it was about."""

    at: datetime
    who: str
    word: str
    reason: str
    digest: str
    assignee: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return the fields, as JSON values."""
        return {**asdict(self), "at": self.at.isoformat()}


async def write_words(
    connection: AsyncConnection, tables: RuntimeTables, words: Iterable[NewWord]
) -> None:
    """Store words; none is ever changed or deleted."""
    rows = [{**asdict(each), "word": each.word.value} for each in words]
    if rows:
        await connection.execute(tables.case_word.insert(), rows)


async def read_words(
    connection: AsyncConnection, tables: RuntimeTables, kind: str, subjects: Collection[str]
) -> Sequence[CaseWord]:
    """Return all words about the cases of a kind of these subjects, oldest first."""
    said = tables.case_word
    columns = [said.c[each.name] for each in fields(CaseWord)]
    rows = await connection.execute(
        select(*columns)
        .where(said.c.kind == kind, said.c.subject == func.any(sorted(subjects)))
        .order_by(said.c.at, said.c.id)
    )
    return [CaseWord(*row) for row in rows]
