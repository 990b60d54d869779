"""Counts what each consumer holds back: parked, dead and unsent records, with the oldest."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.console.web.problems import Away, TooSlow
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.fate import Fate
from consumers.runtime.store.tables import RuntimeTables


@dataclass(frozen=True)
class WaitingCount:
    """A number of records, and the time of the oldest."""

    number: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True)
class HeldBack:
    """What a consumer holds back; `refused` are records that the broker does not take."""

    parked: WaitingCount
    dead: WaitingCount
    unsent: WaitingCount
    refused: WaitingCount


async def held_back(visit: ConsoleVisit) -> Mapping[str, HeldBack]:
    """Return the counts by consumer, of the viewer's merchants; without one that is away."""
    found: dict[str, HeldBack] = {}
    for name, consumer in sorted(visit.sources.consumers.items()):
        try:
            async with visit.reading(name) as connection:
                found[name] = await _counted(connection, consumer.tables, visit.viewer.accounts)
        except (Away, TooSlow):
            # The survey names the cause.
            continue
    return found


async def _counted(
    connection: AsyncConnection, tables: RuntimeTables, accounts: frozenset[str] | None
) -> HeldBack:
    held, box = tables.held, tables.outbox
    query = select(held.c.state, func.count(), func.min(held.c.first_failed_at)).where(
        held.c.state.in_([Fate.PARKED.value, Fate.DEAD.value])
    )
    if accounts is not None:
        query = query.where(held.c.account == func.any(sorted(accounts)))
    rows = await connection.execute(query.group_by(held.c.state))
    by_state = {state: WaitingCount(number, oldest) for state, number, oldest in rows}
    refused = box.c.refused.is_not(None)
    sent = await connection.execute(
        select(refused, func.count(), func.min(box.c.created_at)).group_by(refused)
    )
    by_refusal = {is_refused: WaitingCount(number, oldest) for is_refused, number, oldest in sent}
    nothing = WaitingCount()
    return HeldBack(
        by_state.get(Fate.PARKED.value, nothing),
        by_state.get(Fate.DEAD.value, nothing),
        by_refusal.get(False, nothing),
        by_refusal.get(True, nothing),
    )
