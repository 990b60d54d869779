"""Reads and writes positions and their transfers: a few statements per batch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec.structs import replace
from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import MOVEMENT, POSITION
from consumers.ledger.facts.fact import Kind
from consumers.ledger.facts.fold import Fold
from consumers.ledger.facts.position import MovementKey, Position
from consumers.ledger.facts.stored import Json, facts_json, fold_json, fold_of_json, position_of
from consumers.runtime.cases.finding import CasesColumn
from consumers.runtime.store.arrays import (
    add_and_name,
    as_table,
    as_text,
    inserting,
    lock_rows,
    update_rows,
)

DESCRIBED = [
    POSITION.c[name]
    for name in (
        *("id", "account", "provider", "family", "provider_reference", "reference"),
        *("status", "rank"),
    )
]
"""Columns of a position, without its facts."""

_IDENTITY = DESCRIBED[:6]
_DERIVED = [POSITION.c[n] for n in ("status", "rank", "claimed")]
_CHANGING = [POSITION.c.id, POSITION.c.reference, *_DERIVED]
_JSON = [POSITION.c.facts, POSITION.c.cases]
_MOVEMENT = [MOVEMENT.c[n] for n in ("position_id", "kind", "movement")]


class KeptPosition(NamedTuple):
    """A position with the columns that are derived from its facts.

    One that is not stored yet has no row, and so no lock.
    """

    position: Position
    claimed: bool
    cases: CasesColumn | None
    is_stored: bool = True


class PositionRow(NamedTuple):
    """The columns of a position; `facts` is JSON."""

    id: UUID
    account: str
    provider: str
    family: str
    provider_reference: str | None
    reference: str | None
    status: str | None
    rank: int
    claimed: bool
    facts: str
    cases: CasesColumn | None


async def lock_positions(
    transaction: AsyncConnection, positions: Iterable[Position]
) -> Mapping[UUID, KeptPosition]:
    """Lock the rows of these positions and return their contents; insert missing rows.

    Locks in the order of the ids, so that two processes that need the same rows
    cannot deadlock.
    """
    wanted = {position.id: position for position in positions}
    added = await add_and_name(transaction, POSITION, _IDENTITY, wanted.values())
    kept = {key: KeptPosition(wanted[key], claimed=False, cases=None) for key in added}
    return {**kept, **await _lock(transaction, wanted.keys() - added)}


async def lock_stored_positions(
    transaction: AsyncConnection, positions: Iterable[Position]
) -> Mapping[UUID, KeptPosition]:
    """Lock the rows of these positions as far as they exist, in the order of the ids.

    `write_positions` inserts the others. Another process may do so first.
    """
    wanted = {position.id: position for position in positions}
    locked = await _lock(transaction, wanted)
    missing = {
        key: KeptPosition(each, claimed=False, cases=None, is_stored=False)
        for key, each in wanted.items()
        if key not in locked
    }
    return {**missing, **locked}


async def _lock(transaction: AsyncConnection, ids: Collection[UUID]) -> Mapping[UUID, KeptPosition]:
    columns = [*DESCRIBED, POSITION.c.claimed, *_JSON]
    rows = await lock_rows(transaction, POSITION, columns, ids)
    return {row.id: KeptPosition(described(row), row.claimed, row.cases) for row in rows}


def described(row: Row[Any]) -> Position:
    """Return the position of a row with the columns `DESCRIBED` and `facts`."""
    return position_of({each.name: getattr(row, each.name) for each in DESCRIBED}, row.facts)


async def load_movements(
    transaction: AsyncConnection, keys: Collection[tuple[UUID, MovementKey]]
) -> Mapping[UUID, Mapping[MovementKey, Fold]]:
    """Return the folds of these transfers, by position. The caller holds the positions' locks."""
    if not keys:
        return {}
    wanted = as_table(_MOVEMENT, ((each, kind.value, name) for each, (kind, name) in keys))
    same = [MOVEMENT.c[each.name] == wanted.c[each.name] for each in _MOVEMENT]
    rows = await transaction.execute(
        select(MOVEMENT).join_from(MOVEMENT, wanted, *same[:1]).where(*same)
    )
    found: dict[UUID, dict[MovementKey, Fold]] = {}
    for row in rows:
        key = (Kind(row.kind), row.movement)
        found.setdefault(row.position_id, {})[key] = fold_of_json(row.facts)
    return found


def with_movements(
    kept: Mapping[UUID, KeptPosition], movements: Mapping[UUID, Mapping[MovementKey, Fold]]
) -> Mapping[UUID, KeptPosition]:
    """Return the positions with the folds of their transfers."""
    return {
        key: each
        if key not in movements
        else each._replace(position=replace(each.position, movements=movements[key]))
        for key, each in kept.items()
    }


async def write_positions(transaction: AsyncConnection, changed: Sequence[KeptPosition]) -> bool:
    """Store changed positions. The caller holds the locks of those that have a row.

    Returns False, and has stored only a part, if another process has inserted one of the others.
    """
    new = [row_of(each) for each in changed if not each.is_stored]
    columns = [*_IDENTITY, *_DERIVED, as_text(POSITION.c.facts), POSITION.c.cases]
    if len(await add_and_name(transaction, POSITION, columns, new)) < len(new):
        return False
    known = [row_of(each) for each in changed if each.is_stored]
    columns = [*_CHANGING, as_text(POSITION.c.facts), POSITION.c.cases]
    await update_rows(transaction, POSITION, columns, known, updated_at=func.now())
    return True


def row_of(kept: KeptPosition) -> PositionRow:
    """Return the row of a position."""
    position = kept.position
    return PositionRow(
        id=position.id,
        account=position.account,
        provider=position.provider,
        family=position.family,
        provider_reference=position.provider_reference,
        reference=position.reference,
        status=position.status,
        rank=int(position.rank),
        claimed=kept.claimed,
        facts=_text(facts_json(position)),
        cases=kept.cases,
    )


def _text(facts: Json) -> str:
    # Facts have no floats, of which it would write some as null.
    return msgspec.json.encode(facts).decode()


async def write_movements(
    transaction: AsyncConnection, folds: Mapping[tuple[UUID, MovementKey], Fold]
) -> None:
    """Insert or update the rows of these transfers. The caller holds the positions' locks."""
    if not folds:
        return
    rows = movement_rows(folds)
    columns = [*_MOVEMENT, as_text(MOVEMENT.c.facts)]
    adding = inserting(MOVEMENT, columns, rows)
    await transaction.execute(
        adding.on_conflict_do_update(
            constraint=MOVEMENT.primary_key, set_={"facts": adding.excluded.facts}
        )
    )


def movement_rows(
    folds: Mapping[tuple[UUID, MovementKey], Fold],
) -> Sequence[tuple[UUID, str, str, str]]:
    """Return the rows of transfers, in the order of their keys."""
    return sorted(
        (key, kind.value, movement, _text(fold_json(fold)))
        for (key, (kind, movement)), fold in folds.items()
    )
