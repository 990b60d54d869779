"""Subjects and movements of a plain batch; see `consumers.notifications.writing`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final
from uuid import UUID

from msgspec.structs import astuple

from consumers.notifications.changes.subjects import Subject, SubjectMovement
from consumers.notifications.tables import MOVEMENT, SUBJECT
from consumers.runtime.service import Driver
from consumers.runtime.store.statements import (
    addition,
    change,
    columns_of,
    full_name,
    insertion,
    whole_rows,
)

_SUBJECT: Final = Subject.__struct_fields__
_MOVEMENT: Final = SubjectMovement.__struct_fields__
_CHANGING: Final = ("reference", "facts")
_REPLACED: Final = "ON CONFLICT (id) DO UPDATE SET facts = excluded.facts, updated_at = now()"


async def lock(driver: Driver, ids: Collection[UUID]) -> Mapping[UUID, Subject]:
    """Lock the rows of these subjects as far as they exist, in the order of the ids."""
    rows = await driver.fetch(
        f"SELECT {', '.join(_SUBJECT)} FROM {full_name(SUBJECT)} "  # noqa: S608 - names of columns
        "WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE",
        list(ids),
    )
    return {row["id"]: Subject(*row) for row in rows}


async def read_movements(driver: Driver, ids: Collection[UUID]) -> Mapping[UUID, SubjectMovement]:
    """Return the stored ones of these movements. The caller holds the locks of their subjects."""
    if not ids:
        return {}
    rows = await driver.fetch(
        f"SELECT {', '.join(_MOVEMENT)} FROM {full_name(MOVEMENT)} WHERE id = ANY($1::uuid[])",  # noqa: S608 - names of columns
        list(ids),
    )
    return {row["id"]: SubjectMovement(*row) for row in rows}


async def write(driver: Driver, known: Mapping[UUID, Subject], after: Iterable[Subject]) -> None:
    """Insert the subjects that are new and store those that changed.

    The caller holds the locks of those that are `known`. If another process has inserted one of the
    new ones, the database refuses the row.
    """
    # By the ids as numbers: comparing UUIDs is slow, and the order is the same.
    ordered = sorted(after, key=attrgetter("id.int"))
    new = [astuple(each) for each in ordered if each.id not in known]
    if new:
        await driver.fetch(addition(SUBJECT, _SUBJECT), whole_rows(SUBJECT, _SUBJECT, new))
    changed = [each for each in ordered if each.id in known and each != known[each.id]]
    if changed:
        statement = change(SUBJECT, "id", _CHANGING, ", updated_at = now()")
        rows = [(each.id, each.reference, each.facts) for each in changed]
        await driver.fetch(statement, *columns_of(rows))


async def write_movements(driver: Driver, movements: Sequence[SubjectMovement]) -> None:
    """Store new and changed movements. The caller holds the locks of their subjects."""
    if movements:
        ordered = sorted(movements, key=attrgetter("id.int"))
        statement = insertion(MOVEMENT, _MOVEMENT, _REPLACED)
        await driver.fetch(statement, *columns_of(map(astuple, ordered)))
