"""Random histories of a payment: every change of a fact is news once, in any order of arrival."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from operator import itemgetter
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.notifications.changes.subjects import (
    SubjectBatch,
    SubjectChange,
    new_movement,
    new_subject,
    plan_changes,
)
from consumers.notifications.rules import Rule, intents, message_id
from router.contract.event import Event, EventType
from tests.parts.notifications.desk import rule, told
from tests.parts.notifications.oracle import news_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TYPES = [each.value for each in EventType if each.family == "payment"]
RECEIVED = ["payment.underpaid", "payment.confirmed", "payment.overpaid", "payment.reversed"]
ATTEMPTS = ["payment.pending", "payment.failed", "payment.expired", "payment.confirmed"]
REFUNDS = ["payment.refunded", "payment.refund_failed"]
DISPUTES = ["payment.disputed", "payment.dispute_returned", "payment.confirmed"]
AMOUNTS = st.sampled_from([None, "10", "20", "30", "30.0"])


@st.composite
def events(draw: st.DrawFn, types: Sequence[str]) -> Event:
    movement = draw(st.sampled_from([None, "re_1", "re_2"]))
    facts: dict[str, Any] = {
        "amount": draw(AMOUNTS),
        "currency": draw(st.sampled_from(["USDT", "USDT", "USDT", "EUR"])),
        "movement": movement,
        "movement_amount": draw(AMOUNTS) if movement else None,
        "amount_claimed": draw(st.sampled_from([None, None, True])),
        "received_at": NOON + timedelta(minutes=draw(st.integers(0, 3))),
    }
    return told(draw(st.sampled_from(types)), **facts)


def stories(most: int = 8) -> st.SearchStrategy[list[Event]]:
    """Make stories about one kind of money or about all, so that reports of one kind meet."""
    about = st.sampled_from([RECEIVED, ATTEMPTS, REFUNDS, DISPUTES, TYPES])
    return about.flatmap(lambda types: st.lists(events(types), max_size=most))


def played(story: Sequence[Event], sizes: Sequence[int] = ()) -> tuple[list[SubjectChange], str]:
    """Apply a story in batches of these sizes; return the changes, and all facts afterwards."""
    batch = SubjectBatch({}, {})
    changes: list[SubjectChange] = []
    rest, sizes = list(story), list(sizes)
    while rest:
        size = sizes.pop() if sizes else len(rest)
        some, rest = rest[:size], rest[size:]
        named = {each.id: each for each in map(new_movement, some) if each is not None}
        subjects = {each.id: each for each in map(new_subject, some)}
        batch = SubjectBatch({**subjects, **batch.subjects}, {**named, **batch.movements})
        made, batch = plan_changes(batch, some)
        changes += made
    stored = [*batch.subjects.items(), *batch.movements.items()]
    facts = [row for _, row in sorted(stored, key=itemgetter(0))]
    return changes, str(facts)


@settings(max_examples=500)
@given(stories())
def test_an_event_is_news_exactly_if_a_fact_grows(story: list[Event]) -> None:
    changes, _ = played(story)
    expected = [news_of(story[:number], event) for number, event in enumerate(story)]
    assert [list(change.kinds) for change in changes] == expected


@given(st.data())
def test_the_facts_do_not_depend_on_the_order_or_on_batches(data: st.DataObject) -> None:
    story = data.draw(stories())
    other = data.draw(st.permutations(story))
    sizes = data.draw(st.lists(st.integers(1, 3)))
    assert played(story)[1] == played(other, sizes)[1]


@given(stories(), st.data())
def test_a_report_that_arrives_again_in_another_event_adds_nothing(
    story: list[Event], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(story), max_size=4)) if story else []
    repeats = [each.model_copy(update={"id": uuid4()}) for each in again]
    changes, _ = played([*story, *repeats])
    assert [list(change.kinds) for change in changes[len(story) :]] == [[]] * len(repeats)


@given(stories(), st.lists(st.sampled_from(["customer", "on-call"]), min_size=1))
def test_at_most_one_message_per_event_channel_and_recipient(
    story: list[Event], recipients: list[str]
) -> None:
    written = [rule("payment.*", to, "hook", "log") for to in recipients]
    rules = [Rule.model_validate(each) for each in written]
    changes, _ = played(story)
    made: list[UUID] = [
        message_id(change.cause.id, intent.channel, intent.recipient)
        for change in changes
        for intent in intents(rules, change.kinds)
    ]
    assert len(made) == len(set(made))


@given(st.permutations(range(4)))
def test_the_last_refund_message_has_the_total_in_every_order(order: list[int]) -> None:
    refunds = [
        told("payment.refunded", amount=None, movement="re_1", movement_amount="30"),
        told("payment.refunded", amount="30"),
        told("payment.refunded", amount=None, movement="re_2", movement_amount="20"),
        told("payment.refunded", amount="50"),
    ]
    changes, _ = played([refunds[each] for each in order])
    totals = [change.total for change in changes if change.kinds]
    assert totals[-1] == 50
    assert all(first < second for first, second in pairwise(totals) if first and second)


def test_ten_thousand_refunds_of_one_payment_are_applied_in_seconds() -> None:
    story = [
        told("payment.refunded", amount=None, movement=f"re_{n}", movement_amount="0.01")
        for n in range(10_000)
    ]
    changes, _ = played(story)
    assert str(changes[-1].total) in {"100.00", "100"}
    assert all(change.kinds for change in changes)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_batches_of_any_size_cause_the_same_messages(size: int) -> None:
    story = [
        told("payment.confirmed", amount="100"),
        told("payment.refunded", amount=None, movement="re_1", movement_amount="30"),
        told("payment.refund_failed", amount=None, movement="re_1"),
        told("payment.refunded", amount=None, movement="re_2", movement_amount="30"),
        told("payment.failed"),
    ]
    whole = [change.kinds for change in played(story)[0]]
    assert [change.kinds for change in played(story, [size] * 5)[0]] == whole
