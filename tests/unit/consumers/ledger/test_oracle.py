"""Books and cases of random histories, in any order, are those of an independent oracle."""

import json
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from consumers.ledger.facts.position import Position, absorb, new_position
from consumers.ledger.facts.stored import facts_json, fold_json, fold_of_json, position_of
from consumers.ledger.postings import assess, implied
from router.contract.event import Event
from tests.parts.ledger.histories import histories
from tests.parts.ledger.oracle import expected
from tests.parts.ledger.told import booked, found, posted


def _by_text(amounts: dict[str, object]) -> dict[str, object]:
    return {name: amount for name, amount in amounts.items() if amount}


def _summed(events: list[Event]) -> dict[str, object]:
    """Return the books by name; accounts of one name on several networks are summed."""
    sums: dict[str, object] = {}
    for place, amount in booked(events).items():
        name = f"{place.account.name.split(':', 2)[2]} {place.currency}"
        sums[name] = sums.get(name, 0) + amount  # type: ignore[operator]
    return _by_text(sums)


@given(histories())
def test_books_and_cases_are_those_of_the_oracle(history: list[Event]) -> None:
    answer = expected(history)
    assert _summed(history) == answer.books
    assert set(found(history)) == answer.cases


@given(histories(), st.data())
def test_any_order_with_any_repeats_gives_the_same_books_and_cases(
    history: list[Event], data: st.DataObject
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(history), max_size=4))
    shuffled = data.draw(st.permutations([*history, *repeats]))
    assert posted(shuffled) == booked(history)
    assert found(shuffled) == found(history)


def _stored(position: Position) -> Position:
    """Write a position and its transfers as JSON, and read them."""
    names = ("id", "account", "provider", "family", "provider_reference", "reference", "status")
    columns = {name: getattr(position, name) for name in (*names, "rank")}
    read = position_of(columns, json.loads(json.dumps(facts_json(position))))
    folds = {
        key: fold_of_json(json.loads(json.dumps(fold_json(fold))))
        for key, fold in position.movements.items()
    }
    return changed(read, movements=folds)


@given(histories())
def test_facts_are_the_same_after_being_stored(history: list[Event]) -> None:
    position = reduce(
        lambda known, event: _stored(absorb(known, event)), history, new_position(history[0])
    )
    direct = reduce(absorb, history, new_position(history[0]))
    assert implied(position) == implied(direct)
    assert assess(position).findings == assess(direct).findings
