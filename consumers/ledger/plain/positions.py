"""Reads and writes the positions of a plain batch; see `consumers.ledger.writing.positions`."""

import json
from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import msgspec

from consumers.ledger.book import MOVEMENT, POSITION
from consumers.ledger.facts.fact import Kind
from consumers.ledger.facts.fold import Fold
from consumers.ledger.facts.position import MovementKey, Position
from consumers.ledger.facts.stored import fold_of_json, position_of
from consumers.ledger.writing.positions import (
    DESCRIBED,
    KeptPosition,
    PositionRow,
    movement_rows,
    row_of,
)
from consumers.runtime.service import Driver
from consumers.runtime.store.statements import (
    addition,
    change,
    columns_of,
    full_name,
    given,
    insertion,
    whole_rows,
)

_DESCRIBED: Final = tuple(each.name for each in DESCRIBED)
_CHANGING: Final = ("reference", "status", "rank", "claimed", "facts", "cases")
_KEY: Final = ("position_id", "kind", "movement")
_REPLACED: Final = "ON CONFLICT (position_id, kind, movement) DO UPDATE SET facts = excluded.facts"


async def lock(driver: Driver, wanted: Mapping[UUID, Position]) -> Mapping[UUID, KeptPosition]:
    """Lock the rows of these positions as far as they exist, in the order of the ids."""
    columns = ", ".join((*_DESCRIBED, "claimed", "facts::text", "cases::text"))
    rows = await driver.fetch(
        f"SELECT {columns} FROM {full_name(POSITION)} "  # noqa: S608 - names of columns
        "WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE",
        list(wanted),
    )
    locked = {row["id"]: _kept(row) for row in rows}
    return {
        key: locked.get(key) or KeptPosition(each, claimed=False, cases=None, is_stored=False)
        for key, each in wanted.items()
    }


def _kept(row: Any) -> KeptPosition:  # noqa: ANN401 - a row of the driver
    described = {name: row[name] for name in _DESCRIBED}
    cases = None if row["cases"] is None else json.loads(row["cases"])
    return KeptPosition(position_of(described, json.loads(row["facts"])), row["claimed"], cases)


async def load_movements(
    driver: Driver, keys: Collection[tuple[UUID, MovementKey]]
) -> Mapping[UUID, Mapping[MovementKey, Fold]]:
    """Return the folds of these transfers, by position. The caller holds the positions' locks."""
    same = " AND ".join(f"known.{name} = given.{name}" for name in _KEY)
    rows = await driver.fetch(
        "SELECT known.position_id, known.kind, known.movement, known.facts::text "  # noqa: S608 - names of columns
        f"FROM {full_name(MOVEMENT)} AS known JOIN {given(MOVEMENT, _KEY)} ON {same}",
        *columns_of((key, kind.value, name) for key, (kind, name) in keys),
    )
    found: dict[UUID, dict[MovementKey, Fold]] = {}
    for row in rows:
        folds = found.setdefault(row["position_id"], {})
        folds[Kind(row["kind"]), row["movement"]] = fold_of_json(json.loads(row["facts"]))
    return found


async def write(driver: Driver, changed: Sequence[KeptPosition]) -> None:
    """Insert the new positions and store the changed ones, whose locks the caller holds."""
    new = [row_of(each) for each in changed if not each.is_stored]
    rows = sorted(new, key=attrgetter("id.int"))
    if rows:
        names = PositionRow._fields
        texts = map(_text, rows)
        await driver.fetch(addition(POSITION, names), whole_rows(POSITION, names, texts))
    known = [_text(row_of(each)) for each in changed if each.is_stored]
    if known:
        statement = change(POSITION, "id", _CHANGING, ", updated_at = now()")
        columns = dict(zip(PositionRow._fields, columns_of(known), strict=True))
        await driver.fetch(statement, *(columns[name] for name in ("id", *_CHANGING)))


def _text(row: PositionRow) -> tuple[object, ...]:
    cases = None if row.cases is None else msgspec.json.encode(row.cases).decode()
    return (*row[:-1], cases)


async def write_movements(driver: Driver, folds: Mapping[tuple[UUID, MovementKey], Fold]) -> None:
    """Insert or update the rows of these transfers. The caller holds the positions' locks."""
    if folds:
        statement = insertion(MOVEMENT, (*_KEY, "facts"), _REPLACED)
        await driver.fetch(statement, *columns_of(movement_rows(folds)))
