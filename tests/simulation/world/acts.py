"""Lets each kind of happening happen."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from consumers.runtime.records import Partition
from tests.simulation.broker.logs import EntryKind
from tests.simulation.world.happenings import Happening, What
from tests.simulation.world.member import TUNING
from tests.simulation.world.messages import SimMessage, Temper
from tests.simulation.world.operator import read_again, replay_dead
from tests.simulation.world.world import TOPIC, World

_ZOMBIE_SECONDS = 0.7
"""How long a process that thaws continues before it learns that it lost its partitions."""

_REGROWS_AFTER = 12.0
"""After so many seconds a log that was replaced grows again: later than processes notice."""


_WHILE_DOWN: Final = frozenset({What.EXPIRED, What.COMPACTED})
"""What may happen to a log while no process reads it."""

_DOWN_SECONDS = 3.0


async def happen(world: World, happening: Happening) -> None:
    """Let it happen, until it is over."""
    act = _ACTS[happening.what]
    if happening.what in _WHILE_DOWN and world.dice.random() < 0.5:
        await _while_down(world, happening, act)
    else:
        await act(world, happening)


async def _while_down(world: World, each: Happening, act: "_Act") -> None:
    """Let it happen while no process runs, and the log grow before they run again."""
    down = [member for member in world.members if member.is_alive]
    world.tell("all processes are killed")
    for member in down:
        await member.kill()
    await asyncio.sleep(_DOWN_SECONDS)
    await act(world, each)
    partition = world.partition(each.whom)
    world.quiet_until.pop(partition, None)
    for _ in range(world.dice.randint(0, 5)):
        world.extra += 1
        message = SimMessage(world.extra, world.extra, "A", Temper.GOOD, 10, 0)
        _append(world, partition, message)
    for member in down:
        if not member.is_alive:
            member.start()
    world.tell("all processes are started again")


async def _deliver(world: World, each: Happening) -> None:
    message = each.message
    assert message is not None
    partition = world.partition(each.whom)
    await _quiet(world, partition)
    _append(world, partition, message)


def _append(world: World, partition: Partition, message: SimMessage) -> None:
    entry = world.broker.append(
        partition, _millis(world), EntryKind.RECORD, message.key.encode(), message.encode()
    )
    world.tell(
        f"record {message.serial} of event {message.of}, key {message.key}, {message.temper.value},"
        f" is appended to {partition} at {entry.offset}"
    )


async def _append_other(world: World, each: Happening) -> None:
    kinds = {What.MARK: EntryKind.MARKER, What.ABORT: EntryKind.ABORTED}
    kind = kinds.get(each.what, EntryKind.DAMAGED)
    partition = world.partition(each.whom)
    await _quiet(world, partition)
    entry = world.broker.append(partition, _millis(world), kind, b"A", b"?-1")
    world.tell(f"a {kind.value} is appended to {partition} at {entry.offset}")


async def _quiet(world: World, partition: Partition) -> None:
    """Wait until a log that was replaced may grow again."""
    left = world.quiet_until.get(partition, 0.0) - world.now()
    if left > 0:
        await asyncio.sleep(left)
        # It may have been replaced again.
        await _quiet(world, partition)


async def _crash(world: World, each: Happening) -> None:
    member = world.members[each.whom % len(world.members)]
    if not member.is_alive:
        return
    world.tell(f"{member.name} is killed")
    await member.kill()
    world.ask_for_partitions()
    await asyncio.sleep(each.amount)
    world.tell(f"{member.name} is started again")
    member.start()


async def _freeze(world: World, each: Happening) -> None:
    member = world.members[each.whom % len(world.members)]
    if not member.is_alive or member.is_frozen:
        return
    world.tell(f"{member.name} freezes for {each.amount} s")
    member.freeze()
    began = world.now()
    await asyncio.sleep(min(each.amount, TUNING.transaction_timeout_seconds))
    if each.amount > TUNING.transaction_timeout_seconds:
        world.database.end_idle(member.number)
        session = TUNING.session_timeout_seconds
        await asyncio.sleep(max(0.0, min(each.amount, session) - (world.now() - began)))
        if each.amount > session and member.is_alive:
            world.tell(f"the group gives up on {member.name}")
            member.expelled = True
            world.ask_for_partitions()
    await asyncio.sleep(max(0.0, each.amount - (world.now() - began)))
    world.tell(f"{member.name} continues")
    member.thaw()
    if member.expelled:
        await asyncio.sleep(_ZOMBIE_SECONDS)
        member.expelled = False
        world.ask_for_partitions()


async def _rebalance(world: World, each: Happening) -> None:
    del each
    world.tell("the group assigns the partitions again")
    world.ask_for_partitions()


async def _store_away(world: World, each: Happening) -> None:
    world.tell(f"the database is away for {each.amount} s")
    world.database.go_away()
    await asyncio.sleep(each.amount)
    world.tell("the database is back")
    world.database.is_away = False


async def _read_only(world: World, each: Happening) -> None:
    world.tell(f"the database is read-only for {each.amount} s")
    world.database.is_read_only = True
    await asyncio.sleep(each.amount)
    world.tell("the database accepts writes again")
    world.database.is_read_only = False


async def _statement(world: World, each: Happening) -> None:
    assert each.fault is not None
    world.tell(f"next in the database: {each.fault.value}")
    world.database.faults.append(each.fault)


async def _broker_away(world: World, each: Happening) -> None:
    world.tell(f"the broker is away for {each.amount} s")
    world.broker.is_away = True
    await asyncio.sleep(each.amount)
    world.tell("the broker is back")
    world.broker.is_away = False


async def _unacknowledged(world: World, each: Happening) -> None:
    world.tell(each.what.value)
    world.broker.acknowledgements_lost += 1


async def _refused(world: World, each: Happening) -> None:
    world.tell(each.what.value)
    world.broker.batches_refused += 1


async def _remade(world: World, each: Happening) -> None:
    world.tell(each.what.value)
    for partition in world.broker.partitions():
        world.quiet_until[partition] = world.now() + _REGROWS_AFTER
    world.broker.create(TOPIC, world.new_topic_id(), world.schedule.partitions)


async def _truncated(world: World, each: Happening) -> None:
    partition = world.partition(each.whom)
    log = world.broker.log(partition)
    end = max(log.start, log.end - int(each.amount))
    world.tell(f"a new leader of {partition} lacks everything from {end} on")
    world.quiet_until[partition] = world.now() + _REGROWS_AFTER
    log.truncate(end)


async def _expired(world: World, each: Happening) -> None:
    partition = world.partition(each.whom)
    log = world.broker.log(partition)
    log.delete_before(log.end - int(each.amount))
    world.tell(f"{partition} begins at {log.start} from now on")


async def _compacted(world: World, each: Happening) -> None:
    partition = world.partition(each.whom)
    log = world.broker.log(partition)
    offset = log.end - 1 - int(each.amount)
    if offset >= log.start:
        world.tell(f"the record at {offset} of {partition} is deleted")
        log.compact(offset)


async def _clock(world: World, each: Happening) -> None:
    world.tell(f"the database's clock jumps by {each.amount:.1f} s")
    world.database.clock_ahead += each.amount


async def _replay(world: World, each: Happening) -> None:
    world.tell(each.what.value)
    await replay_dead(world)


async def _reset(world: World, each: Happening) -> None:
    await read_again(world, world.partition(each.whom))


def _millis(world: World) -> int:
    return int((world.began + world.now()) * 1000)


_Act = Callable[[World, Happening], Awaitable[None]]

_ACTS: Final[Mapping[What, _Act]] = {
    What.DELIVER: _deliver,
    What.MARK: _append_other,
    What.ABORT: _append_other,
    What.DAMAGE: _append_other,
    What.CRASH: _crash,
    What.FREEZE: _freeze,
    What.REBALANCE: _rebalance,
    What.STORE_AWAY: _store_away,
    What.STORE_READ_ONLY: _read_only,
    What.STATEMENT: _statement,
    What.BROKER_AWAY: _broker_away,
    What.UNACKNOWLEDGED: _unacknowledged,
    What.REFUSED: _refused,
    What.REMADE: _remade,
    What.TRUNCATED: _truncated,
    What.EXPIRED: _expired,
    What.COMPACTED: _compacted,
    What.CLOCK: _clock,
    What.REPLAY: _replay,
    What.RESET: _reset,
}
