"""Finds the payment or payout that a statement is about."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from msgspec.structs import replace as changed
from sqlalchemy import ColumnElement, Row, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import EVENT, POSITION
from consumers.ledger.facts.position import Position, position_id
from consumers.ledger.recording.statement import StatementSubject
from consumers.ledger.writing.positions import DESCRIBED, described
from router.terminal.exits import CommandError

LISTED = 20
"""Maximum number of candidates in an error."""


@dataclass(frozen=True)
class Sought:
    """The payment or payout of a command, as far as its options name it.

    `reference` is the gateway's; `order` is the merchant's, for one that no event was about.
    """

    family: str
    reference: str
    account: str | None = None
    provider: str | None = None
    order: str | None = None


async def find_subject(connection: AsyncConnection, sought: Sought) -> StatementSubject:
    """Return the one payment or payout that is meant, without its transfers.

    Raises CommandError with the candidates if it is unknown or ambiguous.
    """
    subject = _chosen(await _named(connection, sought, _is_named(sought)), sought)
    return subject or await _new(connection, sought)


def _chosen(found: Sequence[Row[Any]], sought: Sought) -> StatementSubject | None:
    if len(found) > 1:
        message = f"{_what(sought)} is ambiguous; name one of:"
        raise CommandError("\n".join([message, *map(_candidate, found)]))
    if not found:
        return None
    return StatementSubject(_completed(described(found[0]), sought), found[0].test)


def _completed(position: Position, sought: Sought) -> Position:
    """Return the position, with the order of the command if none is known."""
    known = position.reference
    if sought.order is not None and known is not None and sought.order != known:
        message = f"{_what(sought)} is for order {known}, not {sought.order}"
        raise CommandError(message)
    return changed(position, reference=known or sought.order)


async def _new(connection: AsyncConnection, sought: Sought) -> StatementSubject:
    """Return a payment or payout that no event was about, if it is named in full."""
    if sought.account is None or sought.provider is None:
        others = await _named(
            connection, replace(sought, account=None, provider=None), _is_near(sought)
        )
        message = (
            f"{_what(sought)} is not known; to record one that no event was about, add --account"
            " and --provider"
        )
        near = ["known are:", *map(_candidate, others)] if others else []
        raise CommandError("\n".join([message, *near]))
    position = Position(
        id=position_id(sought.account, sought.provider, sought.family, sought.reference),
        account=sought.account,
        provider=sought.provider,
        family=sought.family,
        provider_reference=sought.reference,
        reference=sought.order,
    )
    # Its row exists if another statement was recorded and is not applied yet.
    columns: list[ColumnElement[Any]] = [*DESCRIBED, POSITION.c.facts]
    query = select(*columns).where(POSITION.c.id == position.id)
    row = (await connection.execute(query)).one_or_none()
    return StatementSubject(_completed(described(row), sought) if row else position, is_new=True)


async def _named(
    connection: AsyncConnection, sought: Sought, condition: ColumnElement[bool]
) -> Sequence[Row[Any]]:
    """Return rows of positions with an event that meets a condition, by its indexed columns."""
    chosen = (
        select(EVENT.c.position_id.label("id"), func.bool_or(EVENT.c.test).label("test"))
        .where(condition)
        .group_by(EVENT.c.position_id)
        .subquery()
    )
    wanted = [
        POSITION.c[name] == value
        for name, value in (("account", sought.account), ("provider", sought.provider))
        if value is not None
    ]
    columns: list[ColumnElement[Any]] = [*DESCRIBED, POSITION.c.facts, chosen.c.test]
    rows = await connection.execute(
        select(*columns)
        .join_from(POSITION, chosen, chosen.c.id == POSITION.c.id)
        .where(*wanted)
        .order_by(POSITION.c.account, POSITION.c.provider, POSITION.c.id)
        .limit(LISTED)
    )
    return rows.all()


def _is_named(sought: Sought) -> ColumnElement[bool]:
    """Select events by the gateway's reference, or by the order's if the gateway has none."""
    family = func.starts_with(EVENT.c.type, f"{sought.family}.")
    own = EVENT.c.provider_reference == sought.reference
    only = and_(EVENT.c.provider_reference.is_(None), EVENT.c.reference == sought.reference)
    return and_(family, or_(own, only))


def _is_near(sought: Sought) -> ColumnElement[bool]:
    """Select events that name the reference at all: as the order, or of another family."""
    return or_(
        EVENT.c.reference == sought.reference, EVENT.c.provider_reference == sought.reference
    )


def _what(sought: Sought) -> str:
    options = ((" of ", sought.account), (" at ", sought.provider))
    return f"{sought.family} {sought.reference}" + "".join(
        f"{word}{value}" for word, value in options if value is not None
    )


def _candidate(row: Row[Any]) -> str:
    order = "" if row.reference is None else f", order {row.reference}"
    named = row.provider_reference or row.reference
    return (
        f"  {row.family} {named}: --account {row.account} --provider {row.provider}"
        f" ({row.status or 'no event'}{order})"
    )
