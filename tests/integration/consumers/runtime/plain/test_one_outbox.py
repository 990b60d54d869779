"""Outcomes and dead letters wait in one outbox, in the order of their records, by either way."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.apply.outcomes import publish_outcomes
from consumers.runtime.fate import Fate
from consumers.runtime.plain.batches import PlainBatches
from consumers.runtime.plain.stored import publish_plainly
from consumers.runtime.records import Arrived, Undecodable
from consumers.runtime.service import Driver
from router.contract.event import Event
from router.contract.outcome import OutcomeEvent
from tests.parts.runtime.counting import (
    SERVICE,
    applier,
    begun,
    numbered,
    outbox_of,
    record,
    stored,
)
from tests.parts.runtime.told import headers_of

OUTCOMES = "counting.outcome"


def _counted(event: Event) -> OutcomeEvent:
    return OutcomeEvent(
        id=event.id,
        type="counting.counted",
        account=event.account,
        reference=event.reference,
        event_id=event.id,
        at=event.received_at,
        data={},
    )


async def _publish(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
    said = [_counted(each) for each in events]
    await publish_outcomes(transaction, SERVICE.name, OUTCOMES, said)
    return [Fate.APPLIED] * len(events)


async def _publish_plainly(driver: Driver, events: Sequence[Event]) -> Sequence[Fate]:
    said = [_counted(each) for each in events]
    await publish_plainly(driver, SERVICE.name, OUTCOMES, said)
    return [Fate.APPLIED] * len(events)


def _batch(first: int, spoilt: Sequence[bool]) -> list[Arrived]:
    """Return records of one order, some of which cannot be decoded."""
    events = [numbered(first + n, reference="A-1") for n in range(len(spoilt))]
    arrived = [record(first + n, each) for n, each in enumerate(events)]
    return [
        Undecodable(each.record, "not an event") if bad else each
        for each, bad in zip(arrived, spoilt, strict=True)
    ]


def _source(row: Any) -> str:  # noqa: ANN401 - a row of the outbox
    """Return what a waiting record is about."""
    headers = {name: (value or b"").decode() for name, value in headers_of(row)}
    outcome = row.topic == OUTCOMES
    return headers["ce_id"] if outcome else f"dead {headers['payrouter-origin-offset']}"


async def test_outcomes_and_dead_letters_wait_in_the_order_of_their_records(
    counting: AsyncEngine,
) -> None:
    plain = PlainBatches(stored(counting), _publish_plainly)
    machine = replace(applier(counting, _publish), shorter=plain)
    fences, first = await begun(counting), 0
    ways, wanted = [], []
    for spoilt in ((False,) * 3, (True,), (False,) * 2, (False,) * 2, (True,) * 2, (False,)) * 2:
        done = await machine.apply(_batch(first, spoilt), fences)
        ways.append(done.plain)
        wanted += [
            f"dead {first + n}" if bad else str(numbered(first + n).id)
            for n, bad in enumerate(spoilt)
        ]
        fences, first = done.fences, first + len(spoilt)

    found = [_source(row) for row in await outbox_of(counting)]
    assert set(ways) == {True, False}
    assert found == wanted
