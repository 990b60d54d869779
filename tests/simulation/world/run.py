"""Runs one schedule: lets happen what happens, then waits until everything is applied."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulation.broker.consumer import requests_answered
from tests.simulation.checks.end import problems_at_the_end, unfinished
from tests.simulation.clock import run_virtually
from tests.simulation.store.database import no_pause
from tests.simulation.world.acts import happen
from tests.simulation.world.handler import SimHandler, simulated_service
from tests.simulation.world.happenings import Schedule
from tests.simulation.world.member import Member
from tests.simulation.world.messages import read_message
from tests.simulation.world.operator import operate
from tests.simulation.world.world import TOPIC, World

_PATIENCE_SECONDS = 120.0
_LOOK_SECONDS = 1.0
_OPERATES = 0.2
"""How often an operator acts at a look while things still happen."""


@dataclass(frozen=True)
class Outcome:
    """Result of a schedule: what was violated, and its story, with seconds."""

    schedule: Schedule
    violations: Sequence[str]
    story: Sequence[tuple[float, str]]


def run_schedule(schedule: Schedule) -> Outcome:
    """Run a schedule on virtual time."""
    with requests_answered():
        return run_virtually(_run(schedule))


async def _run(schedule: Schedule) -> Outcome:
    # The runtime draws the lengths of its pauses from the shared generator.
    random.seed(schedule.seed)
    service = simulated_service(SimHandler(), [TOPIC])
    world = World(schedule, random.Random(schedule.seed + 1), service, {TOPIC: read_message})
    world.broker.create(TOPIC, world.new_topic_id(), schedule.partitions)
    world.members = [Member(number, world) for number in range(schedule.members)]
    for member in world.members:
        member.start()
    world.let_happen(_happen(world))
    await _settle(world)
    for member in world.members:
        member.thaw()
        await member.kill()
    world.database.pause = no_pause
    violations = list(world.checks.violations)
    if not violations:
        violations += unfinished(world.database, world.broker)
    if not violations:
        violations += problems_at_the_end(world.database, world.broker, world.checks)
    return Outcome(schedule, violations, world.story)


async def _happen(world: World) -> None:
    for happening in world.schedule.happenings:
        await asyncio.sleep(max(0.0, happening.at - world.now()))
        world.let_happen(happen(world, happening))


def _is_at_rest(world: World) -> bool:
    """Return whether no process has a partition to place, or one that waits for an operator."""
    loops = [member.loop for member in world.members if member.loop is not None]
    return not any(loop.positions.unpositioned or loop.positions.halts for loop in loops)


async def _settle(world: World) -> None:
    """Wait until all has happened and is applied; an operator resolves what needs one."""
    while world.now() < _PATIENCE_SECONDS and not world.checks.violations:
        await asyncio.sleep(_LOOK_SECONDS)
        if world.going_on:
            if world.dice.random() < _OPERATES:
                await operate(world)
        elif not unfinished(world.database, world.broker) and _is_at_rest(world):
            return
        else:
            world.database.faults.clear()
            await operate(world)
