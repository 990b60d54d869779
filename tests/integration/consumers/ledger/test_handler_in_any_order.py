"""Histories that are shuffled, repeated and applied concurrently are booked once."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from random import Random

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.book import POSITION
from consumers.ledger.facts.exact import exact
from consumers.runtime.fate import Fate
from router.contract.event import Event
from tests.parts.ledger.bookkeeping import applied, balances, books, count
from tests.parts.ledger.told import booked, by_name, found, numbered, recorded, told


def story(payment: str, random: Random) -> list[Event]:
    """Return the events of one payment, with a random amount, and what an operator states."""
    total = random.randint(10, 10**6)
    facts = {"payment": payment, "fee": "0.25", "fee_currency": "USDT"}
    lives = [
        ["pending", "confirmed"],
        ["pending", "expired", "confirmed", "overpaid"],
        ["underpaid", "confirmed", "refunded"],
        ["failed", "overpaid", "disputed"],
        ["pending", "expired"],
    ]
    events = [told(f"payment.{status}", str(total), **facts) for status in random.choice(lives)]
    for at in range(1, random.randint(1, 3)):
        stated, replaces = (str(total - random.randint(0, 2)) for _ in range(2))
        kind = random.choice(["payment.confirmed", "payment.refunded"])
        events.append(recorded(kind, stated, payment=payment, at=at, replaces=replaces))
    return events


@pytest.mark.parametrize("seed", range(3))
async def test_shuffled_and_repeated_histories_give_the_books_of_the_oracle(
    ledger: AsyncEngine, seed: int
) -> None:
    random = Random(seed)
    stories = [story(f"P-{number}", random) for number in range(40)]
    told_ = [event for events in stories for event in events]
    told_ += random.choices(told_, k=60)
    random.shuffle(told_)
    while told_:
        size = random.randint(1, 30)
        await applied(ledger, *told_[:size])
        del told_[:size]
    assert await balances(ledger) == oracle(stories)
    assert (await books(ledger)).balanced
    expected = {events[0].provider_reference: found(events) for events in stories}
    assert await stored_cases(ledger) == {name: each for name, each in expected.items() if each}


async def stored_cases(ledger: AsyncEngine) -> dict[str, dict[str, dict[str, str]]]:
    """Return the facts of the cases of every payment that has some, by kind."""
    query = select(POSITION.c.provider_reference, POSITION.c.cases)
    async with ledger.connect() as connection:
        rows = await connection.execute(query.where(POSITION.c.cases.is_not(None)))
        return {
            row.provider_reference: {kind: each["facts"] for kind, each in row.cases.items()}
            for row in rows
        }


def oracle(stories: Sequence[Sequence[Event]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for events in stories:
        for name, amount in by_name(booked(events)).items():
            with exact():
                sums[name] = sums.get(name, Decimal(0)) + amount
    return sums


async def test_two_processes_with_the_same_payments_at_once_book_each_once(
    ledger: AsyncEngine,
) -> None:
    def batch(status: str) -> list[Event]:
        payments = [f"P-{number}" for number in range(100)]
        return [told(f"payment.{status}", "10", payment=payment) for payment in payments]

    there, back = batch("confirmed"), batch("overpaid")[::-1]
    await asyncio.gather(applied(ledger, *there), applied(ledger, *back))
    assert await count(ledger, "positions") == 100
    assert await count(ledger, "events") == 200
    assert await balances(ledger) == {
        "wallet:Ethereum USDT": Decimal(1000),
        "payments USDT": Decimal(-1000),
    }


async def test_the_same_event_in_two_processes_at_once_is_booked_once(
    ledger: AsyncEngine,
) -> None:
    events = [told("payment.confirmed", "10", payment=f"P-{number}") for number in range(50)]
    first, second = await asyncio.gather(applied(ledger, *events), applied(ledger, *events[::-1]))
    assert sorted([*first, *second]) == [Fate.APPLIED] * 50 + [Fate.STALE] * 50
    assert await count(ledger, "transactions") == 50


async def test_one_id_for_two_payments_at_once_is_booked_for_one_of_them(
    ledger: AsyncEngine,
) -> None:
    def event(payment: str) -> Event:
        return told("payment.confirmed", "10", payment=payment, id=numbered(1))

    outcomes = await asyncio.gather(applied(ledger, event("P-1")), applied(ledger, event("P-2")))
    assert sorted(outcome for (outcome,) in outcomes) == [Fate.APPLIED, Fate.STALE]
    assert (await balances(ledger))["wallet:Ethereum USDT"] == Decimal(10)
