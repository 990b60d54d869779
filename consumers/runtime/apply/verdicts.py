"""What becomes of the one record that an exception is about."""

from consumers.runtime.apply.failures import Action, describe, park_pause
from consumers.runtime.apply.held import HeldReason, Verdict
from consumers.runtime.fate import Fate
from consumers.runtime.settings import Tuning


def verdict_on(error: Exception, action: Action, tuning: Tuning) -> Verdict:
    """Say how the record is held after its first try."""
    if action is Action.DEAD:
        return Verdict(Fate.DEAD, HeldReason.POISON, describe(error))
    if tuning.attempts == 1:
        return Verdict(Fate.DEAD, HeldReason.EXHAUSTED, describe(error))
    pause = park_pause(1, tuning.park_seconds, tuning.park_longest_seconds)
    return Verdict(Fate.PARKED, HeldReason.FAILED, describe(error), pause)
