"""Decides how to hold a record whose handler failed: parked for a retry, or dead."""

from consumers.runtime.apply.failures import Action, describe, park_pause
from consumers.runtime.apply.held import HeldReason, HoldDecision
from consumers.runtime.fate import Fate
from consumers.runtime.settings import Tuning


def hold_decision(error: Exception, action: Action, tuning: Tuning) -> HoldDecision:
    """Return how to hold the record after its first attempt."""
    if action is Action.DEAD:
        return HoldDecision(Fate.DEAD, HeldReason.POISON, describe(error))
    if tuning.attempts == 1:
        return HoldDecision(Fate.DEAD, HeldReason.EXHAUSTED, describe(error))
    pause = park_pause(1, tuning.park_seconds, tuning.park_longest_seconds)
    return HoldDecision(Fate.PARKED, HeldReason.FAILED, describe(error), pause)
