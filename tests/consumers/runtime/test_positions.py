"""Where to read on, from the fence and the bounds of the log; and what halts instead."""

import pytest

from consumers.runtime.failures import HaltReason
from consumers.runtime.offsets import Fence, LastApplied
from consumers.runtime.positions import (
    Halt,
    Place,
    Positions,
    same_as_applied,
    start_at,
    what_to_do,
)
from consumers.runtime.records import Partition
from tests.consumers.runtime.counting import PAYMENT_0, numbered, record

PAYMENT_1 = Partition("payment", 1)
LAST = LastApplied(9, 1009, 7)


def fence(next_offset: int, last: LastApplied | None = None) -> Fence:
    return Fence(PAYMENT_0, 0, next_offset, last)


def place() -> Place:
    return Place(fence(3), None)


@pytest.mark.parametrize(
    ("last", "begin", "end", "offset", "compare"),
    [
        (None, 0, 20, 10, None),
        (LAST, 0, 20, 9, LAST),
        (LAST, 0, 10, 9, LAST),  # nothing new yet: the last one is read again all the same
        (LAST, 9, 20, 9, LAST),
        (LAST, 10, 20, 10, None),  # the log no longer has it
        (LAST, 10, 10, 10, None),
        (LastApplied(7, 1007, 7), 0, 20, 7, LastApplied(7, 1007, 7)),  # gaps were passed behind it
        (LastApplied(7, 1007, 7), 8, 20, 10, None),
    ],
)
def test_reading_goes_on_at_the_last_applied_record_where_the_log_has_it(
    last: LastApplied | None, begin: int, end: int, offset: int, compare: LastApplied | None
) -> None:
    start = start_at(fence(10, last), begin, end)
    assert (start.offset, start.place.compare) == (offset, compare)
    assert start.place.fence == fence(10, last)


def test_a_log_that_ends_before_the_fence_halts() -> None:
    with pytest.raises(Halt) as halt:
        start_at(fence(10, LAST), 0, 9)
    assert halt.value.reason is HaltReason.BEYOND_END
    assert "10 is to be applied next, but the log ends at 9" in halt.value.detail


def test_a_log_that_begins_behind_the_fence_halts_and_says_how_much_is_gone() -> None:
    with pytest.raises(Halt) as halt:
        start_at(fence(10, LAST), 14, 20)
    assert halt.value.reason is HaltReason.BEFORE_START
    assert "4 offsets were deleted before they were applied" in halt.value.detail


def test_a_halt_names_the_partition_and_the_command_that_mends_it() -> None:
    with pytest.raises(Halt, match=r"^payment-0 halted: ") as halt:
        start_at(fence(10), 0, 9)
    said = what_to_do(halt.value, "ledger")
    assert "`payrouter offsets show ledger`" in said
    assert "`payrouter offsets reset ledger --topic payment --partition 0 --to earliest`" in said


def test_a_halt_for_what_is_no_matter_of_offsets_names_what_is() -> None:
    too_new = Halt(PAYMENT_0, HaltReason.TOO_NEW, "offset 3")
    assert "Upgrade payrouter" in what_to_do(too_new, "ledger")
    not_held = Halt(PAYMENT_0, HaltReason.NOT_HELD, "offset 3", 3)
    reset = "`payrouter offsets reset ledger --topic payment --partition 0 --to"
    assert what_to_do(not_held, "ledger") == (
        f"Mend the database; then {reset} 3` has it tried again, {reset} 4` gives it up."
    )


def test_the_last_applied_record_is_known_again() -> None:
    there = record(9, numbered(1)).record
    same_as_applied(there, LastApplied(9, there.timestamp, there.crc))


@pytest.mark.parametrize("field", ["timestamp", "crc"])
def test_another_record_in_the_place_of_the_last_applied_one_halts(field: str) -> None:
    there = record(9, numbered(1)).record
    facts = {"timestamp": there.timestamp, "crc": there.crc}
    facts[field] += 1
    with pytest.raises(Halt) as halt:
        same_as_applied(there, LastApplied(9, **facts))
    assert halt.value.reason is HaltReason.OTHER_RECORD


def test_a_record_behind_the_last_applied_one_proves_nothing() -> None:
    same_as_applied(record(10, numbered(1)).record, LAST)


def test_an_assignment_leaves_nothing_positioned() -> None:
    positions = Positions()
    positions.assign({PAYMENT_0, PAYMENT_1})
    positions.place(PAYMENT_0, place())
    positions.assign({PAYMENT_0})
    assert positions.unpositioned == {PAYMENT_0}
    assert positions.placed == {}


def test_a_place_dropped_is_to_be_found_anew() -> None:
    positions = Positions()
    positions.assign({PAYMENT_0})
    positions.place(PAYMENT_0, place())
    assert positions.unpositioned == set()
    positions.unplace(PAYMENT_0)
    assert positions.unpositioned == {PAYMENT_0}


def test_a_halted_partition_stays_assigned_and_is_not_placed_anew() -> None:
    positions = Positions()
    positions.assign({PAYMENT_0, PAYMENT_1})
    positions.place(PAYMENT_0, place())
    positions.halt(Halt(PAYMENT_0, HaltReason.NOT_HELD, "offset 3: ValueError"))
    positions.unplace(PAYMENT_0)
    assert positions.unpositioned == {PAYMENT_1}
    assert set(positions.halted) == {PAYMENT_0}
    assert positions.assigned == {PAYMENT_0, PAYMENT_1}


def test_a_halted_partition_that_was_mended_is_placed_anew() -> None:
    positions = Positions()
    positions.assign({PAYMENT_0})
    positions.halt(Halt(PAYMENT_0, HaltReason.BEYOND_END, "offset 3"))
    positions.release(PAYMENT_0)
    assert positions.unpositioned == {PAYMENT_0}
    assert positions.halted == {}
    positions.release(PAYMENT_1)
    assert positions.assigned == {PAYMENT_0}


def test_a_partition_that_went_cannot_halt_or_come_back() -> None:
    positions = Positions()
    positions.assign({PAYMENT_0})
    positions.revoke()
    positions.halt(Halt(PAYMENT_0, HaltReason.NOT_HELD, "too late"))
    positions.unplace(PAYMENT_0)
    assert positions.assigned == set()
