"""Start offset from the fence and the bounds of the log, or a halt instead."""

from dataclasses import replace
from uuid import UUID

import pytest

from consumers.runtime.apply.failures import HaltReason, describe
from consumers.runtime.apply.offsets import Fence, LastApplied
from consumers.runtime.member.halts import Halt, other_cluster, records_missing, remedy
from consumers.runtime.member.partition import FenceSet, Found, Placed, Read, Stopped
from consumers.runtime.member.placing import LogUnknown, halt_if_other_topic, start_at
from consumers.runtime.member.positions import Positions
from consumers.runtime.member.reading import decode_until_halt, gaps_before, halt_if_replaced
from consumers.runtime.records import Partition
from router.broker.log.bounds import LogBounds
from router.broker.topics.ids import MISSING, PartitionSeen, TopicSeen
from tests.parts.runtime.counting import PAYMENT_0, numbered, record

PAYMENT_1 = Partition("payment", 1)
LAST = LastApplied(9, 1009, 7)


def fence(next_offset: int, last: LastApplied | None = None) -> Fence:
    return Fence(PAYMENT_0, 0, next_offset, last)


FOUND = Found(fence(3), 3)


def bounds(begin: int, end: int) -> LogBounds:
    return LogBounds(begin, end, end)


@pytest.mark.parametrize(
    ("last", "begin", "end", "offset", "compare"),
    [
        (None, 0, 20, 10, None),
        (LAST, 0, 20, 9, LAST),
        (LAST, 0, 10, 9, LAST),  # nothing new yet: the last one is still read again
        (LAST, 9, 20, 9, LAST),
        (LAST, 10, 20, 10, None),  # the log no longer has it
        (LAST, 10, 10, 10, None),
        (LastApplied(7, 1007, 7), 0, 20, 7, LastApplied(7, 1007, 7)),  # gaps were passed after it
        (LastApplied(7, 1007, 7), 8, 20, 10, None),
    ],
)
def test_reading_starts_at_the_last_applied_record_if_the_log_has_it(
    last: LastApplied | None, begin: int, end: int, offset: int, compare: LastApplied | None
) -> None:
    found = start_at(fence(10, last), bounds(begin, end))
    assert (found.offset, found.compare) == (offset, compare)
    assert found.fence == fence(10, last)


def test_log_that_ends_below_the_fence_halts() -> None:
    with pytest.raises(Halt) as halt:
        start_at(fence(10, LAST), bounds(0, 9))
    assert halt.value.reason is HaltReason.BEYOND_END
    assert "the next offset to apply is 10, but the log ends at 9" in halt.value.detail


def test_log_that_begins_above_the_fence_halts_with_the_number_of_lost_offsets() -> None:
    with pytest.raises(Halt) as halt:
        start_at(fence(10, LAST), bounds(14, 20))
    assert halt.value.reason is HaltReason.BEFORE_START
    assert "4 offsets were deleted before they were applied" in halt.value.detail


def test_halt_names_the_partition_and_the_command_that_resolves_it() -> None:
    with pytest.raises(Halt, match=r"^payment-0 halted: ") as halt:
        start_at(fence(10), bounds(0, 9))
    said = remedy(halt.value, "ledger")
    assert "`payrouter offsets show ledger`" in said
    assert "`payrouter offsets reset ledger --topic payment --partition 0 --to earliest`" in said


def test_halt_that_no_offset_resolves_names_the_remedy() -> None:
    too_new = Halt(PAYMENT_0, HaltReason.TOO_NEW, "offset 3")
    assert "Upgrade payrouter" in remedy(too_new, "ledger")
    missing = records_missing(PAYMENT_0, range(3, 9), 12)
    assert "no records at the offsets 3 to 8 (6 of them)" in missing.detail
    reset = "`payrouter offsets reset ledger --topic payment --partition 0 --to 12`"
    assert f"{reset} accepts that they are missing" in remedy(missing, "ledger")


@pytest.mark.parametrize("reason", HaltReason)
def test_no_remedy_gives_up_records_that_could_still_be_applied(reason: HaltReason) -> None:
    said = remedy(Halt(PAYMENT_0, reason, "", 12), "ledger")
    assert "`payrouter " in said
    assert "latest" not in said


OLD, NEW = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(("known", "now"), [(None, NEW), (OLD, None), (OLD, OLD), (None, None)])
def test_topic_counts_as_the_same_if_an_id_is_unknown(known: UUID | None, now: UUID | None) -> None:
    halt_if_other_topic(replace(fence(10), topic_id=known), now)


