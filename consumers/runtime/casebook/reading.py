"""Reads the cases of one consumer from its store."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Subquery, exists, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.held import headers_from
from consumers.runtime.casebook.statement import case_statement, moments_statement
from consumers.runtime.casebook.stored_case import StoredCase, kind_named
from consumers.runtime.configured import Consumer
from consumers.runtime.fate import Fate
from consumers.runtime.service import Service
from router.contract.event import Event
from router.contract.wire import ReaderOutdated, UndecodableRecord, decode_event

HELD_READ = 10_000
"""Number of held records to read: those held for longest."""

_SAME_IN_JSON = re.compile(r"[A-Za-z0-9 #.:_-]+")
"""Text that every encoder writes into JSON as it is."""

_CLOSED = 100
"""How many closed cases a page passes before it costs as much as all cases."""

NO_ONE = ""
"""In `CaseFilter.assignee`: cases that are assigned to no one."""


@dataclass(frozen=True)
class CaseFilter:
    """Which cases to read; None and empty match all.

    `id_prefix` selects cases of subjects only, and `ids` no entry of several consumers: if they
    hold one record, they have an id for all of them, which only `entries_named` knows.
    `records_only` leaves out the cases of subjects. Without `counted` only the cases that are read
    are counted, which is quicker.
    `accounts` are those that the reader may see: a held record of an unknown one is then left out.
    `assignee` is who a case is assigned to, NO_ONE for none. `after` is the `order_of_listing` of
    the last case of the page before.

    `orders` (account, reference), `names` (references of orders or of payments) and `held` (numbers
    of held records) are alternatives: a case matches if one of them does. `closed` is whether an
    operator closed it.
    """

    kinds: Collection[str] = ()
    account: str | None = None
    order: str | None = None
    id_prefix: str | None = None
    ids: Collection[str] = ()
    records_only: bool = False
    counted: bool = True
    older_than: timedelta = timedelta()
    orders: Collection[tuple[str, str]] = ()
    names: Collection[str] = ()
    held: Collection[int] = ()
    closed: bool | None = False
    limit: int | None = None
    accounts: frozenset[str] | None = None
    assignee: str | None = None
    after: tuple[datetime, str, str] | None = None
    until: datetime | None = None
    """Latest moment at which the cases arose."""

    @property
    def is_by_age(self) -> bool:
        """Whether these are open cases of kinds and accounts by age, and are not counted."""
        others = (self.account, self.order, self.id_prefix, self.assignee)
        selected = self.ids or self.by_findings or any(each is not None for each in others)
        return self.closed is False and not self.counted and not selected

    @property
    def by_findings(self) -> bool:
        """Whether only the cases of what a trace found match."""
        return bool(self.orders or self.names or self.held)


@dataclass(frozen=True)
class FoundCases:
    """Cases of one consumer, the oldest first, and how many match in all."""

    cases: Sequence[StoredCase]
    total: int


async def read_cases(
    connection: AsyncConnection, consumer: Consumer, wanted: CaseFilter
) -> FoundCases:
    """Return the cases that match."""
    found = case_statement(consumer.service, consumer.tables)
    if wanted.limit is not None and wanted.is_by_age:
        moments = moments_statement(consumer.service, consumer.tables)
        until = await _age_of_page(connection, moments, wanted, wanted.limit)
        page = await _read(connection, consumer, found, replace(wanted, until=until))
        if until is None or len(page.cases) == wanted.limit:
            return page
    return await _read(connection, consumer, found, wanted)


async def _age_of_page(
    connection: AsyncConnection, moments: Subquery, wanted: CaseFilter, limit: int
) -> datetime | None:
    """Return a moment by which more cases arose than a page has; None if there are not so many.

    It reads nothing but moments, which costs much less than whole cases. Closed cases count, so
    a page up to this moment may still have too few.
    """
    conditions = [*_by_age(moments, wanted)]
    if wanted.after is not None:
        conditions.append(moments.c.since >= wanted.after[0])
    ordered = select(moments.c.since).where(*conditions).order_by(moments.c.since)
    moment: datetime | None = await connection.scalar(ordered.offset(limit + _CLOSED).limit(1))
    return moment


async def _read(
    connection: AsyncConnection, consumer: Consumer, found: Subquery, wanted: CaseFilter
) -> FoundCases:
    own = await _of_subjects(connection, consumer.service, found, wanted)
    held = await _of_records(connection, consumer, found, wanted)
    cases = sorted((*own.cases, *held.cases), key=lambda each: each.order_of_listing)
    return FoundCases(cases[: wanted.limit], own.total + held.total)


async def _of_subjects(
    connection: AsyncConnection, service: Service, found: Subquery, wanted: CaseFilter
) -> FoundCases:
    if not service.cases or wanted.records_only:
        return FoundCases((), 0)
    query = select(found, *_total(wanted)).where(
        found.c.held.is_(None), *_general(found, wanted), *_particular(found, wanted)
    )
    rows = await connection.execute(
        query.order_by(found.c.since, found.c.kind, found.c.id).limit(wanted.limit)
    )
    read = rows.all()
    cases = [_case(service, row) for row in read]
    return FoundCases(cases, _number(wanted, read))


def _total(wanted: CaseFilter) -> Iterable[ColumnElement[int]]:
    """Yield the column with the number of all rows, if it is requested."""
    if wanted.counted:
        yield func.count().over().label("total")


def _number(wanted: CaseFilter, read: Sequence[Row[Any]]) -> int:
    return read[0].total if wanted.counted and read else len(read)


def _general(found: Subquery, wanted: CaseFilter) -> Iterable[ColumnElement[bool]]:
    """Yield the conditions that a held record can be compared with too."""
    yield from _by_age(found, wanted)
    if wanted.closed is not None:
        yield found.c.closed.is_(wanted.closed)
    if wanted.until is not None:
        yield found.c.since <= wanted.until
    if wanted.ids:
        yield found.c.id == func.any(sorted(wanted.ids))
    if wanted.assignee is not None:
        yield func.coalesce(found.c.assignee, NO_ONE) == wanted.assignee
    if wanted.after is not None:
        yield tuple_(found.c.since, found.c.kind, found.c.id) > tuple_(*wanted.after)


def _by_age(found: Subquery, wanted: CaseFilter) -> Iterable[ColumnElement[bool]]:
    """Yield the conditions of `CaseFilter.is_by_age`, without the cursor."""
    if wanted.kinds:
        yield found.c.kind == func.any(sorted(wanted.kinds))
    if wanted.older_than:
        yield found.c.since <= func.now() - wanted.older_than
    if wanted.accounts is not None:
        yield found.c.account == func.any(sorted(wanted.accounts))


def _particular(found: Subquery, wanted: CaseFilter) -> Iterable[ColumnElement[bool]]:
    if wanted.account is not None:
        yield found.c.account == wanted.account
    if wanted.order is not None:
        yield or_(found.c.reference == wanted.order, found.c.provider_reference == wanted.order)
    if wanted.id_prefix is not None:
        yield found.c.id.startswith(wanted.id_prefix, autoescape=True)
    if wanted.by_findings:
        names = sorted(wanted.names)
        yield or_(
            tuple_(found.c.account, found.c.reference).in_(sorted(wanted.orders)),
            found.c.reference == func.any(names),
            found.c.provider_reference == func.any(names),
        )


async def _of_records(
    connection: AsyncConnection, consumer: Consumer, found: Subquery, wanted: CaseFilter
) -> FoundCases:
    """Return the cases that are held records; their order is known only from their content."""
    conditions = [found.c.held.is_not(None), *_general(found, wanted)]
    if wanted.account is not None:
        # An earlier version did not store it.
        conditions.append(func.coalesce(found.c.account, wanted.account) == wanted.account)
    if wanted.by_findings:
        conditions.append(found.c.held == func.any(sorted(wanted.held)))
    held = consumer.tables.held
    if wanted.order is not None and _SAME_IN_JSON.fullmatch(wanted.order):
        # Only those that mention it have to be decoded.
        order = literal(wanted.order.encode())
        conditions.append(func.pg_catalog.position(held.c.value, order) > 0)
    by_content = wanted.order is not None or await _is_unknown(connection, consumer, wanted)
    rows = await connection.execute(
        select(found, held.c.value, held.c.headers, *_total(wanted))
        .join(held, held.c.id == found.c.held)
        .where(*conditions)
        .order_by(found.c.since, found.c.kind, found.c.id)
        .limit(HELD_READ if by_content else min(wanted.limit or HELD_READ, HELD_READ))
    )
    read = rows.all()
    cases = [_with_event(_case(consumer.service, row), row) for row in read]
    if by_content:
        matching = [each for each in cases if _is_wanted(each, wanted)]
        return FoundCases(matching, len(matching))
    return FoundCases(cases, _number(wanted, read))


async def _is_unknown(connection: AsyncConnection, consumer: Consumer, wanted: CaseFilter) -> bool:
    """Return whether the account of a held record may be known from its content only."""
    if wanted.account is None:
        return False
    held = consumer.tables.held
    waits = held.c.state.in_([Fate.PARKED.value, Fate.DEAD.value])
    found = await connection.scalar(select(exists().where(waits, held.c.account.is_(None))))
    return bool(found)


def _is_wanted(found: StoredCase, wanted: CaseFilter) -> bool:
    named = {found.reference, found.provider_reference}
    return wanted.account in {None, found.account} and (
        wanted.order is None or wanted.order in named
    )


def _case(service: Service, row: Row[Any]) -> StoredCase:
    return StoredCase(
        consumer=service.name,
        id=row.id,
        kind=kind_named(service, row.kind),
        subject=row.subject,
        account=row.account,
        reference=row.reference,
        provider=row.provider,
        provider_reference=row.provider_reference,
        digest=row.digest,
        since=row.since,
        facts={str(name): str(fact) for name, fact in (row.facts or {}).items()},
        closed=row.closed,
        held=row.held,
        assignee=row.assignee,
    )


def _with_event(found: StoredCase, row: Row[Any]) -> StoredCase:
    event = _event(row)
    if event is None:
        return found
    return replace(
        found,
        account=event.account,
        reference=event.reference,
        provider=event.provider,
        provider_reference=event.provider_reference,
    )


def _event(row: Row[Any]) -> Event | None:
    try:
        return decode_event(row.value, headers_from(row.headers))
    except (UndecodableRecord, ReaderOutdated):
        return None
