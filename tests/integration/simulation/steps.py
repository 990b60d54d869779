"""Random steps of two transactions that overlap, for any store behind the protocol."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from consumers.runtime.apply.bookkeeping import Bookkeeping, BookkeepingTransaction
from consumers.runtime.apply.held import HeldReason, Hold
from consumers.runtime.apply.offsets import Counts, Fence, FenceMoved
from consumers.runtime.apply.outbox import Outgoing
from consumers.runtime.fate import Fate
from consumers.runtime.records import Decoded, Partition
from consumers.runtime.store.due_records import FailedAttempt
from tests.parts.runtime.counting import PAYMENT_0, numbered, record

PLACES = (PAYMENT_0, Partition("payment", 1))
_LATER = 3600.0

Settled = Callable[[Sequence["asyncio.Task[object]"]], Awaitable[None]]
"""Waits until each task has ended, or waits for a lock."""


@dataclass
class Side:
    """One of the two transactions, as far as it got."""

    context: AbstractAsyncContextManager[BookkeepingTransaction]
    books: BookkeepingTransaction
    fences: dict[Partition, Fence] = field(default_factory=dict)
    due: int | None = None
    relays: bool = False


class RolledBack(Exception):  # noqa: N818 - reads as what is done
    """Ends a transaction or a part of one without its changes."""


@dataclass(frozen=True)
class Step:
    """A step of one side; `pick` chooses among what the step may be about."""

    side: int
    what: str
    pick: int


def script(dice: random.Random, length: int) -> Sequence[Step]:
    """Draw the steps of two transactions."""
    names = sorted(_STEPS)
    return [Step(dice.randrange(2), dice.choice(names), dice.randrange(60)) for _ in range(length)]


async def play(books: Bookkeeping, steps: Sequence[Step], settled: Settled) -> Sequence[str]:
    """Take the steps; return what each of them led to, as text that is equal for two stores."""
    game = _Game(books, settled)
    for step in [*steps, Step(0, "commit", 0), Step(1, "commit", 0), Step(0, "commit", 0)]:
        if step.side in game.waiting:
            game.said.append(f"{step.side}: still waits")
            continue
        await game.take(step)
        await game.note()
        if step.side in game.waiting:
            game.said.append(f"{step.side}: {step.what} waits")
    return game.said


@dataclass
class _Game:
    """Two transactions, and the steps that wait for a lock."""

    books: Bookkeeping
    settled: Settled
    sides: list[Side | None] = field(default_factory=lambda: [None, None])
    waiting: dict[int, asyncio.Task[object]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    async def take(self, step: Step) -> None:
        """Begin a step."""
        if step.what in {"commit", "roll back"}:
            await _close(self.sides, step.side, failed=step.what == "roll back")
            return
        side = self.sides[step.side] or await _opened(self.books)
        self.sides[step.side] = side
        self.waiting[step.side] = asyncio.create_task(_STEPS[step.what](side, step.pick))

    async def note(self) -> None:
        """Note the results of the steps that have ended; after an error its transaction ends."""
        await self.settled(list(self.waiting.values()))
        for number, task in sorted(self.waiting.items()):
            if not task.done():
                continue
            del self.waiting[number]
            self.said.append(f"{number}: {_result(task)}")
            error = task.exception()
            if error is not None and not isinstance(error, FenceMoved):
                await _close(self.sides, number, failed=True)


async def _opened(books: Bookkeeping) -> Side:
    context = books.transaction()
    return Side(context, await context.__aenter__())


async def _close(sides: list[Side | None], number: int, *, failed: bool) -> None:
    side, sides[number] = sides[number], None
    if side is None:
        return
    if not failed:
        await side.context.__aexit__(None, None, None)
        return
    error = RolledBack()
    try:
        await side.context.__aexit__(RolledBack, error, None)
    except RolledBack:
        return


def _result(task: "asyncio.Task[object]") -> str:
    error = task.exception()
    if error is None:
        return str(task.result())
    return type(getattr(error, "orig", None) or error).__name__


# -- steps -------------------------------------------------------------------------


def _record(pick: int) -> Decoded:
    number = pick % 5
    currency = "USDC" if pick % 11 == 0 else "USDT"
    made = numbered(number, reference=f"A-{number % 2}", currency=currency)
    return record(pick % 7, made, PLACES[pick % 2])


async def _lock_fences(side: Side, pick: int) -> object:
    places = PLACES if pick % 3 == 0 else PLACES[pick % 2 :][:1]
    expected = {at: Fence(at, 0, pick % 5 if pick % 4 == 0 else 0) for at in places}
    side.fences = dict(await side.books.lock_fences(expected))
    return {at: each.next_offset for at, each in side.fences.items()}


async def _move_fence(side: Side, pick: int) -> object:
    at = PLACES[pick % 2]
    fence = side.fences.get(at) or Fence(at, 0, pick % 3)
    last = replace(_record(pick).record, partition=at, offset=fence.next_offset)
    # Sometimes the outcomes do not add up.
    counts = Counts(applied=1, duplicate=int(pick % 13 == 0))
    side.fences[at] = await side.books.move_fence(fence, last, counts)
    return side.fences[at].next_offset


async def _pass_gap(side: Side, pick: int) -> object:
    at = PLACES[pick % 2]
    fence = side.fences.get(at) or Fence(at, 0, pick % 3)
    side.fences[at] = await side.books.pass_gap(fence, fence.next_offset + 1)
    return side.fences[at].next_offset


async def _claim(side: Side, pick: int) -> object:
    claims = await side.books.claim([_record(pick), _record(pick + 7), _record(pick + 1)])
    return sorted(claims.new), sorted(claims.conflicts.items())


async def _claim_in_part(side: Side, pick: int) -> object:
    try:
        async with side.books.savepoint():
            claims = await side.books.claim([_record(pick)])
            _roll_back_if(pick % 2 == 1)
    except RolledBack:
        return "undone"
    return sorted(claims.new), sorted(claims.conflicts.items())


def _roll_back_if(wanted: bool) -> None:  # noqa: FBT001 - a private helper
    if wanted:
        raise RolledBack


async def _hold(side: Side, pick: int) -> object:
    fate = Fate.DEAD if pick % 5 == 0 else Fate.PARKED
    pause = _LATER if pick % 7 == 0 else 0.0
    holds = [
        Hold(_record(each), fate, HeldReason.FAILED, "Error: no", 1, pause)
        for each in (pick, pick + 2)
    ]
    written = await side.books.hold(holds)
    return [(each.record.partition, each.record.offset) for each in written]


async def _parked(side: Side, pick: int) -> object:
    found = await side.books.parked([_record(pick), _record(pick + 1)])
    return sorted(found.lanes), sorted(map(str, found.events))


async def _lock_due(side: Side, pick: int) -> object:
    numbers = await side.books.due(10)
    if not numbers:
        return "nothing is due"
    number = numbers[pick % len(numbers)]
    due = await side.books.lock_due(number)
    side.due = None if due is None else number
    return len(numbers), due and (due.partition, due.offset, due.attempts, due.key)


async def _end_retry(side: Side, pick: int) -> object:
    if side.due is not None:
        await side.books.end_retry(side.due, Fate.APPLIED if pick % 2 else Fate.DUPLICATE)
    return None


async def _count_attempt(side: Side, pick: int) -> object:
    if side.due is not None:
        pause = None if pick % 3 == 0 else 0.0
        tried = FailedAttempt(pick % 9, HeldReason.FAILED.value, "Error: again", pause)
        await side.books.count_attempt(side.due, tried)
    return None


async def _postpone(side: Side, pick: int) -> object:
    numbers = await side.books.due(10)
    if numbers:
        number = numbers[pick % len(numbers)]
        await side.books.postpone(number, _LATER if pick % 2 else 0.0, "Error: later")
    return len(numbers)


async def _lock_brakes(side: Side, pick: int) -> object:
    topics = ["order", "payment"] if pick % 2 else ["payment"]
    return {topic: each.streak for topic, each in (await side.books.lock_brakes(topics)).items()}


async def _write_streak(side: Side, pick: int) -> object:
    await side.books.write_streak("payment", pick % 4)
    return {topic: each.streak for topic, each in (await side.books.brakes()).items()}


async def _publish(side: Side, pick: int) -> object:
    await side.books.publish([Outgoing("t", b"k", b"%d" % (pick + n), []) for n in range(pick % 3)])
    return None


async def _relay(side: Side, pick: int) -> object:
    side.relays = side.relays or await side.books.lock_relay()
    if not side.relays:
        return "another one publishes"
    found = await side.books.unsent(3, ["t"] if pick % 5 == 0 else [])
    if pick % 2:
        await side.books.delete_sent([number for number, _ in found])
    elif found:
        await side.books.set_aside(found[0][0], "TooLarge")
    return [each.value for _, each in found]


async def _nothing(side: Side, pick: int) -> object:
    raise NotImplementedError(side, pick)


_STEPS: dict[str, Callable[[Side, int], Any]] = {
    "lock fences": _lock_fences,
    "move fence": _move_fence,
    "pass gap": _pass_gap,
    "claim": _claim,
    "claim in part": _claim_in_part,
    "hold": _hold,
    "parked": _parked,
    "lock due": _lock_due,
    "end retry": _end_retry,
    "count attempt": _count_attempt,
    "postpone": _postpone,
    "lock brakes": _lock_brakes,
    "write streak": _write_streak,
    "publish": _publish,
    "relay": _relay,
    "commit": _nothing,
    "roll back": _nothing,
}