def test_topic_with_a_different_id_halts() -> None:
    with pytest.raises(Halt, match="deleted and recreated") as halt:
        halt_if_other_topic(replace(fence(10), topic_id=OLD), NEW)
    assert halt.value.reason is HaltReason.OTHER_LOG


def seen(topic_id: UUID | None, epoch: int | None, error: str | None = None) -> TopicSeen:
    there = PartitionSeen(1, epoch, frozenset({1}), frozenset({1}))
    return TopicSeen("payment", topic_id, error, {0: there}, granted=None)


@pytest.mark.parametrize(
    ("topic", "same"),
    [
        (seen(OLD, 4), True),
        (seen(OLD, 5), False),  # a new leader may have truncated applied records
        (seen(OLD, None), True),
        (seen(None, None), True),
        (seen(OLD, 3), False),
        (seen(NEW, 4), False),
        (seen(None, None, "UNKNOWN_TOPIC_OR_PARTITION"), False),
    ],
)
def test_placement_is_invalid_once_topic_id_or_epoch_has_changed(
    topic: TopicSeen, *, same: bool
) -> None:
    assert Placed(fence(3), None, 3, OLD, 4).is_of(topic) is same


@pytest.mark.parametrize(
    ("next_offset", "reads", "offsets", "gaps"),
    [
        (3, 3, [3, 4, 5], []),
        (3, 3, [5, 6], [range(3, 5)]),
        (3, 3, [3, 7, 9], [range(4, 7), range(8, 9)]),
        (3, 2, [2, 3], []),  # the last applied record again
        (9, 2, [5, 6, 9], []),  # the missing offsets were already applied
        (9, 2, [5, 12], [range(9, 12)]),
    ],
)
def test_gap_is_a_range_without_records_at_or_above_the_fence(
    next_offset: int, reads: int, offsets: list[int], gaps: list[range]
) -> None:
    messages = [record(offset, numbered(offset)).record for offset in offsets]
    assert gaps_before(Placed(fence(next_offset), None, reads), messages) == gaps


def test_records_before_an_unexplained_gap_are_applied_and_none_after_it() -> None:
    given = [record(offset, numbered(offset)) for offset in (3, 4, 9)]
    by_offset = {each.record.offset: each for each in given}
    records = [each.record for each in given]
    arrived, halt = decode_until_halt(
        Placed(fence(3), None, 3), records, lambda r: by_offset[r.offset], [range(5, 8)]
    )
    assert [each.record.offset for each in arrived] == [3, 4]
    assert halt is not None
    assert (halt.reason, halt.resume_at) == (HaltReason.RECORDS_MISSING, 9)


def test_last_applied_record_is_recognized() -> None:
    there = record(9, numbered(1)).record
    halt_if_replaced(there, LastApplied(9, there.timestamp, there.crc))


@pytest.mark.parametrize("field", ["timestamp", "crc"])
def test_different_record_at_the_last_applied_offset_halts(field: str) -> None:
    there = record(9, numbered(1)).record
    facts = {"timestamp": there.timestamp, "crc": there.crc}
    facts[field] += 1
    with pytest.raises(Halt) as halt:
        halt_if_replaced(there, LastApplied(9, **facts))
    assert halt.value.reason is HaltReason.OTHER_RECORD


def test_record_after_the_last_applied_one_is_not_compared() -> None:
    halt_if_replaced(record(10, numbered(1)).record, LAST)


def test_assignment_leaves_nothing_placed() -> None:
    positions = Positions()
    positions.assign({PAYMENT_0, PAYMENT_1})
    positions.send(PAYMENT_0, FOUND)
    positions.assign({PAYMENT_0})
    assert positions.unpositioned == {PAYMENT_0}
    assert positions.placed == {}


def test_dropped_partition_is_unplaced_and_keeps_its_fence() -> None:
    positions = Positions()
    positions.assign({PAYMENT_0})
    positions.send(PAYMENT_0, FOUND)
    assert positions.unpositioned == set()
    positions.drop([PAYMENT_0])
    assert positions.unpositioned == {PAYMENT_0}
    assert positions.fences == {PAYMENT_0: fence(3)}


