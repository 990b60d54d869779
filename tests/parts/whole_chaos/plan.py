"""The plan of a chaos run: every fault, in order. It is a function of seed and size alone."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

CONSUMERS: Final = ("ledger", "inventory", "notifications")
INSTANCES: Final = 3
MEMBERS: Final = tuple(f"{name}-{number}" for name in CONSUMERS for number in range(INSTANCES))
EDGES: Final = ("edge-0", "edge-1")
BROKERS: Final = ("broker-0", "broker-1", "broker-2")
PRIMARY: Final = "primary"
STANDBY: Final = "standby"

KILLED: Final = ("consumer", "edge", "broker", "database", "consumer", "consumer")
"""What is killed in turn: of six kills, three hit consumers."""

_TARGETS: Final[Mapping[str, Sequence[str]]] = {
    "consumer": MEMBERS,
    "edge": EDGES,
    "broker": BROKERS,
    "database": (PRIMARY, STANDBY),
}

_ALONE: Final = ("killed in an outage", "taken over")
_JOINING: Final = 0.5
"""Share of the faults that begin together with the one before, where both may."""

SESSION_SECONDS: Final = 6.0
"""Session time-out of the consumers: a freeze is longer."""

TOPICS: Final = ("order", "payment", "payout")
"""Topics that get partitions and other settings."""

SETTINGS: Final = (
    "compression.type=lz4",
    "segment.bytes=1048576",
    "cleanup.policy=compact",
    "min.insync.replicas=1",
    "retention.ms=3600000",
)
"""Settings of a topic that are changed for a while; the last three endanger records."""


@dataclass(frozen=True)
class Fault:
    """One fault: `seconds` is how long it lasts, `after` the deliveries begun before it.

    One that `joins` begins together with the fault before it, in another part of the deployment.
    """

    number: int
    after: int
    kind: str
    target: str
    seconds: float
    value: str = ""
    joins: bool = False

    @property
    def part(self) -> str | None:
        """The part that it breaks alone; None if it needs or breaks several."""
        part, _, how = self.kind.partition(" ")
        return part if part in _TARGETS and how not in _ALONE else None

    @property
    def line(self) -> str:
        """A line of the plan."""
        where = f"{self.target} {self.value}".strip()
        begins = "joins" if self.joins else self.after
        return f"{self.number:>4} {begins:>6}  {self.kind:<24} {where:<32} {self.seconds:.1f} s"


@dataclass(frozen=True)
class Size:
    """How large a run is: deliveries, kills, and faults of each other kind."""

    deliveries: int
    kills: int
    others: int

    @classmethod
    def of(cls, deliveries: int) -> "Size":
        """Return the usual size: 200 kills and 8 of each other fault with 50,000 deliveries."""
        return cls(deliveries, max(4, deliveries // 250), max(1, deliveries // 6250))


_Made = tuple[str, float, str]
"""Target, seconds and value of a fault."""


def planned(seed: int, size: Size) -> Sequence[Fault]:
    """Return the faults of a run in order; each `after` is that many deliveries."""
    random = Random(seed)
    kinds = [f"{KILLED[number % len(KILLED)]} killed" for number in range(size.kills)]
    kinds += [kind for kind in OTHERS for _ in range(size.others)]
    random.shuffle(kinds)
    return list(_joined(_numbered(kinds, size.deliveries, random), random))


def rounds(plan: Sequence[Fault]) -> Sequence[Sequence[Fault]]:
    """Return the faults that begin together."""
    found: list[list[Fault]] = []
    for fault in plan:
        if fault.joins:
            found[-1].append(fault)
        else:
            found.append([fault])
    return found


def _joined(faults: Iterable[Fault], random: Random) -> Iterator[Fault]:
    before: Fault | None = None
    for fault in faults:
        joins = random.random() < _JOINING
        if joins and before and None not in {before.part, fault.part} and not before.joins:
            before = replace(fault, joins=before.part != fault.part)
        else:
            before = fault
        yield before


def _numbered(kinds: Sequence[str], deliveries: int, random: Random) -> Iterator[Fault]:
    for number, kind in enumerate(kinds):
        killed, _, how = kind.partition(" ")
        make = _kill(killed) if how == "killed" else OTHERS[kind]
        target, seconds, value = make(random)
        yield Fault(number, deliveries * number // len(kinds), kind, target, seconds, value)


def _kill(what: str) -> Callable[[Random], _Made]:
    return lambda random: (random.choice(_TARGETS[what]), round(random.uniform(0, 2), 1), "")


def _one_of(targets: Sequence[str], low: float, high: float) -> Callable[[Random], _Made]:
    return lambda random: (random.choice(targets), round(random.uniform(low, high), 1), "")


def _settings(random: Random) -> _Made:
    return random.choice(TOPICS), round(random.uniform(1, 3), 1), random.choice(SETTINGS)


def _clock(random: Random) -> _Made:
    value = f"{random.choice((-1, 1)) * random.randrange(30, 600)} s"
    return random.choice((*MEMBERS, *EDGES)), round(random.uniform(1, 3), 1), value


def _secret(random: Random) -> _Made:
    value = random.choice(("in order", "at once"))
    return random.choice(("blockatm", "pulse2pay")), 0.0, value


OTHERS: Final[Mapping[str, Callable[[Random], _Made]]] = {
    "consumer frozen": _one_of(MEMBERS, SESSION_SECONDS + 1, SESSION_SECONDS + 3),
    "edge frozen": _one_of(EDGES, 1, 8),
    "edge killed in an outage": _one_of(EDGES, 1, 3),
    "broker frozen": _one_of(BROKERS, 1, 8),
    "database frozen": _one_of((PRIMARY, STANDBY), 1, 6),
    "broker restarted": _one_of(BROKERS, 0, 1),
    "database restarted": _one_of((PRIMARY,), 0, 1),
    "database taken over": _one_of((PRIMARY,), 0, 1),
    "partitions added": _one_of(TOPICS, 0, 0),
    "topic settings changed": _settings,
    "clock skewed": _clock,
    "webhook secret rotated": _secret,
    "password rotated": _one_of((PRIMARY,), 0, 0),
    "rolling restart": _one_of((*CONSUMERS, "edge"), 0, 0),
}
"""All faults but kills, each with what makes its target, its seconds and its value."""


def shown(faults: Sequence[Fault]) -> str:
    """Return the plan as a table."""
    head = f"{'':>4} {'after':>6}  {'fault':<24} {'at':<32} lasts"
    return "\n".join([head, *(fault.line for fault in faults)])
