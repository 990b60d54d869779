"""Pages of cases: each begins behind the last case of the one before, and shows only own ones."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.apply.held import HeldReason
from consumers.runtime.casebook.word import SaidWord
from consumers.runtime.cases.finding import Finding
from consumers.runtime.fate import Fate
from consumers.runtime.records import Undecodable
from tests.integration.consumers.runtime.casebook.test_reading import GONE, WEIGHT, read, say
from tests.parts.runtime.counting import numbered, record
from tests.parts.runtime.parcels import LONG_AGO, TABLES, held_record, parcel


async def test_pages_by_key_show_every_case_once_held_records_too(parcels: AsyncEngine) -> None:
    for number in range(3):
        at = LONG_AGO + timedelta(minutes=number)
        await parcel(parcels, f"A-{number}", WEIGHT, GONE, at=at)
        await held_record(parcels, TABLES, record(number, numbered(number)))
    every = [each.id for each in (await read(parcels)).cases]
    assert len(every) == 9

    found, after = [], None
    while page := (await read(parcels, after=after, limit=2)).cases:
        found += [each.id for each in page]
        after = page[-1].order_of_listing

    assert found == every


async def test_pages_of_open_cases_by_age_pass_closed_ones(parcels: AsyncEngine) -> None:
    """Many cases arose at the same moment, and more of them are closed than a page looks ahead."""
    for number in range(160):
        at = LONG_AGO + timedelta(minutes=number // 40)
        await parcel(parcels, f"A-{number}", WEIGHT, at=at)
    for each in (await read(parcels)).cases[10:140]:
        await say(parcels, each, SaidWord.CLOSED)
    await held_record(parcels, TABLES, record(7, numbered(7)))
    every = [each.id for each in (await read(parcels)).cases]
    assert len(every) == 31

    found, after = [], None
    while page := (await read(parcels, after=after, limit=4, counted=False)).cases:
        found += [each.id for each in page]
        after = page[-1].order_of_listing

    assert found == every


async def test_total_counts_cases_and_records_beyond_the_limit(parcels: AsyncEngine) -> None:
    await parcel(parcels, "A-1", WEIGHT, GONE)
    for number in range(3):
        await held_record(parcels, TABLES, record(number, numbered(number)))

    found = await read(parcels, limit=2)

    assert (len(found.cases), found.total) == (2, 5)


async def test_only_cases_of_these_accounts_are_read_and_no_record_of_an_unknown_one(
    parcels: AsyncEngine,
) -> None:
    await parcel(parcels, "A-1", WEIGHT)
    await parcel(parcels, "A-2", WEIGHT, account="shop-us")
    await parcel(parcels, "A-3", Finding("parcel-heavy", {}), account=None)
    await held_record(parcels, TABLES, record(7, numbered(7)))
    unreadable = Undecodable(record(8, numbered(8)).record, "it is not JSON")
    await held_record(parcels, TABLES, unreadable, HeldReason.UNREADABLE, Fate.DEAD)

    own = await read(parcels, accounts=frozenset({"shop-eu"}))

    assert sorted(str(each.reference) for each in own.cases) == ["A-1", "A-7"]
    assert (await read(parcels, accounts=frozenset())).cases == []
    assert (await read(parcels)).total == 5
