"""A plain batch leaves the rows that the general way leaves, with any history."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Any

import pytest
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.inventory.policy import Policy
from consumers.inventory.service import SERVICE
from consumers.inventory.tables import METADATA, MOVEMENT
from consumers.runtime.apply.held import headers_from
from consumers.runtime.apply.process import Applier
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.fate import Fate
from consumers.runtime.plain.batches import PlainBatches
from consumers.runtime.records import Decoded, Partition, Record
from consumers.runtime.service import Setup
from consumers.runtime.store.tables import RuntimeTables
from router.contract.event import Event
from router.contract.order import Order
from router.contract.topics import Topics
from tests.parts.contract.orders import decided, order
from tests.parts.inventory.shop import Shop, ordered, paid
from tests.parts.inventory.stories import LASTING, SKUS, TAKEN_BACK, stories
from tests.parts.templates import Templates

TABLES = RuntimeTables.of(SERVICE.schema)
PARTITION = Partition("payment", 0)
SERIAL = {TABLES.outbox.name, "movement", "history"}
"""Tables whose rows have a number, in the order in which they were inserted."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(\+00:00|Z)")

Message = Event | Order
Batches = Sequence[Sequence[Message]]
Rows = Mapping[str, Sequence[Any]]


def applier(engine: AsyncEngine, policy: Policy, *, plain: bool) -> Applier:
    """Return the inventory's applier, with or without the shorter way."""
    stored = StoredBooks(engine, SERVICE, "cluster")
    actions = SERVICE.actions(Setup(policy, Topics()))
    assert actions.plain is not None
    shorter = PlainBatches(stored, actions.plain) if plain else None
    return Applier(stored, SERVICE, actions.handle, 1000, shorter=shorter)


def records(messages: Iterable[Message], first: int, partition: Partition) -> list[Decoded]:
    """Return a record for each message, at offsets from `first` on."""
    return [
        Decoded(Record(partition, offset, 1000 + offset, b"", b"", ()), message)
        for offset, message in enumerate(messages, first)
    ]


async def apply(
    machine: Applier, batches: Batches, partition: Partition = PARTITION
) -> tuple[Counter[bool], Counter[Fate]]:
    """Apply batches; return how many were plain, and how many messages had each fate."""
    fences = await machine.fences({partition: 0})
    plain, fates = Counter[bool](), Counter[Fate]()
    for batch in batches:
        own = {partition: fences[partition]}
        done = await machine.apply(records(batch, own[partition].next_offset, partition), own)
        fences = done.fences
        plain[done.plain] += 1
        fates.update({fate: count for (_, fate), count in done.outcomes.items()})
    return plain, fates


async def rows_of(engine: AsyncEngine) -> Rows:
    """Read all rows without their moments; those with a number in their order, without it."""
    tables = [*METADATA.tables.values(), *TABLES.metadata.tables.values()]
    return {each.name: await _read(engine, each) for each in tables}


async def _read(engine: AsyncEngine, table: Table) -> Sequence[Any]:
    wanted = [each for each in table.c if table.name not in SERIAL or each.name != "id"]
    by = [table.c.id] if table.name in SERIAL else list(table.primary_key)
    query = select(*wanted).order_by(*by)
    if table is MOVEMENT:
        # The operator's setting of the stock has a random id.
        query = query.where(MOVEMENT.c.cause != "set")
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    return [{name: _shown(name, value) for name, value in row._asdict().items()} for row in rows]


def _shown(name: str, value: Any) -> object:  # noqa: ANN401 - of any column
    if isinstance(value, datetime):
        return "a moment"
    if name == "headers":
        return [each for each in headers_from(value) if each[0] != "ce_time"]
    text = value.decode() if isinstance(value, bytes) else repr(value)
    return _MOMENT.sub("a moment", text)


async def compare(
    templates: Templates, batches: Batches, policy: Policy | None = None, on_hand: int = 20
) -> Counter[Fate]:
    """Apply batches both ways, each to a separate inventory; compare all rows and fates.

    Every batch has to be plain.
    """
    found, counted = [], []
    for plain in (False, True):
        with templates.copied(SERVICE) as url:
            engine = create_async_engine(url)
            try:
                await stock_up(Shop(engine), on_hand)
                ways, fates = await apply(applier(engine, policy or Policy(), plain=plain), batches)
                found.append(await rows_of(engine))
                await Shop(engine).check_books()
            finally:
                await engine.dispose()
        assert ways == {plain: len(batches)}
        counted.append(fates)
    general, short = found
    for name, rows in general.items():
        assert short[name] == rows, name
    assert counted[0] == counted[1]
    return counted[1]


async def stock_up(shop: Shop, on_hand: int) -> None:
    """Set the quantity of every article."""
    for sku in SKUS:
        await shop.set(sku, on_hand)


