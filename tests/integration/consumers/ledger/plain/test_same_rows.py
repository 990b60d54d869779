"""A plain batch leaves the rows that the general way leaves, with any history."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Row, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from consumers.ledger.book import METADATA
from consumers.ledger.options import LedgerOptions
from consumers.ledger.service import SERVICE
from consumers.runtime.apply.process import Applier
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.plain.batches import PlainBatches
from consumers.runtime.records import Decoded, Partition, Record
from consumers.runtime.service import Setup
from consumers.runtime.store.tables import RuntimeTables
from router.contract.event import Event
from router.contract.topics import Topics
from tests.parts.ledger.histories import mixed
from tests.parts.ledger.told import LARGEST, told
from tests.parts.runtime.counting import written
from tests.parts.templates import Templates

TABLES = RuntimeTables.of(SERVICE.schema)
PARTITION = Partition("payment", 0)
TIMES = {"applied_at", "posted_at", "updated_at", "seen_at", "created_at"}
"""Columns with the time of the transaction."""

Rows = Mapping[str, Sequence[tuple[Any, ...]]]


def applier(engine: AsyncEngine, *, plain: bool) -> Applier:
    """Return the ledger's applier, with or without the shorter way."""
    stored = StoredBooks(engine, SERVICE, "cluster")
    actions = SERVICE.actions(Setup(LedgerOptions(), Topics()))
    assert actions.plain is not None
    shorter = PlainBatches(stored, actions.plain) if plain else None
    return Applier(stored, SERVICE, actions.handle, 1000, shorter=shorter)


def records(events: Sequence[Event], first: int = 0) -> list[Decoded]:
    """Return a record for each event, at offsets from `first` on."""
    return [
        Decoded(Record(PARTITION, offset, 1000 + offset, out.key, out.value, out.headers), event)
        for offset, event in enumerate(events, first)
        for out in [written(event)]
    ]


async def apply(machine: Applier, batches: Sequence[Sequence[Event]]) -> Counter[bool]:
    """Apply batches; return how many were plain and how many were not."""
    fences = await machine.fences({PARTITION: 0})
    plain: Counter[bool] = Counter()
    for batch in batches:
        first = fences[PARTITION].next_offset
        done = await machine.apply(records(batch, first), fences)
        fences = done.fences
        plain[done.plain] += 1
    return plain


async def rows_of(engine: AsyncEngine) -> Rows:
    """Read all rows, without times; transactions by their order, balances over all shards."""
    async with engine.connect() as connection:
        own = TABLES.metadata.tables.values()
        read = {each.name: await _read(connection, each) for each in METADATA.tables.values()}
        read |= {each.name: await _read(connection, each) for each in own}
    places = {row.id: place for place, row in enumerate(sorted(read["transaction"]))}
    shown = {name: [_shown(row, places) for row in rows] for name, rows in read.items()}
    sums = {name: _summed(read[name]) for name in ("balance", "journal_total")}
    return {name: sorted(rows, key=repr) for name, rows in {**shown, **sums}.items()}


async def _read(connection: AsyncConnection, table: Table) -> Sequence[Row[Any]]:
    wanted = [each for each in table.c if each.name not in TIMES]
    return (await connection.execute(select(*wanted))).all()


def _shown(row: Row[Any], places: Mapping[int, int]) -> tuple[Any, ...]:
    named = row._asdict()
    if "moment" in named:
        named["id"] = places[named["id"]]
    if "transaction_id" in named:
        named["transaction_id"] = places[named["transaction_id"]]
    if "headers" in named and "refused" in named:
        del named["id"]
        said = json.loads(named["value"])
        said["at"], said["data"]["transaction"] = None, places[said["data"]["transaction"]]
        named["value"] = json.dumps(said)
        named["headers"] = [each for each in json.loads(named["headers"]) if each[0] != "ce_time"]
    return tuple(named.values())


def _summed(rows: Sequence[Row[Any]]) -> list[tuple[Any, ...]]:
    sums: dict[tuple[Any, ...], list[Any]] = {}
    for row in rows:
        named = row._asdict()
        del named["shard"]
        counted = [
            named.pop(name) for name in ("amount", "transactions", "postings") if name in named
        ]
        known = sums.setdefault(tuple(named.values()), [0] * len(counted))
        known[:] = [one + more for one, more in zip(known, counted, strict=True)]
    return [(*key, *sums[key]) for key in sums]


async def compare(templates: Templates, batches: Sequence[Sequence[Event]]) -> Counter[bool]:
    """Apply batches both ways, each to a separate ledger; compare all rows."""
    found = []
    plain: Counter[bool] = Counter()
    for shorter in (False, True):
        with templates.copied(SERVICE) as url:
            engine = create_async_engine(url)
            try:
                plain = await apply(applier(engine, plain=shorter), batches)
                found.append(await rows_of(engine))
            finally:
                await engine.dispose()
    general, short = found
    for name, rows in general.items():
        assert short[name] == rows, name
    return plain


