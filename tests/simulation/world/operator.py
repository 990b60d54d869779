"""The operator: runs the commands that halts, brakes and dead records ask for."""

import contextlib
from dataclasses import replace

from sqlalchemy.exc import DBAPIError

from consumers.runtime.apply.brake import Brake
from consumers.runtime.apply.failures import HaltReason
from consumers.runtime.apply.held import HeldReason
from consumers.runtime.apply.offsets import Fence
from consumers.runtime.fate import Fate
from consumers.runtime.member.halts import Halt
from consumers.runtime.records import Partition
from consumers.runtime.store.database import StoreAway
from tests.simulation.store.database import Session, no_pause
from tests.simulation.store.rows import BRAKES, FENCES, HELD, FenceEntry
from tests.simulation.world.world import OPERATOR, World

_AGAIN_SECONDS = 5.0
"""A command is not repeated for so long: processes notice it at their next look."""


async def operate(world: World) -> None:
    """Release the brakes, and set the fences of halted partitions."""
    with contextlib.suppress(DBAPIError, StoreAway):
        async with world.database.session(no_pause, OPERATOR) as session:
            await _clear_brakes(world, session)
            for partition, halt in _halts(world).items():
                if world.now() >= world.operated.get(partition, 0.0):
                    world.operated[partition] = world.now() + _AGAIN_SECONDS
                    await _reset(world, session, halt)


async def read_again(world: World, partition: Partition) -> None:
    """Let a log be read again from its beginning."""
    with contextlib.suppress(DBAPIError, StoreAway):
        async with world.database.session(no_pause, OPERATOR) as session:
            await _set_fence(world, session, partition, world.broker.log(partition).start)


async def replay_dead(world: World) -> None:
    """Let all dead records be retried, as `dlq replay` does."""
    with contextlib.suppress(DBAPIError, StoreAway):
        async with world.database.session(no_pause, OPERATOR) as session:
            await session.begin_statement()
            for number, row in list(session.view.rows(HELD)):
                if row.state == Fate.DEAD:
                    await session.lock(("held", number))
                    parked = replace(
                        row,
                        state=Fate.PARKED.value,
                        reason=HeldReason.REPLAYED.value,
                        due=session.began,
                        attempts=0,
                    )
                    session.view.put(HELD, number, parked)


def _halts(world: World) -> dict[Partition, Halt]:
    found = {}
    for member in world.members:
        if member.loop is not None and not member.is_frozen:
            found.update({each.partition: each for each in member.loop.positions.halts})
    return found


async def _clear_brakes(world: World, session: Session) -> None:
    await session.begin_statement()
    for topic, brake in list(session.view.rows(BRAKES)):
        if brake.held_since is not None:
            world.tell(f"the operator releases the brake of {topic}")
            await session.lock(("brake", topic))
            session.view.put(BRAKES, topic, Brake(topic))


async def _reset(world: World, session: Session, halt: Halt) -> None:
    partition = halt.partition
    offset = world.broker.log(partition).start
    if halt.reason is HaltReason.RECORDS_MISSING and halt.resume_at is not None:
        offset = halt.resume_at
    await _set_fence(world, session, partition, offset)


async def _set_fence(world: World, session: Session, partition: Partition, offset: int) -> None:
    """Set a fence in the log that the topic has now, as `offsets reset` does."""
    world.tell(f"the operator sets the fence of {partition} to {offset}")
    topic = world.broker.topics[partition.topic]
    await session.begin_statement()
    await session.lock(("fence", partition))
    fence = Fence(partition, offset, offset, None, session.began, topic.topic_id)
    session.view.put(FENCES, partition, FenceEntry(fence))
