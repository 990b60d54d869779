"""Cases are read from the rows that carry them, from queries by age, and from held records."""

from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.apply.held import HeldReason
from consumers.runtime.casebook.count import count_cases
from consumers.runtime.casebook.reading import CaseFilter, FoundCases, read_cases
from consumers.runtime.casebook.statement import case_statement
from consumers.runtime.casebook.stored_case import StoredCase
from consumers.runtime.casebook.word import NewWord, SaidWord, write_words
from consumers.runtime.cases.finding import Finding
from consumers.runtime.cases.held_kinds import (
    CONFLICTING_RECORD,
    DEAD_RECORD,
    PARKED_GRACE,
    PARKED_RECORD,
)
from consumers.runtime.configured import Consumer
from consumers.runtime.fate import Fate
from consumers.runtime.settings import ConsumerSettings, Tuning
from router.contract.topics import Topics
from tests.parts.connections import connection_to
from tests.parts.runtime.counting import id_of, numbered, record
from tests.parts.runtime.parcels import (
    HEAVY,
    LONG_AGO,
    LOST,
    NOW,
    SERVICE,
    TABLES,
    WAITING,
    age_held,
    held_record,
    parcel,
)

WEIGHT = Finding("parcel-heavy", {"weight": "40 kg"})
GONE = Finding("parcel-lost", {"last seen": "Bremen"})


def consumer() -> Consumer:
    settings = ConsumerSettings("parcels", connection_to(), SecretStr(""), Topics(), Tuning())
    return Consumer(SERVICE, settings)


async def read(engine: AsyncEngine, **wanted: object) -> FoundCases:
    async with engine.connect() as connection:
        return await read_cases(connection, consumer(), CaseFilter(**wanted))  # type: ignore[arg-type] # of many types


async def kinds(engine: AsyncEngine, **wanted: object) -> list[str]:
    return [each.kind.name for each in (await read(engine, **wanted)).cases]


async def say(engine: AsyncEngine, about: StoredCase, word: SaidWord) -> None:
    said = NewWord(
        about.kind.name,
        about.subject,
        about.digest,
        about.id,
        word,
        "the gateway has corrected it",
        "me@here",
        about.facts,
    )
    async with engine.begin() as connection:
        await write_words(connection, TABLES, [said])


async def test_case_of_a_row_is_read_with_its_subject_and_facts(parcels: AsyncEngine) -> None:
    await parcel(parcels, "A-1", WEIGHT)
    await parcel(parcels, "A-2")

    (found,) = (await read(parcels)).cases

    assert found.kind == HEAVY
    assert (found.consumer, found.subject, found.order) == ("parcels", "A-1", ("shop-eu", "A-1"))
    assert (found.provider, found.provider_reference) == ("blockatm", "pay-A-1")
    assert (found.since, found.facts) == (LONG_AGO, {"weight": "40 kg"})
    assert found.digest == WEIGHT.digest
    assert not found.closed


async def test_row_with_a_json_null_has_no_case(parcels: AsyncEngine) -> None:
    await parcel(parcels, "A-1", WEIGHT)
    async with parcels.begin() as connection:
        await connection.exec_driver_sql("UPDATE parcels.parcel SET cases = 'null'::jsonb")

    assert (await read(parcels)).total == 0


async def test_undeclared_kind_is_shown_as_urgent_and_not_dropped(parcels: AsyncEngine) -> None:
    await parcel(parcels, "A-1", Finding("parcel-wet", {}))

    (found,) = (await read(parcels)).cases

    assert (found.kind.name, found.kind.severity.value) == ("parcel-wet", "page")
    assert "does not know" in found.kind.meaning


async def test_row_is_a_case_by_age_only_after_its_grace_time(parcels: AsyncEngine) -> None:
    await parcel(parcels, "A-1", waits_since=LONG_AGO)
    async with parcels.begin() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO parcels.parcel (id, waits_since) VALUES ('A-2', now() - interval '59 min')"
        )

    (found,) = (await read(parcels)).cases

    assert (found.kind, found.subject, found.facts) == (WAITING, "A-1", {"parcel": "A-1"})


async def test_dead_and_conflicting_records_are_cases_with_the_order_of_their_event(
    parcels: AsyncEngine,
) -> None:
    await held_record(parcels, TABLES, record(7, numbered(7)))
    await held_record(parcels, TABLES, record(8, numbered(8)), HeldReason.CONFLICT)

    dead, conflicting = (await read(parcels)).cases

    assert (dead.kind, conflicting.kind) == (DEAD_RECORD, CONFLICTING_RECORD)
    assert dead.order == ("shop-eu", "A-7")
    assert dead.facts == {
        "record": "payment-0@7",
        "number": "1",
        "reason": "poison",
        "event": str(id_of(7)),
        "error": "ValueError: poison",
    }
    assert await kinds(parcels, order="A-8") == [CONFLICTING_RECORD.name]
    assert await kinds(parcels, account="another") == []


async def test_parked_record_is_a_case_after_a_while_and_those_behind_it_are_not(
    parcels: AsyncEngine,
) -> None:
    await held_record(parcels, TABLES, record(7, numbered(7)), HeldReason.FAILED, Fate.PARKED)
    await held_record(parcels, TABLES, record(8, numbered(7)), HeldReason.BEHIND, Fate.PARKED)
    await age_held(parcels, TABLES, PARKED_GRACE - timedelta(minutes=1))
    assert await kinds(parcels) == []

    await age_held(parcels, TABLES, timedelta(minutes=2))

    assert await kinds(parcels) == [PARKED_RECORD.name]


