"""Describes a schedule in plain English."""

from tests.simulation.world.run import Outcome


def story_of(outcome: Outcome) -> str:
    """Return the story of a schedule, one line per moment, and what it violates."""
    schedule = outcome.schedule
    begin = (
        f"Seed {schedule.seed}: {schedule.members} processes of one consumer read"
        f" {schedule.partitions} partitions; {len(schedule.happenings)} things happen."
    )
    lines = [f"{at:7.2f} s  {text}" for at, text in outcome.story]
    end = [f"Violated: {text}." for text in outcome.violations] or ["Nothing is violated."]
    return "\n".join([begin, *lines, *end])
