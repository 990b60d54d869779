"""Ledger, inventory and notifications agree on the same events in any order, with duplicates.

Two hundred orders and their payments, mixed with another stream of payouts and payments, shuffled,
repeated and read again: the books equal those of a clerk who books everything in order, the stock
adds up, and no change is notified twice.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from random import Random
from uuid import uuid5

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine

from consumers.inventory.service import SERVICE as INVENTORY
from consumers.ledger.reading.statement import read_books
from consumers.ledger.service import SERVICE as LEDGER
from consumers.notifications.rules import CALLED_OFF
from consumers.notifications.service import SERVICE as NOTIFICATIONS
from consumers.notifications.tables import CHANGE, MESSAGE
from consumers.runtime.records import Record
from consumers.runtime.store.migrate import upgrade
from router.contract.event import Event
from router.contract.lifecycle import is_paid
from router.contract.order import Order
from router.contract.topics import ORDER
from router.contract.wire import OutgoingRecord, encode_event, encode_order
from tests.conformance.bench import Bench, bench
from tests.conformance.histories import TRACE
from tests.integration.consumers.inventory.test_any_order import filled
from tests.parts.chaos.stream import Books, Stream
from tests.parts.inventory.oracle import Oracle
from tests.parts.inventory.shop import Shop
from tests.parts.inventory.stories import LASTING, SKUS, stories

ORDERS = 200

Told = Sequence[Event | Order]


@pytest.fixture
async def benches(database_url: str) -> AsyncIterator[Sequence[Bench]]:
    """Yield the three services with one empty database."""
    engine = create_async_engine(database_url, pool_size=8)
    try:
        for service in (LEDGER, INVENTORY, NOTIFICATIONS):
            await upgrade(engine, service)
        yield [bench(engine, service) for service in (LEDGER, INVENTORY, NOTIFICATIONS)]
    finally:
        await engine.dispose()


@pytest.mark.parametrize("seed", range(3))
async def test_three_services_agree_in_any_order(benches: Sequence[Bench], seed: int) -> None:
    random = Random(seed)
    ledger, *_ = benches
    shop = Shop(ledger.engine)
    on_hand = await filled(shop, random)
    shopped = _now(stories(random, ORDERS, LASTING))
    stream = Stream(random)
    beside = [each for batch in islice(stream.batches(), 20) for each in batch]
    told = [*shopped, *_repeated(shopped, random), *_now(beside)]
    random.shuffle(told)
    records = [_appended(each, told) for each in benches]

    await _apply(benches, records, random)
    await _check_books(ledger, _sum(_booked(shopped), stream.end()))
    await _check_stock(shop, on_hand, shopped)
    assert await _notified_twice(ledger) == []

    before = [await each.content() for each in benches]
    for each in benches:
        await each.rewind(forget=True)
    await _apply(benches, records, random)
    assert [await each.content() for each in benches] == before


async def _apply(
    benches: Sequence[Bench], records: Sequence[Sequence[Record]], random: Random
) -> None:
    """Let the services take turns, a batch of any size at a time."""
    left = [list(each) for each in records]
    while any(left):
        turn = random.choice([at for at, each in enumerate(left) if each])
        batch = left[turn][: random.randint(1, 120)]
        del left[turn][: len(batch)]
        await benches[turn].apply(batch, size=len(batch))


def _appended(consumer: Bench, told: Told) -> Sequence[Record]:
    return [
        consumer.append(_written(each), topic)
        for each in told
        if (topic := _topic(each)) in consumer.service.topics
    ]


def _written(message: Event | Order) -> OutgoingRecord:
    topic = _topic(message)
    if isinstance(message, Order):
        return encode_order(message, topic)
    return encode_event(message, topic, TRACE)


def _topic(message: Event | Order) -> str:
    return ORDER if isinstance(message, Order) else message.type.family


def _now(told: Told) -> list[Event | Order]:
    """Set the arrival of events to now: too old ones cause no notification."""
    now = {"received_at": datetime.now(UTC)}
    return [m.model_copy(update=now) if isinstance(m, Event) else m for m in told]


def _repeated(told: Told, random: Random) -> Sequence[Event]:
    """Repeat some payments under other ids, like a gateway that numbers its messages.

    Excludes statuses that can be revoked and repeated: underpaid, expired and underpaid again are
    three changes.
    """
    paid = [each for each in told if isinstance(each, Event) and is_paid(each.type.status)]
    again = random.sample(paid, len(paid) // 2)
    return [each.model_copy(update={"id": uuid5(each.id, "anew")}) for each in again]


async def _check_books(ledger: Bench, wanted: Books) -> None:
    async with ledger.engine.connect() as connection:
        books = await read_books(connection)
    assert books.balanced
    booked = {(each.account, each.currency): Decimal(0) for each in books.balances}
    for each in books.balances:
        booked[each.account, each.currency] += each.amount
    assert _not_zero(booked) == _not_zero(wanted)


async def _check_stock(shop: Shop, on_hand: Mapping[str, int], told: Told) -> None:
    await shop.check_books()
    stock = await shop.stock()
    assert {sku: stock[sku][0] for sku in SKUS} == on_hand
    for number, reserved, sold, _ in stock.values():
        assert number - reserved - sold >= 0
    # Orders paid in full are delivered or marked as oversold; with enough stock all are delivered.
    plenty = Oracle(dict.fromkeys(SKUS, 10**6))
    for message in sorted(told, key=lambda each: isinstance(each, Event)):
        if not (isinstance(message, Order) and message.type == "order.cancelled"):
            plenty.apply(message)
    # A cancelled order is delivered only if its payment came first.
    cancelled = {str(m.reference) for m in told if m.type == "order.cancelled"}
    statuses = await shop.statuses()
    sold_to = {name for name, status in statuses.items() if status in {"committed", "oversold"}}
    assert sold_to - cancelled == plenty.sold.keys() - cancelled
    assert sold_to <= plenty.sold.keys()
    sold_lines = await shop.sold()
    for name in sold_to - cancelled:
        assert sold_lines.get(name, {}) == plenty.sold[name]
    assert "oversold" in statuses.values(), "the shelves were too full for a test"


async def _notified_twice(consumer: Bench) -> Sequence[object]:
    """Return the notifications that a channel sent more than once for one status of one payment."""
    query = select(
        CHANGE.c.account,
        CHANGE.c.provider_reference,
        MESSAGE.c.kind,
        MESSAGE.c.channel,
        MESSAGE.c.recipient,
        CHANGE.c.outcome,
    ).join_from(MESSAGE, CHANGE)
    async with consumer.engine.connect() as connection:
        rows = [tuple(row) for row in await connection.execute(query)]
    assert rows
    accepted = [row for row in rows if row[-1] == "applied" or row[2] == CALLED_OFF]
    assert accepted == rows, "only accepted events are notified"
    return [row for row, times in Counter(rows).items() if times > 1]


def _booked(told: Told) -> Books:
    """Book the shop's payments like a clerk who knows the final status of each."""
    paid: dict[str, Decimal] = {}
    partly: dict[str, Decimal] = {}
    for event in told:
        if isinstance(event, Event) and event.amount is not None:
            status, number = event.type.status, str(event.provider_reference)
            seen = {"underpaid": partly, "confirmed": paid, "overpaid": paid}.get(status, {})
            seen[number] = max(seen.get(number, Decimal(0)), event.amount)
    in_full = sum(paid.values(), Decimal(0))
    in_part = sum((partly[number] for number in partly.keys() - paid.keys()), Decimal(0))
    amounts = {"wallet": in_full + in_part, "payments": -in_full, "suspense": -in_part}
    return {(f"shop-eu:blockatm:{name}", "USDT"): amount for name, amount in amounts.items()}


def _sum(*several: Books) -> Books:
    sums: Books = {}
    for books in several:
        for place, amount in books.items():
            sums[place] = sums.get(place, Decimal(0)) + amount
    return sums


def _not_zero(books: Books) -> Books:
    return {place: amount for place, amount in books.items() if amount}
