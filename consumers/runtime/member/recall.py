"""Reads a consumer's own outcomes before it acts: what they report did happen.

A database that is restored from a backup has lost what was done outside of it since then. The
outcomes of that time are still in their topic.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.service import Recall
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import transaction_of
from consumers.runtime.store.tables import RuntimeTables
from router.broker.topic_reader import TopicMissing, opened_topic
from router.contract.outcome import OutcomeEvent
from router.contract.wire import UndecodableRecord, read_payload

SKEW = timedelta(minutes=10)
"""How far the clocks of the database and of the process that published an outcome may differ."""


class Recalled(NamedTuple):
    """Numbers of the outcomes that the store lacked, and of the records that cannot be read."""

    lacked: int = 0
    unread: int = 0


async def recall_outcomes(
    engine: AsyncEngine, tables: RuntimeTables, settings: ConsumerSettings, recall: Recall
) -> Recalled:
    """Pass on the outcomes since the store last made progress.

    If there was no progress yet, all of them. A missing topic has none.
    """
    async with transaction_of(engine) as transaction:
        since = await _last_progress(transaction, tables)
    lacked = unread = 0
    try:
        async with opened_topic(settings.kafka, settings.topics.outcome(settings.name)) as reader:
            first = await reader.since(since and since - SKEW)
            async for records in reader.fetched(first):
                outcomes = list(_outcomes_in(records))
                unread += len(records) - len(outcomes)
                if outcomes:
                    async with transaction_of(engine) as transaction:
                        lacked += await recall(transaction, outcomes)
    except TopicMissing:
        return Recalled(lacked, unread)
    return Recalled(lacked, unread)


async def _last_progress(transaction: AsyncConnection, tables: RuntimeTables) -> datetime | None:
    """Return when a fence was last moved; the time of a reset does not count."""
    fence = tables.fence
    moved = select(func.max(fence.c.updated_at)).where(fence.c.next_offset > fence.c.first_offset)
    found: datetime | None = await transaction.scalar(moved)
    return found


def _outcomes_in(records: Iterable[Any]) -> Iterable[OutcomeEvent]:
    for record in records:
        try:
            yield OutcomeEvent.model_validate_json(read_payload(record.value))
        except (ValidationError, UndecodableRecord):
            # It may be of a later version: the caller counts it.
            continue
