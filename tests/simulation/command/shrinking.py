"""Makes a failing schedule small: leaves out what it fails without."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.simulation.world.happenings import Happening, Schedule
from tests.simulation.world.run import Outcome

Run = Callable[[Schedule], Outcome]


def shrunk(outcome: Outcome, run: Run) -> Outcome:
    """Return a smaller schedule that fails, from which nothing can be left out.

    Leaving something out also changes the moments of all that follows, so the violation may
    become another one.
    """
    size = max(1, len(outcome.schedule.happenings) // 2)
    while True:
        smaller = _without_some(outcome, size, run)
        if smaller is not None:
            outcome = smaller
        elif size == 1:
            return outcome
        else:
            size = size // 2


def _without_some(outcome: Outcome, size: int, run: Run) -> Outcome | None:
    """Return a failing schedule without `size` of its happenings; None if each cut passes."""
    happenings = outcome.schedule.happenings
    for begin in range(0, len(happenings), size):
        kept: Sequence[Happening] = [*happenings[:begin], *happenings[begin + size :]]
        tried = run(replace(outcome.schedule, happenings=kept))
        if tried.violations:
            return tried
    return None
