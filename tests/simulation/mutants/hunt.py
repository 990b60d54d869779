"""Looks for a mutant: runs schedules until one of them shows a violation."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulation.mutants.applying import APPLYING
from tests.simulation.mutants.booking import BOOKING
from tests.simulation.mutants.patch import Mutant, patched
from tests.simulation.mutants.reading import READING
from tests.simulation.mutants.retrying import RETRYING
from tests.simulation.world.happenings import schedule_of
from tests.simulation.world.run import run_schedule

MUTANTS: Sequence[Mutant] = (*APPLYING, *RETRYING, *READING, *BOOKING)
MOST = 2000
"""So many schedules have to be enough."""


@dataclass(frozen=True)
class Found:
    """A mutant that was found: the schedules it took, and the first violation."""

    mutant: Mutant
    schedules: int
    seed: int
    violation: str


def hunt(mutant: Mutant, first_seed: int = 0, most: int = MOST) -> Found | None:
    """Return how a mutant was found; None if it was not."""
    with patched([mutant.patch, *mutant.without]):
        for number in range(most):
            violations = violations_of(first_seed + number)
            if violations:
                return Found(mutant, number + 1, first_seed + number, violations[0])
    return None


def violations_of(seed: int) -> Sequence[str]:
    """Run the schedule of a seed; an error of the simulation itself is a violation, too."""
    try:
        return run_schedule(schedule_of(seed)).violations
    except Exception as error:  # noqa: BLE001 - such as one that does not end
        return [f"the simulation stops: {error!r}"]
