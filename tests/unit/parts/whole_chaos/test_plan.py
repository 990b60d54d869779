"""The plan of a chaos run is a function of its seed, and has every kind of fault."""

from collections import Counter

import pytest

from tests.parts.whole_chaos.breaking import FAULTS
from tests.parts.whole_chaos.plan import (
    BROKERS,
    EDGES,
    MEMBERS,
    OTHERS,
    PRIMARY,
    SESSION_SECONDS,
    STANDBY,
    Size,
    planned,
    rounds,
    shown,
)


def test_a_seed_gives_one_plan_and_another_seed_another() -> None:
    size = Size.of(600)
    assert planned(1, size) == planned(1, size)
    assert planned(1, size) != planned(2, size)


def test_the_long_form_kills_200_times_and_anything() -> None:
    plan = planned(1, Size.of(50_000))
    killed = [fault for fault in plan if fault.kind.endswith(" killed")]
    assert len(killed) == 200
    assert {fault.target for fault in killed} == {*MEMBERS, *EDGES, *BROKERS, PRIMARY, STANDBY}


@pytest.mark.parametrize("deliveries", [200, 600, 50_000])
def test_every_form_has_every_kind_of_fault(deliveries: int) -> None:
    kinds = Counter(fault.kind for fault in planned(3, Size.of(deliveries)))
    assert set(kinds) == set(FAULTS)
    assert set(OTHERS) < set(FAULTS)


def test_faults_are_spread_over_the_deliveries() -> None:
    plan = planned(1, Size.of(600))
    after = [fault.after for fault in plan]
    assert after == sorted(set(after))
    assert after[0] == 0
    assert after[-1] < 600


def test_a_frozen_consumer_loses_its_session() -> None:
    frozen = [f for f in planned(1, Size.of(50_000)) if f.kind == "consumer frozen"]
    assert all(fault.seconds > SESSION_SECONDS for fault in frozen)


def test_the_table_has_a_line_for_each_fault() -> None:
    plan = planned(1, Size.of(600))
    assert len(shown(plan).splitlines()) == 1 + len(plan)


def test_faults_that_begin_together_break_different_parts() -> None:
    together = rounds(planned(1, Size.of(50_000)))
    pairs = [faults for faults in together if len(faults) > 1]
    assert len(pairs) > 30
    assert all(len({fault.part for fault in faults}) == len(faults) == 2 for faults in pairs)
    assert not any(fault.part is None for faults in pairs for fault in faults)
    assert [fault for faults in together for fault in faults] == planned(1, Size.of(50_000))