@st.composite
def told_batches(draw: st.DrawFn) -> list[list[Event]]:
    """Draw batches of the shuffled events of several payments, some of them repeated."""
    named: list[Event] = []
    for number, events in enumerate(draw(st.lists(mixed(5), min_size=2, max_size=8))):
        own = {"provider_reference": f"P-{number}", "reference": f"order of P-{number}"}
        named += [event.model_copy(update=own) for event in events]
    named = draw(st.permutations(named))
    named += draw(st.lists(st.sampled_from(named), max_size=4))
    plain = [
        told("payment.confirmed", "10", payment=f"Q-{number}", fee="1", fee_currency="USDT")
        for number in range(4)
    ]
    size = draw(st.integers(1, 9))
    return [plain, *(named[at : at + size] for at in range(0, len(named), size))]


async def test_any_history_leaves_the_same_rows(templates: Templates) -> None:
    taken: Counter[bool] = Counter()

    @settings(max_examples=12, deadline=None, database=None, derandomize=True)
    @given(told_batches())
    def each(batches: list[list[Event]]) -> None:
        taken.update(asyncio.run(compare(templates, batches)))

    await asyncio.to_thread(each)
    # Neither way may be missing.
    assert taken[True] >= 20
    assert taken[False] >= 5


def confirmed(first: int, last: int, kind: str = "payment.confirmed") -> list[Event]:
    """Return an event of each of these payments."""
    return [told(kind, "10", payment=f"P-{number}") for number in range(first, last)]


async def test_updates_duplicates_and_movements_are_plain(templates: Templates) -> None:
    pending = [told("payment.pending", payment=f"P-{number}") for number in range(30)]
    paid = confirmed(0, 30)
    refunds = [
        told("payment.refunded", payment=f"P-{n}", movement=f"m{n % 2}", movement_amount="1")
        for n in (0, 1, 1, 2)
    ]
    more = [told("payment.refunded", payment="P-1", movement="m1", movement_amount="2")]
    batches = [pending, paid, [*paid[:10], *confirmed(30, 60)], refunds, more]
    assert await compare(templates, batches) == {True: len(batches)}


async def test_amounts_keep_every_digit(templates: Templates) -> None:
    smallest = "0.000000000000000001"
    amounts = [LARGEST, smallest, "100.50", "1000", "99999999999999999999"]
    paid = [told("payment.confirmed", each, payment=f"P-{n}") for n, each in enumerate(amounts)]
    charged = told("payment.confirmed", LARGEST, payment="P-9", fee=smallest, fee_currency="USDT")
    assert await compare(templates, [paid, [charged]]) == {True: 2}


async def test_texts_of_any_kind_are_stored(templates: Templates) -> None:
    odd = ["'; DROP", 'a "b" \\ {c,d}', "NULL", "\u20ac \U0001f600", "{}", "$1"]
    paid = [
        told("payment.confirmed", "1", payment=each, reference=each, network=each) for each in odd
    ]
    assert await compare(templates, [paid]) == {True: 1}


async def test_a_case_is_left_to_the_general_handler(templates: Templates) -> None:
    lowered = told("payment.confirmed", "5", payment="P-1", at=1)
    batches = [confirmed(0, 3), [lowered], [lowered], confirmed(3, 6)]
    assert await compare(templates, batches) == {True: 3, False: 1}


async def test_an_event_in_the_journal_is_left_to_the_general_handler(ledger: AsyncEngine) -> None:
    events = confirmed(0, 3)
    machine = applier(ledger, plain=True)
    assert await apply(machine, [events]) == {True: 1}
    async with ledger.begin() as connection:
        await connection.execute(TABLES.seen_event.delete())
    assert await apply(machine, [[*events, *confirmed(3, 5)]]) == {False: 1}
    assert len((await rows_of(ledger))["transaction"]) == 5


async def test_two_processes_with_the_same_payments_book_each_once(ledger: AsyncEngine) -> None:
    one, other = confirmed(0, 40), confirmed(0, 40, "payment.overpaid")[::-1]

    async def consume(events: Sequence[Event], number: int) -> None:
        own = Partition("payment", number)
        machine = applier(ledger, plain=True)
        fences = await machine.fences({own: 0})
        batch = [Decoded(Record(own, n, n, b"", b"", ()), event) for n, event in enumerate(events)]
        await machine.apply(batch, {own: fences[own]})

    await asyncio.gather(consume(one, 0), consume(other, 1))
    rows = await rows_of(ledger)
    assert len(rows["position"]) == 40
    assert len(rows["event"]) == 80
    assert len(rows["transaction"]) == 40