VERBS = ("accept", "refuse", "return")
POLICIES: Sequence[Mapping[str, Any]] = (
    {},
    {"refunded": "return", "cancelled_after_paid": "return"},
    {"overpaid": "wait", "underpaid": "accept_within", "underpaid_tolerance": "0.5"},
    {"count_claimed": ["blockatm-main"], "paid_after_cancelled": "take"},
)


@pytest.mark.parametrize("number", range(len(POLICIES)))
async def test_any_history_leaves_the_same_rows(templates: Templates, number: int) -> None:
    random, policy = Random(number), Policy.model_validate(POLICIES[number])
    told: list[Message] = list(stories(random, 40, [*LASTING, *TAKEN_BACK]))
    told += [
        decided(
            random.choice(["accept", "refuse", "return"]), reference=f"A-{random.randrange(40)}"
        )
        for _ in range(10)
    ]
    random.shuffle(told)
    batches = []
    while told:
        size = random.randint(1, 30)
        batches.append(told[:size])
        del told[:size]
    fates = await compare(templates, batches, policy)
    assert fates[Fate.APPLIED] >= 100
    assert fates[Fate.DUPLICATE] >= 10


def payments(numbers: Iterable[int], status: str = "confirmed", **facts: Any) -> list[Message]:  # noqa: ANN401
    """Return an event about the payment of each of these orders."""
    return [paid(status, reference=f"A-{number}", **facts) for number in numbers]


async def test_updates_duplicates_and_payments_before_their_order_are_the_same(
    templates: Templates,
) -> None:
    placed: list[Message] = [ordered(number) for number in range(30)]
    pending, confirmed = payments(range(35), "pending"), payments(range(35))
    batches = [
        *(placed[:20], pending, [*confirmed[:15], *pending[:5], *confirmed[:5]]),
        *([*placed[20:], *confirmed], payments(range(10), "refunded"), placed),
        payments(range(20), "pending"),
    ]
    fates = await compare(templates, batches, on_hand=1000)
    assert fates[Fate.DUPLICATE] >= 30
    assert fates[Fate.STALE] >= 20


async def test_orders_that_name_payments_and_addresses_are_the_same(templates: Templates) -> None:
    by_id = {"provider": "blockatm", "provider_reference": "P-1"}
    placed: list[Message] = [
        order(reference="A-1", payments=[by_id]),
        order(reference="A-2", payments=[{"address": "0x1"}, {"reference": "R-2"}]),
        order(reference="A-3", payments=[{"address": "0x1"}, by_id]),
    ]
    told: list[Message] = [
        paid(reference=None, provider_reference="P-1"),
        paid(reference=None, provider_reference="P-2", to_address="0x1"),
        paid(reference="R-2", provider_reference="P-3"),
        paid(reference=None, provider_reference="P-4", amount=None),
    ]
    await compare(templates, [told[:1], placed, told])
    await compare(templates, [placed, told])
    await compare(templates, [told, placed])


async def test_amounts_and_texts_of_any_kind_are_the_same(templates: Templates) -> None:
    odd = ["'; DROP", 'a "b" \\ {c,d}', "NULL", "\u20ac \U0001f600", "{}", "$1", "\u00e9"]
    amounts = ["0.000000000000000001", "99999999999999999999", "100.50", "30", "1000", "0", "30.0"]
    placed: list[Message] = [order(reference=each, total=amounts[0]) for each in odd]
    told: list[Message] = [
        paid(amount=amount, reference=each, provider_reference=each)
        for each, amount in zip(odd, amounts, strict=True)
    ]
    await compare(templates, [placed, told])


async def test_an_event_of_the_inventory_changes_nothing_again(templates: Templates) -> None:
    with templates.copied(SERVICE) as url:
        engine = create_async_engine(url)
        try:
            shop, machine = Shop(engine), applier(engine, Policy(), plain=True)
            await stock_up(shop, 20)
            batch = [ordered(1), *payments([1])]
            await apply(machine, [batch])
            await shop.execute(f'TRUNCATE "{SERVICE.schema}"."{TABLES.seen_event.name}"')
            ways, fates = await apply(machine, [[*batch, *payments([2])]])
            assert ways == {True: 1}
            assert fates == {Fate.STALE: 2, Fate.APPLIED: 1}
            await shop.check_books()
        finally:
            await engine.dispose()


async def test_two_processes_with_the_same_orders_and_payments_sell_each_once(shop: Shop) -> None:
    await stock_up(shop, 1000)
    machine = applier(shop.engine, Policy(), plain=True)
    placed: list[Message] = [ordered(number) for number in range(60)]
    told = [payments(range(60)), payments(reversed(range(60)), "overpaid"), placed, placed[::-1]]
    done = await asyncio.gather(
        *(
            apply(machine, [batch[:30], batch[30:]], Partition("payment", number))
            for number, batch in enumerate(told)
        )
    )
    assert [ways[True] for ways, _ in done] == [2] * len(told)
    assert set((await shop.statuses()).values()) == {"committed"}
    assert (await shop.stock())["tea"] == (1000, 0, 120, 0)
    await shop.check_books()
