"""Pending payments are counted by age."""

from datetime import timedelta

import pytest
from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.book import POSITION
from consumers.ledger.measures import MEASURES
from consumers.runtime.service import MeasureReading
from tests.parts.ledger.bookkeeping import applied
from tests.parts.ledger.told import told

(PENDING,) = (each for each in MEASURES if each.name == "payrouter_ledger_pending_payments")


async def pending(ledger: AsyncEngine) -> MeasureReading:
    async with ledger.connect() as connection:
        return await PENDING.read(connection)


async def grow_older(ledger: AsyncEngine, reference: str, by: timedelta) -> None:
    async with ledger.begin() as connection:
        await connection.execute(
            update(POSITION)
            .where(POSITION.c.provider_reference == reference)
            .values(updated_at=func.now() - by)
        )


async def test_only_payments_with_status_pending_are_counted(ledger: AsyncEngine) -> None:
    assert await pending(ledger) == {}
    await applied(
        ledger,
        told("payment.pending", payment="P-1"),
        told("payment.pending", payment="P-2"),
        told("payment.confirmed", payment="P-2"),
        told("payment.expired", payment="P-3"),
        told("payout.pending", payment="O-1"),
    )
    assert await pending(ledger) == {"0-15m": 1}
    await applied(ledger, told("payment.confirmed", payment="P-1"))
    assert await pending(ledger) == {}


@pytest.mark.parametrize(
    ("age", "value"),
    [
        (timedelta(minutes=14), "0-15m"),
        (timedelta(minutes=15), "15m-1h"),
        (timedelta(hours=1), "1h-6h"),
        (timedelta(hours=6), "6h-1d"),
        (timedelta(days=1), "1d+"),
        (timedelta(days=400), "1d+"),
    ],
)
async def test_the_age_of_a_payment_restarts_with_its_next_event(
    ledger: AsyncEngine, age: timedelta, value: str
) -> None:
    await applied(ledger, told("payment.pending", payment="P-1"))
    await grow_older(ledger, "P-1", age)
    assert await pending(ledger) == {value: 1}
    assert value in PENDING.values


async def test_counting_pending_payments_reads_only_their_index(ledger: AsyncEngine) -> None:
    await applied(ledger, told("payment.pending", payment="P-1"))
    condition = "family = 'payment' AND status = 'pending'"
    async with ledger.connect() as connection:
        # Of a table so small the planner would read the whole.
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await connection.execute(
            text(f"EXPLAIN SELECT count(*) FROM ledger.position WHERE {condition}")
        )
        assert "position_pending" in "\n".join(plan.scalars())
