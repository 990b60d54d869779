"""Held records as cases: dead, contradicting, or parked for long."""

from typing import Any

from sqlalchemy import BigInteger, Select, Text, and_, case, cast, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from consumers.runtime.apply.held import HeldReason
from consumers.runtime.cases.held_kinds import (
    CONFLICTING_RECORD,
    DEAD_RECORD,
    PARKED_GRACE,
    PARKED_RECORD,
)
from consumers.runtime.fate import Fate
from consumers.runtime.store.tables import RuntimeTables


def held_cases(tables: RuntimeTables) -> Select[Any]:
    """Return held records that an operator has to look at.

    The subject is the record's place and checksum, which is the same for every consumer of its
    topic. `facets` change whenever a record dies again. A record that only waits behind a parked
    one is not a case itself.
    """
    held = tables.held
    dead = held.c.state == Fate.DEAD.value
    conflicts = and_(dead, held.c.reason == HeldReason.CONFLICT.value)
    parked = and_(
        held.c.state == Fate.PARKED.value,
        held.c.reason != HeldReason.BEHIND.value,
        held.c.first_failed_at <= func.now() - PARKED_GRACE,
    )
    place = func.concat(held.c.topic, "-", held.c.partition, "@", held.c.offset)
    # A retry of a parked record changes nothing; the end of a dead one is a new fact.
    ended = case((dead, func.extract("epoch", held.c.last_failed_at).cast(Text)), else_="")
    return select(
        func.concat(place, "#", held.c.crc).label("subject"),
        held.c.account,
        case(
            (conflicts, literal(CONFLICTING_RECORD.name, Text)),
            (dead, literal(DEAD_RECORD.name, Text)),
            else_=literal(PARKED_RECORD.name, Text),
        ).label("kind"),
        func.concat_ws("\x1f", held.c.cluster_id, held.c.state, held.c.reason, ended).label(
            "facets"
        ),
        held.c.first_failed_at.label("since"),
        func.jsonb_strip_nulls(
            func.jsonb_build_object(
                *("record", place, "number", cast(held.c.id, Text), "reason", held.c.reason),
                *("event", cast(held.c.event_id, Text), "error", held.c.error),
                type_=JSONB,
            ),
            type_=JSONB,
        ).label("facts"),
        cast(held.c.id, BigInteger).label("held"),
    ).where(or_(dead, parked))
