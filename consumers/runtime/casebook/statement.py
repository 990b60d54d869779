"""The SQL statement for all cases of a consumer, open and closed."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Select,
    Subquery,
    Text,
    case,
    cast,
    column,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from consumers.runtime.casebook.held_source import held_cases
from consumers.runtime.casebook.word import SaidWord
from consumers.runtime.cases.source import CaseQuery, CaseRows, CaseSource
from consumers.runtime.service import Service
from consumers.runtime.store.tables import RuntimeTables

ID_LENGTH = 12
"""Hexadecimal digits of a case's id."""

COLUMNS = (
    *("subject", "account", "reference", "provider", "provider_reference"),
    *("kind", "digest", "since", "facts", "held"),
)
"""Columns of every source; `held` is the number of a held record, else null."""


def case_statement(service: Service, tables: RuntimeTables) -> Subquery:
    """Return all cases with the columns `COLUMNS`, `id`, `closed` and `assignee`."""
    sources = [*map(_cases_of, service.cases), _of_held(tables)]
    found = union_all(*sources).subquery("found")
    return select(
        *(found.c[name] for name in COLUMNS),
        func.left(sha256_text(found.c.kind, found.c.subject, found.c.digest), ID_LENGTH).label(
            "id"
        ),
        (func.coalesce(_last_word(tables, found), "") == SaidWord.CLOSED.value)
        .cast(Boolean)
        .label("closed"),
        _assignee(tables, found).label("assignee"),
    ).subquery("cases")


def moments_statement(service: Service, tables: RuntimeTables) -> Subquery:
    """Return `since`, `kind` and `account` of all cases, without the work for whole cases."""
    sources = [*map(_cases_of, service.cases), _of_held(tables)]
    # PostgreSQL computes every column of a union, so each part has only these.
    parts = [source.subquery() for source in sources]
    return union_all(
        *(select(part.c.since, part.c.kind, part.c.account) for part in parts)
    ).subquery("moments")


def sha256_text(*parts: ColumnElement[Any]) -> ColumnElement[str]:
    """Return an SHA-256 of texts, in hexadecimal digits; a part must not be null."""
    separated = func.concat_ws("\x1f", *parts)
    return func.encode(func.sha256(func.convert_to(separated, "UTF8")), "hex")


def _last_word(tables: RuntimeTables, found: Subquery) -> ColumnElement[str]:
    """Return the newest word that opens or closes a case with these facts."""
    words = tables.case_word
    return (
        select(words.c.word)
        .where(
            words.c.subject == found.c.subject,
            words.c.kind == found.c.kind,
            words.c.digest == found.c.digest,
            words.c.word.in_([SaidWord.CLOSED.value, SaidWord.REOPENED.value]),
        )
        # By time first: an imported word is older than those that were written here before it.
        .order_by(words.c.at.desc(), words.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _assignee(tables: RuntimeTables, found: Subquery) -> ColumnElement[str]:
    """Return who a case was assigned to last, also if its facts have changed since."""
    words = tables.case_word
    return (
        select(words.c.assignee)
        .where(
            words.c.subject == found.c.subject,
            words.c.kind == found.c.kind,
            words.c.word == SaidWord.ASSIGNED.value,
        )
        .order_by(words.c.at.desc(), words.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _cases_of(source: CaseSource) -> Select[Any]:
    return _of_rows(source) if isinstance(source, CaseRows) else _of_query(source)


def _of_rows(source: CaseRows) -> Select[Any]:
    carried = cast(source.table.c[source.cases], JSONB)
    # A JSON null is not null, and jsonb_each refuses it.
    as_object = case(
        (func.jsonb_typeof(carried) == "object", carried), else_=func.jsonb_build_object()
    )
    entry = func.jsonb_each(as_object).table_valued(
        column("key", Text), column("value", JSONB), joins_implicitly=True
    )

    def own(name: str | None) -> ColumnElement[Any]:
        return cast(null() if name is None else source.table.c[name], Text)

    columns: list[ColumnElement[Any]] = [
        own(source.subject).label("subject"),
        own(source.account).label("account"),
        own(source.reference).label("reference"),
        own(source.provider).label("provider"),
        own(source.provider_reference).label("provider_reference"),
        entry.c.key.label("kind"),
        entry.c.value["digest"].astext.label("digest"),
        cast(entry.c.value["since"].astext, DateTime(timezone=True)).label("since"),
        entry.c.value["facts"].label("facts"),
        cast(null(), BigInteger).label("held"),
    ]
    return select(*columns).where(source.table.c[source.cases].is_not(None))


def _of_query(source: CaseQuery) -> Select[Any]:
    rows = source.rows.subquery()
    texts = ("subject", "account", "reference", "provider", "provider_reference")
    facts = cast(rows.c.facts, JSONB)
    columns: list[ColumnElement[Any]] = [
        *(cast(rows.c[name], Text).label(name) for name in texts),
        literal(source.kind.name, Text).label("kind"),
        func.left(sha256_text(cast(facts, Text)), 16).label("digest"),
        cast(rows.c.since, DateTime(timezone=True)).label("since"),
        facts.label("facts"),
        cast(null(), BigInteger).label("held"),
    ]
    return select(*columns).where(rows.c.since <= func.now() - source.grace)


def _of_held(tables: RuntimeTables) -> Select[Any]:
    held = held_cases(tables).subquery()
    unknown = ("reference", "provider", "provider_reference")
    # Only the record itself has them; `reading` decodes it.
    nothing = [cast(null(), Text).label(name) for name in unknown]
    return select(
        held.c.subject,
        held.c.account,
        *nothing,
        held.c.kind,
        func.left(sha256_text(held.c.facets), 16).label("digest"),
        held.c.since,
        held.c.facts,
        held.c.held,
    )
