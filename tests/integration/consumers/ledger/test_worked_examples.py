"""Events post exactly the lines shown in docs/ledger.md."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.service import SERVICE
from consumers.ledger.statement import Selection, read_statement
from router.contract.event import EventType
from tests.parts.ledger.bookkeeping import applied
from tests.parts.ledger.worked_examples import PAGE, Example, Row, examples, posted_rows
from tests.parts.ledger.worked_examples import of_account as given_to

EXAMPLES = examples()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_posts_the_lines_of_its_table(name: str) -> None:
    example = EXAMPLES[name]
    assert posted_rows(example.events) == list(example.rows)


def test_there_is_an_example_for_every_type_of_event_the_ledger_reads() -> None:
    read = {each for each in EventType if each.family in SERVICE.topics}
    shown = {event.type for example in EXAMPLES.values() for event in example.events}
    assert shown == read
    assert {name.partition(",")[0] for name in EXAMPLES} == {each.value for each in read}


def test_the_page_names_the_types_that_are_not_read() -> None:
    others = [each for each in EventType if each.family not in SERVICE.topics]
    text = PAGE.read_text(encoding="utf-8")
    section = text.partition("## Subscriptions\n")[2].partition("\n## ")[0]
    assert [each for each in others if f"`{each.value}`" not in section] == []
    assert "are not read" in section


def test_every_purpose_of_the_chart_is_explained_and_posted_to_in_an_example() -> None:
    from consumers.ledger.chart import Purpose  # noqa: PLC0415 - what this test alone is about

    text = PAGE.read_text(encoding="utf-8").partition("## What is booked")[0]
    assert [each for each in Purpose if f"`{each.value}`" not in text] == []
    posted = {row[1].split(":")[2] for example in EXAMPLES.values() for row in example.rows}
    assert posted == {each.value for each in Purpose}


async def test_the_database_contains_the_lines_of_the_tables(ledger: AsyncEngine) -> None:
    for number, example in enumerate(EXAMPLES.values()):
        account = f"example-{number}"
        events = [given_to(event, account, uuid4()) for event in example.events]
        await applied(ledger, *events)
        wanted = [_moved(row, account) for row in example.rows]
        assert await _stored(ledger, account, [event.id for event in events]) == wanted, example


async def _stored(ledger: AsyncEngine, account: str, ids: Sequence[object]) -> list[Row]:
    async with ledger.connect() as connection:
        shown = await read_statement(connection, Selection(account=account))
    return [
        (
            str(ids.index(transaction.event_id) + 1),
            line.account,
            line.network or "",
            line.currency,
            str(line.amount),
        )
        for transaction in shown
        for line in transaction.lines
    ]


def _moved(row: Row, account: str) -> Row:
    number, name, network, currency, amount = row
    return (number, name.replace("shop-eu", account, 1), network, currency, str(Decimal(amount)))


def test_an_example_is_parsed_completely() -> None:
    example = EXAMPLES["payment.underpaid, then the rest"]
    assert isinstance(example, Example)
    assert [row[0] for row in example.rows] == ["1", "1", "2", "2", "2"]
