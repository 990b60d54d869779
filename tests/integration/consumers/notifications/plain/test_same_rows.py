"""A plain batch leaves the rows that the general way leaves, with any history."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from consumers.notifications.options import NotificationOptions
from consumers.notifications.outcomes import COMMITTED, RETURNED, OrderOutcome
from consumers.notifications.service import SERVICE
from consumers.notifications.tables import METADATA
from consumers.runtime.apply.process import Applier
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.plain.batches import PlainBatches
from consumers.runtime.records import Decoded, Message, Partition, Record
from consumers.runtime.service import Setup
from consumers.runtime.store.tables import RuntimeTables
from router.contract.event import Event, EventType
from router.contract.topics import Topics
from tests.parts.contract.events import event
from tests.parts.contract.orders import decided, order
from tests.parts.notifications.desk import options, rule
from tests.parts.templates import Templates

TABLES = RuntimeTables.of(SERVICE.schema)
PARTITION = Partition("payment", 0)
NOON = datetime.now(UTC) - timedelta(hours=1)
TIMES = {"applied_at", "updated_at", "seen_at", "created_at", "due_at"}
"""Columns with the time of the transaction."""

RULES = [
    rule(["payment.*", "subscription.*", "payout.*", "order.paid"], "customer", "mail", "log"),
    rule(["payment.*", "payout.*", "alert.*"], "on-call", "hook", "mail"),
]
OPTIONS = [options(RULES), options(RULES, paid="gateway", wait_for_order_seconds=0), options([])]
MONEY = ["payment.confirmed", "payment.refunded", "payment.refund_failed", "payment.disputed"]
AMOUNTS = (None, "0", "10", "20", "30.00", "0.000000000000000001")
ADDRESSES = (None, None, "ann@example.com", "bob@example.com", "Ann <ann@example.com>")

Rows = Mapping[str, Sequence[tuple[Any, ...]]]


def applier(engine: AsyncEngine, chosen: NotificationOptions, *, plain: bool) -> Applier:
    """Return the notifications' applier, with or without the shorter way."""
    stored = StoredBooks(engine, SERVICE, "cluster")
    actions = SERVICE.actions(Setup(chosen, Topics()))
    assert actions.plain is not None
    shorter = PlainBatches(stored, actions.plain) if plain else None
    return Applier(stored, SERVICE, actions.handle, 1000, shorter=shorter)


async def apply(machine: Applier, batches: Sequence[Sequence[Message]]) -> Counter[bool]:
    """Apply batches; return how many were plain and how many were not."""
    fences = await machine.fences({PARTITION: 0})
    plain: Counter[bool] = Counter()
    for batch in batches:
        first = fences[PARTITION].next_offset
        records = [
            Decoded(Record(PARTITION, offset, 1000 + offset, b"key", b"value", ()), message)
            for offset, message in enumerate(batch, first)
        ]
        done = await machine.apply(records, fences)
        fences = done.fences
        plain[done.plain] += 1
    return plain


async def rows_of(engine: AsyncEngine) -> Rows:
    """Read all rows, without times."""
    async with engine.connect() as connection:
        own = (*METADATA.tables.values(), *TABLES.metadata.tables.values())
        return {each.name: await _read(connection, each) for each in own}


async def _read(connection: AsyncConnection, table: Table) -> Sequence[tuple[Any, ...]]:
    wanted = [each for each in table.c if each.name not in TIMES]
    rows = [row._asdict() for row in await connection.execute(select(*wanted))]
    for row in rows:
        if row.get("wait_until") is not None:
            row["wait_until"] = "waits"
    return sorted((tuple(row.values()) for row in rows), key=repr)


async def compare(
    templates: Templates,
    batches: Sequence[Sequence[Message]],
    chosen: NotificationOptions = OPTIONS[0],
) -> Counter[bool]:
    """Apply batches both ways, each with a separate database; compare all rows."""
    found = []
    plain: Counter[bool] = Counter()
    for shorter in (False, True):
        with templates.copied(SERVICE) as url:
            engine = create_async_engine(url)
            try:
                plain = await apply(applier(engine, chosen, plain=shorter), batches)
                found.append(await rows_of(engine))
            finally:
                await engine.dispose()
    general, short = found
    assert sum(map(len, general.values())) > len(batches)
    for name, rows in general.items():
        assert short[name] == rows, name
    return plain


def any_event(random: Random, number: int) -> Event:
    """Make an event of any type, of one of a few payments and orders."""
    kind = random.choice([*(each.value for each in EventType), *MONEY])
    movement = random.choice([None, None, "re_1", "re_2"])
    reference = random.choice([None, "A-1", "A-2", "A-3"])
    payment = f"P-{random.randrange(5)}"
    facts: dict[str, Any] = {
        "provider_reference": payment if reference is None else random.choice([None, payment]),
        "reference": reference,
        "amount": random.choice(AMOUNTS),
        "expected_amount": random.choice([None, "10", "20"]),
        "expected_currency": "USDT",
        "currency": random.choice(["USDT", "USDT", "EUR"]),
        "movement": movement,
        "movement_amount": random.choice(AMOUNTS) if movement else None,
        "amount_claimed": random.choice([None, None, True]),
        "customer": {"email": random.choice(ADDRESSES)},
        "received_at": NOON + timedelta(minutes=random.randrange(9)) - random.choice(AGES),
        "unread": random.choice([(), ("tx_hash", "network")]),
    }
    return event(id=UUID(int=number), type=kind, **facts)


AGES = (*[timedelta()] * 9, timedelta(days=9))
"""How long before noon: most events are new, some are too old for messages."""


