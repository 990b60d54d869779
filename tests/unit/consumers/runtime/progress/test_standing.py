"""The state of a consumer on a partition."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from consumers.runtime.apply.offsets import FenceRow
from consumers.runtime.measures.first_record import NOTHING
from consumers.runtime.progress.picture import Behind, behind
from consumers.runtime.progress.standing import PartitionFacts, Patience, ProgressState, state_of
from router.broker.groups import name_of
from router.broker.log.bounds import LogBounds

NOW: Final = 1_000_000.0
PATIENCE: Final = Patience(stuck=30, open_transaction=90)


def fence(at: int, moved: float) -> FenceRow:
    """Return a fence that moved this many seconds ago."""
    when = datetime.fromtimestamp(NOW, UTC) - timedelta(seconds=moved)
    return FenceRow("c", "payment", 0, 0, at, at, 0, 0, 0, 0, 0, when)


def facts(
    at: int,
    bounds: tuple[int, int, int],
    *,
    moved: float = 5,
    waits: float | None = None,
    readable: float | None = None,
) -> PartitionFacts:
    """Return facts: the fence, the log, and how many seconds records have waited."""
    own, log = fence(at, moved), LogBounds(*bounds)
    since = NOTHING if waits is None else NOW - waits
    first = NOTHING if readable is None else NOW - readable
    seen = behind(log, own, min(since, first), first)
    return PartitionFacts(own, exists=True, bounds=log, behind=seen, braked=False, member="one")


STATES: Final = [
    (facts(9, (0, 9, 9), moved=5000), ProgressState.IDLE, False),
    (facts(9, (0, 9, 9)), ProgressState.MOVING, False),
    (facts(8, (0, 9, 9), moved=5000), ProgressState.IDLE, False),  # the marker of a transaction
    (facts(5, (0, 9, 9), readable=20), ProgressState.MOVING, False),
    (facts(5, (0, 9, 9), readable=61), ProgressState.BEHIND, False),
    (facts(5, (0, 9, 9), moved=31, readable=31), ProgressState.STUCK, True),
    (
        facts(5, (0, 9, 9), moved=5000, readable=1),
        ProgressState.MOVING,
        False,
    ),  # the record is new
    (facts(5, (0, 5, 9), moved=5000, waits=10), ProgressState.WITHHELD, False),
    (facts(5, (0, 5, 9), moved=5000, waits=91), ProgressState.WITHHELD, True),
    (
        facts(5, (0, 7, 9), moved=31, readable=100),
        ProgressState.STUCK,
        True,
    ),  # before the transaction
    (facts(10, (0, 9, 9)), ProgressState.BEYOND_END, True),
    (facts(5, (6, 9, 9)), ProgressState.BEFORE_START, True),
    (replace(facts(9, (0, 9, 9)), member=""), ProgressState.NO_MEMBER, True),
    (replace(facts(9, (0, 9, 9)), member=None), ProgressState.MOVING, False),  # it is not known
    (replace(facts(9, (0, 9, 9)), braked=True), ProgressState.BRAKED, True),
    (replace(facts(9, (0, 9, 9)), exists=False, bounds=None), ProgressState.NO_LOG, True),
    (replace(facts(9, (0, 9, 9)), bounds=None, behind=Behind()), ProgressState.UNKNOWN, False),
    (
        PartitionFacts(None, None, None, Behind(), braked=True, member=None),
        ProgressState.BRAKED,
        True,
    ),
]


@pytest.mark.parametrize(("known", "state", "trouble"), STATES)
def test_state_is_the_first_reason_to_act(
    known: PartitionFacts, state: ProgressState, *, trouble: bool
) -> None:
    assert state_of(known, PATIENCE, NOW) == (state, trouble)


def test_unconsumed_partition_is_judged_from_the_start_of_its_log() -> None:
    log = LogBounds(3, 9, 9)
    waiting = behind(log, None, NOW - 31, NOW - 31)
    new = PartitionFacts(None, exists=True, bounds=log, behind=waiting, braked=False, member="one")
    assert waiting.records == 6
    assert state_of(new, PATIENCE, NOW) == (ProgressState.STUCK, True)


@pytest.mark.parametrize(
    ("member_id", "name"),
    [
        ("ledger-0-9e107d9d-372b-4826-81d3-542a419d6f3b", "ledger-0"),
        ("aiokafka-0.14.0-9e107d9d-372b-4826-81d3-542a419d6f3b", "10.0.0.7 9e10"),
        ("short", "10.0.0.7 shor"),
    ],
)
def test_member_is_named_by_instance_id_or_else_by_host(member_id: str, name: str) -> None:
    assert name_of(member_id, "aiokafka-0.14.0", "/10.0.0.7") == name
