"""A record held by several consumers is one case."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from consumers.runtime.casebook.entry import entries_named, entries_of
from consumers.runtime.casebook.stored_case import StoredCase
from consumers.runtime.cases.held_kinds import DEAD_RECORD, PARKED_RECORD

MOMENT = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)

IN_LEDGER = StoredCase(
    consumer="ledger",
    id="aaaa00000001",
    kind=DEAD_RECORD,
    subject="payment-0@7#1",
    account="shop-eu",
    reference="A-7",
    provider="blockatm",
    provider_reference="7",
    digest="d1",
    since=MOMENT,
    facts={"number": "1"},
    closed=False,
    held=1,
)
IN_INVENTORY = replace(
    IN_LEDGER, consumer="inventory", id="bbbb00000002", since=MOMENT - timedelta(hours=1)
)
PARKED = replace(IN_LEDGER, consumer="notifications", id="cccc00000003", kind=PARKED_RECORD)


def test_same_record_of_two_consumers_is_one_entry_with_both() -> None:
    together, parked = entries_of([IN_LEDGER, IN_INVENTORY, PARKED])

    assert together.consumers == ["ledger", "inventory"]
    assert together.since == IN_INVENTORY.since
    assert parked.id == PARKED.id
    assert together.id not in {IN_LEDGER.id, IN_INVENTORY.id}
    assert together.as_json(MOMENT)["age_seconds"] == 3600


def test_id_of_several_consumers_does_not_depend_on_their_order() -> None:
    (one,) = entries_of([IN_LEDGER, IN_INVENTORY])
    (other,) = entries_of([IN_INVENTORY, IN_LEDGER])

    assert one.id == other.id


def test_entry_is_closed_once_every_consumer_has_it_closed() -> None:
    closed = replace(IN_LEDGER, closed=True)

    assert not entries_of([closed, IN_INVENTORY])[0].closed
    assert entries_of([closed, replace(IN_INVENTORY, closed=True)])[0].closed


def test_entry_is_found_by_its_own_id_and_by_that_of_one_consumer() -> None:
    cases = [IN_LEDGER, IN_INVENTORY]
    (together,) = entries_of(cases)

    assert entries_named(cases, together.id[:6]) == [together]
    assert [each.consumers for each in entries_named(cases, "aaaa")] == [["ledger"]]
    assert entries_named(cases, "ffff") == []