def any_order(random: Random, number: int) -> Message:
    """Make a message about an order; an operator decided some."""
    facts: dict[str, Any] = {
        "reference": random.choice(["A-1", "A-2", "A-3"]),
        "customer": {
            "email": random.choice(ADDRESSES),
            "language": random.choice([None, "en", "de"]),
        },
        "total": random.choice([None, "10"]),
        "currency": "USDT",
    }
    kind = random.choice(["order.placed", "order.placed", "order.cancelled", "order.decided"])
    if kind == "order.decided":
        return decided(id=UUID(int=number), reference=facts["reference"])
    return order(kind, id=UUID(int=number), **facts)


def any_outcome(random: Random, number: int) -> Message:
    """Make an outcome of the inventory, relevant or not."""
    status = random.choice([COMMITTED, COMMITTED, RETURNED, "reserved"])
    reference = random.choice([None, "A-1", "A-2", "A-3"])
    at = NOON + timedelta(minutes=random.randrange(9))
    return OrderOutcome(UUID(int=number), "shop-eu", reference, status, at)


MAKERS = (any_event, any_event, any_event, any_order, any_outcome)


def any_history(random: Random) -> list[list[Message]]:
    """Make batches of messages of any kind, some of them repeated."""
    messages = [random.choice(MAKERS)(random, number) for number in range(60)]
    messages += random.sample(messages, 8)
    size = random.randint(1, 25)
    return [messages[at : at + size] for at in range(0, len(messages), size)]


@pytest.mark.parametrize("chosen", OPTIONS, ids=["inventory", "gateway", "no rules"])
async def test_any_history_leaves_the_same_rows(
    templates: Templates, chosen: NotificationOptions
) -> None:
    for seed in range(6):
        batches = any_history(Random(seed))
        # No batch has anything that the general way must decide.
        assert await compare(templates, batches, chosen) == {True: len(batches)}


def confirmed(first: int, last: int, kind: str = "payment.confirmed", of: int = 0) -> list[Event]:
    """Return an event of each of these payments, with ids from `of` on."""
    return [
        event(
            id=UUID(int=of + number),
            type=kind,
            reference=f"A-{number}",
            provider_reference=f"P-{number}",
            received_at=NOON + timedelta(seconds=of),
            customer={"email": f"payer-{number}@example.com"} if number % 2 else {},
        )
        for number in range(first, last)
    ]


async def test_updates_duplicates_and_movements_are_plain(templates: Templates) -> None:
    pending, paid = confirmed(0, 30, "payment.pending"), confirmed(0, 30, of=100)
    refunds = [
        event(
            id=UUID(int=200 + n),
            type="payment.refunded",
            provider_reference=f"P-{n // 2}",
            movement=f"m{n % 2}",
            movement_amount="1",
            amount=None,
        )
        for n in range(6)
    ]
    batches = [pending, paid, [*paid[:10], *confirmed(30, 60, of=100)], refunds, refunds]
    assert await compare(templates, batches) == {True: len(batches)}


@pytest.mark.parametrize("chosen", OPTIONS[:2], ids=["inventory", "gateway"])
async def test_an_order_gives_waiting_messages_their_address(
    templates: Templates, chosen: NotificationOptions
) -> None:
    waiting = confirmed(0, 6)
    placed = [
        order(
            id=UUID(int=300 + number),
            reference=f"A-{number}",
            customer={"email": f"ann-{number}@example.com", "language": "de"},
        )
        for number in range(0, 6, 2)
    ]
    paid = [
        OrderOutcome(UUID(int=400 + number), "shop-eu", f"A-{number}", COMMITTED, NOON)
        for number in range(6)
    ]
    late = confirmed(0, 6, "payment.overpaid", of=500)
    batches: list[Sequence[Message]] = [waiting[::2], paid, placed, waiting[1::2], late]
    assert await compare(templates, batches, chosen) == {True: len(batches)}


async def test_texts_of_any_kind_are_stored(templates: Templates) -> None:
    odd = ["'; DROP", 'a "b" \\ {c,d}', "NULL", "\u20ac \U0001f600", "{}", "$1"]
    paid = [
        event(id=UUID(int=n), account=each, reference=each, provider_reference=each, network=each)
        for n, each in enumerate(odd)
    ]
    assert await compare(templates, [paid]) == {True: 1}


async def test_an_event_that_was_handled_is_left_to_the_general_handler(desk: AsyncEngine) -> None:
    events = confirmed(0, 3)
    machine = applier(desk, OPTIONS[0], plain=True)
    assert await apply(machine, [events]) == {True: 1}
    before = await rows_of(desk)
    async with desk.begin() as connection:
        await connection.execute(TABLES.seen_event.delete())
    assert await apply(machine, [[*events, *confirmed(3, 5)]]) == {False: 1}
    after = await rows_of(desk)
    assert len(after["message"]) == len(before["message"]) * 5 // 3
    assert len(after["change"]) == 5


async def test_two_processes_with_the_same_payments_send_each_message_once(
    desk: AsyncEngine,
) -> None:
    one, other = confirmed(0, 40), confirmed(0, 40, "payment.overpaid", of=100)[::-1]

    async def consume(events: Sequence[Event], number: int) -> None:
        own = Partition("payment", number)
        machine = applier(desk, OPTIONS[0], plain=True)
        fences = await machine.fences({own: 0})
        batch = [Decoded(Record(own, n, n, b"", b"", ()), each) for n, each in enumerate(events)]
        await machine.apply(batch, {own: fences[own]})

    await asyncio.gather(consume(one, 0), consume(other, 1))
    rows = await rows_of(desk)
    assert len(rows["subject"]) == len(rows["customer"]) == 40
    assert len(rows["change"]) == 80
    # The higher status is news in any order; the lower one only if it came first.
    assert len({row[1] for row in rows["message"]}) in {40, 80}
