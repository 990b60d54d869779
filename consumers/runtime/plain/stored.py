"""Statements of a plain batch on the runtime's tables, on the driver's connection."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from consumers.runtime.apply.held import headers_text, lane
from consumers.runtime.apply.offsets import Counts, Fence, contradicting, first_of_each
from consumers.runtime.records import Decoded
from consumers.runtime.service import Driver, NotPlain
from consumers.runtime.store.statements import (
    addition,
    columns_of,
    full_name,
    insertion,
    whole_rows,
)
from consumers.runtime.store.tables import COUNTS, RuntimeTables
from router.contract.outcome import OutcomeEvent, OutcomeFacts
from router.contract.wire import encode_outcome

_SEEN = ("event_id", "fingerprint", "topic", "partition", "offset")

_SENT = ("topic", "key", "value", "headers")

_SKIPPED = "ON CONFLICT DO NOTHING RETURNING event_id"


async def require_calm(driver: Driver, tables: RuntimeTables, batch: Sequence[Decoded]) -> None:
    """Raise NotPlain if a topic has a streak or a brake, or a record waits behind a parked one."""
    topics = {each.record.partition.topic for each in batch}
    brake, held = full_name(tables.brake), full_name(tables.held)
    (found,) = await driver.fetch(
        f"SELECT EXISTS (SELECT FROM {brake} WHERE topic = ANY($1::text[]) "  # noqa: S608 - names of tables
        "AND (streak <> 0 OR held_since IS NOT NULL)) AS braked, "
        f"EXISTS (SELECT FROM {held} WHERE state = 'parked') AS parked",
        list(topics),
    )
    if found["braked"]:
        message = "a record of its topics failed before"
        raise NotPlain(message)
    if found["parked"]:
        await _require_not_behind(driver, tables, batch)


async def _require_not_behind(
    driver: Driver, tables: RuntimeTables, batch: Sequence[Decoded]
) -> None:
    (found,) = await driver.fetch(
        f"SELECT EXISTS (SELECT FROM {full_name(tables.held)} WHERE state = 'parked' "  # noqa: S608 - the name of a table
        "AND (lane = ANY($1::bytea[]) OR event_id = ANY($2::uuid[]))) AS behind",
        list({lane(each.record) for each in batch}),
        list({each.event.id for each in batch}),
    )
    if found["behind"]:
        message = "a record waits behind a parked one"
        raise NotPlain(message)


async def claim(driver: Driver, tables: RuntimeTables, batch: Sequence[Decoded]) -> Sequence[int]:
    """Claim the event ids, sorted; return the indexes of the new events. The others are duplicates.

    Raises NotPlain if one of them contradicts the event that was first.
    """
    first = first_of_each(batch)
    rows = [
        (key, batch[index].event.fingerprint, *batch[index].record.partition, _offset(batch[index]))
        # By the ids as numbers: comparing UUIDs is slow, and the order is the same.
        for key, index in sorted(first.items(), key=lambda item: item[0].int)
    ]
    claimed = {
        row["event_id"]
        for row in await driver.fetch(
            addition(tables.seen_event, _SEEN, _SKIPPED), whole_rows(tables.seen_event, _SEEN, rows)
        )
    }
    new = sorted(index for key, index in first.items() if key in claimed)
    if len(new) < len(batch):
        known = {row[0]: row[1] for row in rows if row[0] in claimed}
        known |= await _fingerprints(driver, tables, first.keys() - claimed)
        if contradicting(batch, frozenset(new), known):
            message = "an event contradicts an earlier one with its id"
            raise NotPlain(message)
    return new


def _offset(arrived: Decoded) -> int:
    return arrived.record.offset


async def _fingerprints(
    driver: Driver, tables: RuntimeTables, event_ids: set[UUID]
) -> Mapping[UUID, str]:
    if not event_ids:
        return {}
    rows = await driver.fetch(
        f"SELECT event_id, fingerprint FROM {full_name(tables.seen_event)} "  # noqa: S608 - the name of a table
        "WHERE event_id = ANY($1::uuid[])",
        list(event_ids),
    )
    return {row["event_id"]: row["fingerprint"] for row in rows}


async def publish_plainly(
    driver: Driver, schema: str, topic: str, outcomes: Sequence[OutcomeEvent | OutcomeFacts]
) -> None:
    """Publish outcomes on `topic` once the transaction commits, through the outbox of `schema`."""
    if not outcomes:
        return
    records = [encode_outcome(each, topic) for each in outcomes]
    rows = [(each.topic, each.key, each.value, headers_text(each.headers)) for each in records]
    # Also called in the general way, which does not depend on the order of the columns.
    statement = insertion(RuntimeTables.of(schema).outbox, _SENT)
    await driver.fetch(statement, *columns_of(rows))


async def move_fences(
    driver: Driver,
    tables: RuntimeTables,
    cluster_id: str,
    moves: Sequence[tuple[Fence, Fence, Counts]],
) -> None:
    """Move fences from the first to the second by compare-and-set; raises NotPlain if one moved."""
    rows = [_move_row(*move) for move in moves]
    counted = ", ".join(f"{name} = known.{name} + given.{name}" for name in COUNTS)
    arrays = ", ".join(f"${n}::bigint[]" for n in range(4, 8 + len(COUNTS)))
    moved = await driver.fetch(
        f"UPDATE {full_name(tables.fence)} AS known SET next_offset = given.next_offset, "  # noqa: S608 - names of columns
        "last_offset = given.last_offset, last_timestamp = given.last_timestamp, "
        f"last_crc = given.last_crc, {counted}, updated_at = now() "
        f"FROM unnest($2::text[], $3::integer[], {arrays}, ${8 + len(COUNTS)}::bigint[]) AS given "
        "(topic, partition, was, next_offset, last_offset, last_timestamp, last_crc, "
        f"{', '.join(COUNTS)}) WHERE known.cluster_id = $1 AND known.topic = given.topic "
        "AND known.partition = given.partition AND known.next_offset = given.was "
        "RETURNING known.topic",
        cluster_id,
        *columns_of(rows),
    )
    if len(moved) < len(rows):
        message = "another process has moved a fence"
        raise NotPlain(message)


def _move_row(was: Fence, to: Fence, counts: Counts) -> tuple[object, ...]:
    last = to.last
    identity = (None, None, None) if last is None else (last.offset, last.timestamp, last.crc)
    counted = (getattr(counts, name) for name in COUNTS)
    return (*was.partition, was.next_offset, to.next_offset, *identity, *counted)
