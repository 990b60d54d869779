"""Events post exactly the lines shown in docs/ledger.md."""

import pytest

from consumers.ledger.service import SERVICE
from router.contract.event import EventType
from tests.parts.ledger.worked_examples import (
    PAGE,
    Example,
    examples,
    posted_rows,
    transfer_example,
)

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
    posted |= {row[1].split(":")[2] for row in transfer_example().rows}
    assert posted == {each.value for each in Purpose}


def test_an_example_is_parsed_completely() -> None:
    example = EXAMPLES["payment.underpaid, then the rest"]
    assert isinstance(example, Example)
    assert [row[0] for row in example.rows] == ["1", "1", "2", "2", "2"]
