"""What happens in a schedule, drawn from its seed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tests.simulation.store.database import StatementFault
from tests.simulation.world.messages import SimMessage, Temper


class What(StrEnum):
    """Kinds of happenings, in the words of the story."""

    DELIVER = "a record is appended"
    MARK = "a marker of a transaction is appended"
    ABORT = "a record of an aborted transaction is appended"
    DAMAGE = "a record with a wrong checksum is appended"
    CRASH = "a process is killed, and started again later"
    FREEZE = "a process freezes"
    REBALANCE = "the group assigns the partitions again"
    STORE_AWAY = "the database is away"
    STORE_READ_ONLY = "the database is read-only"
    STATEMENT = "a statement or a commit fails"
    BROKER_AWAY = "the broker is away"
    UNACKNOWLEDGED = "the relay's next batch is appended, but not acknowledged"
    REFUSED = "the relay's next batch is not appended"
    REMADE = "a topic is deleted and created again"
    TRUNCATED = "a new leader lacks the end of a log"
    EXPIRED = "the beginning of a log is deleted"
    COMPACTED = "a record in the middle of a log is deleted"
    CLOCK = "the database's clock jumps"
    REPLAY = "an operator replays the dead records"
    RESET = "an operator has a log read again from its beginning"


@dataclass(frozen=True)
class Happening:
    """One happening, `at` so many seconds after the start. What the others mean depends on it."""

    at: float
    what: What
    whom: int = 0
    """Number of a process or a partition."""
    amount: float = 0
    """Seconds, or a number of offsets."""
    message: SimMessage | None = None
    fault: StatementFault | None = None


@dataclass(frozen=True)
class Schedule:
    """All that a seed decides before the run."""

    seed: int
    members: int
    partitions: int
    happenings: Sequence[Happening]


_TEMPERS: Final[Mapping[Temper, int]] = {
    Temper.GOOD: 70,
    Temper.FLAKY: 10,
    Temper.MENDED: 5,
    Temper.HOPELESS: 5,
    Temper.POISON: 5,
    Temper.TROUBLED: 5,
    Temper.UNREADABLE: 5,
}

_FAULTS: Final[Mapping[What, int]] = {
    What.CRASH: 8,
    What.FREEZE: 10,
    What.REBALANCE: 12,
    What.STORE_AWAY: 6,
    What.STORE_READ_ONLY: 4,
    What.STATEMENT: 24,
    What.BROKER_AWAY: 6,
    What.UNACKNOWLEDGED: 5,
    What.REFUSED: 5,
    What.REMADE: 3,
    What.TRUNCATED: 4,
    What.EXPIRED: 4,
    What.COMPACTED: 4,
    What.CLOCK: 4,
    What.REPLAY: 6,
    What.RESET: 4,
    What.MARK: 4,
    What.ABORT: 3,
    What.DAMAGE: 2,
}

_KEYS: Final = ("A", "B", "C", "large")
_SECONDS: Final = 10.0
"""How long records arrive and faults happen."""


def schedule_of(seed: int) -> Schedule:
    """Draw a schedule."""
    dice = random.Random(seed)
    members, partitions = dice.choice([1, 2, 2, 3]), dice.choice([1, 2, 2, 3])
    deliveries = _deliveries(dice, partitions)
    faults = [_fault(dice, members, partitions) for _ in range(dice.randint(1, 7))]
    happenings = sorted([*deliveries, *faults], key=lambda each: each.at)
    return Schedule(seed, members, partitions, happenings)


def _deliveries(dice: random.Random, partitions: int) -> list[Happening]:
    """Return records of about as many events: some arrive twice, some contradict the first."""
    events = dice.randint(4, 14)
    tempers = dice.choices(list(_TEMPERS), list(_TEMPERS.values()), k=events)
    if dice.random() < 0.1:
        # Many failures in a row set the brake.
        begin = dice.randrange(events)
        failing = dice.choice([Temper.HOPELESS, Temper.UNREADABLE])
        tempers[begin : begin + 4] = [failing] * len(tempers[begin : begin + 4])
    numbers = [each for number in range(events) for each in _repeated(dice, number)]
    numbers += dice.choices(range(events), k=dice.randint(0, events // 3))
    if dice.random() < 0.5:
        dice.shuffle(numbers)
    facts = dice.random()
    times = sorted(dice.uniform(0, _SECONDS) for _ in numbers)
    if dice.random() < 0.5:
        times = [round(at / 4) * 4 for at in times]
    return [
        _delivery(dice, at, (serial, number), tempers[number], partitions, facts)
        for serial, (at, number) in enumerate(zip(times, numbers, strict=True))
    ]


def _repeated(dice: random.Random, number: int) -> Sequence[int]:
    """Return an event once, or twice in a row."""
    return [number] * (2 if dice.random() < 0.15 else 1)


def _delivery(
    dice: random.Random,
    at: float,
    numbers: tuple[int, int],
    temper: Temper,
    partitions: int,
    facts: float,
) -> Happening:
    serial, number = numbers
    # A key has one partition at first; the key and the facts of an event follow from its number.
    own = random.Random(f"{facts} {number}")
    key = own.choice(_KEYS)
    paid, returned = own.choice([0, 10, 20, 30]), own.choice([0, 0, 0, 10, 20])
    if dice.random() < 0.04:
        paid += 1
    message = SimMessage(number, serial, key, temper, paid, returned)
    # A repeat goes elsewhere if partitions were added in between.
    elsewhere = serial > number and dice.random() < 0.4
    whom = (_KEYS.index(key) + elsewhere) % partitions
    return Happening(at, What.DELIVER, whom, message=message)


def _fault(dice: random.Random, members: int, partitions: int) -> Happening:
    (what,) = dice.choices(list(_FAULTS), list(_FAULTS.values()))
    at = dice.uniform(0, _SECONDS + 2)
    whom = dice.randrange(
        members if what in {What.CRASH, What.FREEZE, What.REBALANCE} else partitions
    )
    if what is What.STATEMENT:
        return Happening(at, what, fault=dice.choice(list(StatementFault)))
    if what is What.CLOCK:
        return Happening(at, what, amount=dice.uniform(-20, 20))
    if what in {What.TRUNCATED, What.EXPIRED, What.COMPACTED}:
        return Happening(at, what, whom, amount=dice.randint(0, 3))
    return Happening(at, what, whom, amount=dice.choice([0.3, 1.0, 3.0, 6.0]))