def test_partition_waits_until_due_and_reports_the_problem() -> None:
    positions = Positions()
    positions.assign({PAYMENT_0, PAYMENT_1})
    positions.send(PAYMENT_0, FOUND)
    positions.delay(PAYMENT_0, 10.0, "the database is read-only")
    positions.wake(9.9)
    assert (set(positions.unplaced), positions.unpositioned) == (
        {PAYMENT_1},
        {PAYMENT_0, PAYMENT_1},
    )
    assert positions.problems == ["payment-0: the database is read-only"]
    positions.wake(10.0)
    assert set(positions.unplaced) == {PAYMENT_0, PAYMENT_1}
    assert positions.tries(PAYMENT_0) == 1


def test_halted_partition_stays_assigned_and_is_not_placed_again() -> None:
    positions = Positions()
    positions.assign({PAYMENT_0, PAYMENT_1})
    positions.send(PAYMENT_0, FOUND)
    positions.send(PAYMENT_0, Stopped(Halt(PAYMENT_0, HaltReason.TOO_NEW, "offset 3")))
    positions.drop([PAYMENT_0])
    positions.wake(1e9)
    assert positions.unpositioned == {PAYMENT_1}
    assert set(positions.halted) == {PAYMENT_0}
    assert positions.assigned == {PAYMENT_0, PAYMENT_1}
    positions.send(PAYMENT_0, FenceSet())
    assert positions.unpositioned == {PAYMENT_0, PAYMENT_1}


def test_revoked_partition_cannot_halt_or_come_back() -> None:
    positions = Positions()
    positions.assign({PAYMENT_0})
    positions.revoke()
    positions.send(PAYMENT_0, Stopped(Halt(PAYMENT_0, HaltReason.TOO_NEW, "too late")))
    positions.drop([PAYMENT_0])
    positions.delay(PAYMENT_0, 1.0)
    assert positions.assigned == set()


def test_old_waits_of_an_idle_partition_are_reset() -> None:
    positions = Positions()
    positions.assign([PAYMENT_0])
    for _ in range(5):
        positions.send(PAYMENT_0, Found(fence(10, LAST), 9, LAST))
        positions.delay(PAYMENT_0, 0, "the broker is away")
        positions.wake(1)
    positions.send(PAYMENT_0, Found(fence(10, LAST), 9, LAST))
    # The last applied record has not been read again yet, or there are records after it.
    positions.catch_up({PAYMENT_0: 10})
    positions.send(PAYMENT_0, Read(10))
    positions.catch_up({PAYMENT_0: 11})
    positions.catch_up({PAYMENT_0: None})
    assert positions.tries(PAYMENT_0) == 5
    positions.catch_up({PAYMENT_0: 10})
    assert positions.tries(PAYMENT_0) == 0
    assert positions.placed[PAYMENT_0].fence == fence(10, LAST)


def led_by(leader: int | None) -> TopicSeen:
    there = PartitionSeen(leader, 4, frozenset({1, 3}), frozenset({1}))
    return TopicSeen("payment", OLD, None, {0: there}, None)


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        (TopicSeen("payment", None, MISSING, {}, None), "the broker has no topic payment"),
        (
            TopicSeen("payment", None, "TOPIC_AUTHORIZATION_FAILED", {}, None),
            "the broker answers TOPIC_AUTHORIZATION_FAILED for topic payment",
        ),
        (TopicSeen("payment", OLD, None, {}, None), "the broker has no payment-0"),
        (led_by(None), "payment-0 has no leader"),
        (led_by(3), "the leader of payment-0, broker 3, does not return its end offset"),
    ],
)
def test_unplaceable_partition_reports_the_brokers_answer(topic: TopicSeen, said: str) -> None:
    assert describe(LogUnknown(PAYMENT_0, topic)) == f"LogUnknown: {said}"


def test_halt_on_another_cluster_names_both_remedies() -> None:
    said = remedy(other_cluster(PAYMENT_1), "ledger")
    assert "Correct kafka.bootstrap_servers if" in said
    # All partitions at once: each of them halts.
    assert "`payrouter offsets reset ledger --topic payment --to earliest`" in said
    assert "--partition" not in said


def test_deleted_records_are_named_as_lost() -> None:
    with pytest.raises(Halt) as halt:
        start_at(fence(3), bounds(5, 9))
    said = remedy(halt.value, "ledger")
    assert "`payrouter offsets reset ledger --topic payment --partition 0 --to earliest`" in said
    assert "gateways send them again" in said
