"""A schedule is the same at every run, and a failing one is found, shrunk and described."""

import asyncio
import time

import pytest

from consumers.runtime.apply.process import Applier
from tests.simulation.clock import run_virtually
from tests.simulation.command.shrinking import shrunk
from tests.simulation.command.story import story_of
from tests.simulation.command.table import page, read_record
from tests.simulation.mutants.applying import NO_CLAIMS
from tests.simulation.mutants.hunt import MUTANTS, hunt
from tests.simulation.mutants.patch import Patch, patched
from tests.simulation.world.happenings import schedule_of
from tests.simulation.world.run import run_schedule


def test_same_seed_has_the_same_story() -> None:
    first, second = (run_schedule(schedule_of(3)) for _ in range(2))
    assert not first.violations
    assert first.story == second.story


def test_time_passes_without_waiting() -> None:
    async def wait() -> float:
        began = time.monotonic()
        await asyncio.sleep(3600)
        return time.monotonic() - began

    assert run_virtually(wait()) == pytest.approx(3600)


def test_waiting_for_nothing_ends() -> None:
    with pytest.raises(RuntimeError, match="nothing will do"):
        run_virtually(asyncio.Event().wait())


def test_bug_is_found_shrunk_and_described() -> None:
    with patched([NO_CLAIMS]):
        seed = next(n for n in range(50) if run_schedule(schedule_of(n)).violations)
        whole = run_schedule(schedule_of(seed))
        small = shrunk(whole, run_schedule)
    assert len(small.schedule.happenings) < len(whole.schedule.happenings)
    assert "has a second effect" in story_of(small)
    # Without the bug the same schedule violates nothing.
    assert not run_schedule(small.schedule).violations


def test_patch_is_undone_and_must_fit() -> None:
    before = Applier._claim.__code__  # noqa: SLF001 - it is what the patch changes
    with patched([NO_CLAIMS]):
        assert Applier._claim.__code__ is not before  # noqa: SLF001
    assert Applier._claim.__code__ is before  # noqa: SLF001
    other = Patch(NO_CLAIMS.module, NO_CLAIMS.function, "no such text", "")
    with pytest.raises(ValueError, match="no such text"), patched([other]):
        pass


def test_every_mutant_fits_the_code() -> None:
    names = [each.name for each in MUTANTS]
    assert len(set(names)) == len(names) >= 25
    for each in MUTANTS:
        with patched([each.patch, *each.without]):
            pass


def test_code_without_a_bug_is_not_found() -> None:
    same = Patch(
        NO_CLAIMS.module, NO_CLAIMS.function, NO_CLAIMS.old, "new=bool(place in claims.new)"
    )
    (mutant,) = [each for each in MUTANTS if each.patch == NO_CLAIMS]
    assert hunt(type(mutant)("none", "claims", "nothing", same), most=5) is None


def test_page_has_the_recorded_tables() -> None:
    known = {"runs": [{"first_seed": 7, "schedules": 3, "violations": 0}], "mutants": {}}
    begin, end = "<!-- tables of the simulation, generated -->", "<!-- end of the tables -->"
    made = page(known, f"before {begin} outdated {end} after")
    assert "| 7 to 9 | 3 | 0 |" in made
    assert "outdated" not in made
    assert read_record().keys() == known.keys()