async def test_cases_are_filtered_and_limited_oldest_first(parcels: AsyncEngine) -> None:
    await parcel(parcels, "A-1", WEIGHT, GONE)
    await parcel(parcels, "A-2", GONE, at=NOW, account="shop-us")
    await parcel(parcels, "A-3", GONE, at=LONG_AGO - timedelta(days=1))

    async def subjects(**wanted: object) -> list[str]:
        return [each.subject for each in (await read(parcels, **wanted)).cases]

    assert await subjects(kinds=[LOST.name]) == ["A-3", "A-1", "A-2"]
    assert await subjects(account="shop-us") == ["A-2"]
    assert await subjects(order="A-1", kinds=[HEAVY.name]) == ["A-1"]
    assert await subjects(order="pay-A-3") == ["A-3"]
    assert await subjects(orders=[("shop-us", "A-2"), ("shop-eu", "A-2")]) == ["A-2"]
    assert await subjects(names=["pay-A-3", "A-2"]) == ["A-3", "A-2"]
    first = (await read(parcels)).cases[0]
    assert await subjects(id_prefix=first.id[:6]) == [first.subject]
    limited = await read(parcels, limit=1)
    assert ([each.subject for each in limited.cases], limited.total) == (["A-3"], 4)


async def test_age_filter_compares_with_the_clock_of_the_database(parcels: AsyncEngine) -> None:
    await parcel(parcels, "A-1", GONE)

    assert await kinds(parcels, older_than=timedelta(seconds=1)) == [LOST.name]
    assert await kinds(parcels, older_than=timedelta(days=36500)) == []


async def test_closing_word_holds_until_the_facts_change(parcels: AsyncEngine) -> None:
    await parcel(parcels, "A-1", WEIGHT)
    (found,) = (await read(parcels)).cases
    await say(parcels, found, SaidWord.CLOSED)
    await say(parcels, found, SaidWord.NOTE)
    assert await kinds(parcels) == []
    assert await kinds(parcels, closed=True) == [HEAVY.name]

    await parcel(parcels, "A-1", Finding("parcel-heavy", {"weight": "50 kg"}))
    assert await kinds(parcels) == [HEAVY.name]

    await parcel(parcels, "A-1", WEIGHT)
    assert await kinds(parcels) == []


async def test_reopened_case_is_open_again(parcels: AsyncEngine) -> None:
    await parcel(parcels, "A-1", WEIGHT)
    (found,) = (await read(parcels)).cases
    await say(parcels, found, SaidWord.CLOSED)
    await say(parcels, found, SaidWord.REOPENED)

    assert await kinds(parcels) == [HEAVY.name]


async def test_closed_record_that_dies_again_is_open(parcels: AsyncEngine) -> None:
    await held_record(parcels, TABLES, record(7, numbered(7)))
    (found,) = (await read(parcels)).cases
    await say(parcels, found, SaidWord.CLOSED)
    assert await kinds(parcels) == []

    async with parcels.begin() as connection:
        await connection.exec_driver_sql(
            "UPDATE parcels.held SET last_failed_at = last_failed_at + interval '1 second'"
        )

    assert await kinds(parcels) == [DEAD_RECORD.name]


async def test_words_about_cases_cannot_be_changed_or_deleted(parcels: AsyncEngine) -> None:
    await parcel(parcels, "A-1", WEIGHT)
    await say(parcels, (await read(parcels)).cases[0], SaidWord.CLOSED)

    for change in ("UPDATE {} SET reason = 'none'", "DELETE FROM {}", "TRUNCATE {}"):
        with pytest.raises(Exception, match="append-only"):
            async with parcels.begin() as connection:
                await connection.exec_driver_sql(change.format("parcels.case_word"))


async def test_open_cases_are_counted_by_kind_with_the_age_of_the_oldest(
    parcels: AsyncEngine,
) -> None:
    await parcel(parcels, "A-1", WEIGHT, GONE)
    await parcel(parcels, "A-2", GONE)
    (heavy,) = (await read(parcels, kinds=[HEAVY.name])).cases
    await say(parcels, heavy, SaidWord.CLOSED)

    async with parcels.connect() as connection:
        counted = await count_cases(connection, SERVICE, TABLES)

    assert counted.keys() == {LOST}
    assert counted[LOST].open == 2
    assert counted[LOST].oldest_seconds > 1


async def test_cases_of_rows_are_found_by_the_partial_index(parcels: AsyncEngine) -> None:
    async with parcels.begin() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO parcels.parcel (id) SELECT n::text FROM generate_series(1, 20000) n"
        )
        await connection.exec_driver_sql("ANALYZE parcels.parcel")
    await parcel(parcels, "A-1", WEIGHT)

    assert (await read(parcels)).total == 1
    assert await _plans_with(parcels, "parcel_cases")


async def _plans_with(engine: AsyncEngine, index: str) -> bool:
    compiled = (
        case_statement(SERVICE, TABLES)
        .select()
        .compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True})
    )
    async with engine.connect() as connection:
        rows = await connection.exec_driver_sql(f"EXPLAIN {compiled}")
        return any(index in row[0] for row in rows)
