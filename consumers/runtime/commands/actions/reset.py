"""Resets the offsets of a consumer."""

from dataclasses import dataclass

import click

from consumers.runtime.commands.actions.fence_reset import (
    Reset,
    ResetPlan,
    ResetRefused,
    apply_reset,
    plan_reset,
)
from consumers.runtime.configured import Consumer
from router.terminal.exits import CommandError
from router.terminal.output import show_json, show_table
from router.terminal.processes import run_async


@dataclass(frozen=True)
class ResetTarget:
    """What to reset: a topic, one partition or all, and the next offset to apply."""

    topic: str
    partition: int | None
    to: str


def reset_offsets(
    consumer: Consumer, target: ResetTarget, *, yes: bool, force: bool, as_json: bool
) -> None:
    """Apply a reset, or only print its plan; refuses one that could apply effects twice."""
    topic = target.topic
    if topic in consumer.service.topics:
        topic = consumer.settings.topics.name(topic)
    try:
        plan = run_async(plan_reset(consumer, topic, target.partition, target.to))
    except ResetRefused as problem:
        raise CommandError(str(problem)) from None
    _refuse_forgotten(consumer, plan, force=force)
    if yes:
        run_async(apply_reset(consumer, plan))
    _show(consumer, plan, done=yes, as_json=as_json)


def _refuse_forgotten(consumer: Consumer, plan: ResetPlan, *, force: bool) -> None:
    forgotten = plan.forgotten()
    if forgotten and not force:
        first = forgotten[0]
        written = "at an unknown time" if first.oldest is None else f"{first.oldest:%c}"
        message = (
            f"{first.partition} offset {first.to} was written {written}; {consumer.service.name}"
            f" remembers event ids only since {plan.known_since:%c}: older events could be applied"
            " a second time; --force resets all the same"
        )
        raise CommandError(message)


def _show(consumer: Consumer, plan: ResetPlan, *, done: bool, as_json: bool) -> None:
    if as_json:
        show_json({"done": done, "partitions": [each.as_json() for each in plan.resets]})
        return
    rows = [
        (each.partition, "" if each.was is None else each.was, each.to, each.begin, each.end)
        for each in plan.resets
    ]
    columns = ("partition", "next", "becomes", "log begins", "log ends")
    show_table(consumer.service.name, columns, rows, numbers=columns[1:])
    for each in plan.resets:
        if each.lacks:
            click.echo(_lacking(each), err=True)
    click.echo("done" if done else "nothing was changed; --yes does it")


def _lacking(reset: Reset) -> str:
    begins = "is empty" if reset.oldest is None else f"begins {reset.oldest:%c}"
    return (
        f"{reset.partition}: records may be missing: the last one applied from the other cluster"
        f" was written {reset.applied_there:%c}, and what is read here {begins}"
    )
