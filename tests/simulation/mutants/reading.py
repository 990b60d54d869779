"""Bugs in the positions of partitions, and in the loop."""

from tests.simulation.mutants.patch import Mutant, Patch

_LOOP = "consumers.runtime.member.loop"
_READING = "consumers.runtime.member.reading"
_PLACING = "consumers.runtime.member.placing"
_PARTITION = "consumers.runtime.member.partition"
_OFFSETS = "consumers.runtime.apply.offsets"

READING = (
    Mutant(
        "gaps unseen",
        "positions",
        "offsets without a record are passed without asking the log",
        Patch(_READING, "gaps_before", "if message.offset > expected:", "if False:"),
    ),
    Mutant(
        "missing records passed",
        "positions",
        "offsets that the log does not explain are passed",
        Patch(_READING, "halt_if_missing", "if before:", "if False:"),
    ),
    Mutant(
        "missing tail passed",
        "positions",
        "the fence passes unexplained offsets at the end of a log",
        Patch(_READING, "Reading.pass_trailing_gaps", "if missing[partition]:", "if False:"),
    ),
    Mutant(
        "record not compared",
        "positions",
        "another record at the place of the last applied one is not noticed",
        Patch(
            _READING,
            "halt_if_replaced",
            "if (record.timestamp, record.crc) != (last.timestamp, last.crc):",
            "if False:",
        ),
    ),
    Mutant(
        "comparison forgotten",
        "positions",
        "the last applied record is not read again when a partition is placed",
        Patch(
            _PLACING,
            "start_at",
            "return Found(fence, last.offset, last, topic_id, epoch)",
            "return Found(fence, fence.next_offset, None, topic_id, epoch)",
        ),
    ),
    Mutant(
        "placed behind the fence",
        "positions",
        "reading starts one record behind the fence",
        Patch(
            _PLACING,
            "start_at",
            "return Found(fence, fence.next_offset, None, topic_id, epoch)",
            "return Found(fence, min(bounds.end, fence.next_offset + 1), None, topic_id, epoch)",
        ),
    ),
    Mutant(
        "deleted records skipped",
        "positions",
        "records that were deleted before they were applied are skipped",
        Patch(
            _PLACING,
            "start_at",
            "raise Halt(partition, HaltReason.BEFORE_START, detail)",
            "return Found(fence, bounds.start, None, None, None)",
        ),
    ),
    Mutant(
        "shorter log accepted",
        "positions",
        "a log that ends before the fence is read from its end",
        Patch(
            _PLACING,
            "start_at",
            "raise Halt(partition, HaltReason.BEYOND_END, detail)",
            "return Found(fence, bounds.end, None, None, None)",
        ),
    ),
    Mutant(
        "another topic accepted",
        "positions",
        "a topic that was deleted and created again is read as if it were the same",
        Patch(
            _PLACING,
            "halt_if_other_topic",
            "if topic_id is None or fence.topic_id in {None, topic_id}:",
            "if True:",
        ),
    ),
    Mutant(
        "dropped records used",
        "positions",
        "a partition stays placed although fetched records of it were dropped",
        Patch(_PARTITION, "_dropped", "return Unplaced(state.fence, state.tries)", "return state"),
    ),
    Mutant(
        "cut not placed again",
        "positions",
        "records that the brake cut off are not read again",
        Patch(_LOOP, "Loop._apply_once", "self.positions.drop(applied.cut)", "pass"),
    ),
    Mutant(
        "moved fence ignored",
        "positions",
        "after another process moved the fence, reading continues without placing",
        Patch(
            _LOOP,
            "Loop._recover",
            "self.positions.drop({arrived.record.partition for arrived in batch})",
            "pass",
        ),
    ),
    Mutant(
        "command unnoticed",
        "positions",
        "a fence that an operator sets for a halted partition is not noticed",
        Patch(
            _OFFSETS,
            "fence_was_set",
            "return before.touched is not None and before.touched != now.touched",
            "return False",
        ),
    ),
    Mutant(
        "half of a split lost",
        "holds",
        "the second half of a batch that fails is not applied",
        Patch(
            _LOOP,
            "Loop._recover",
            "await self._apply(client, batch[half:], decision)",
            "pass",
        ),
    ),
)
