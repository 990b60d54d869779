"""The needs of each topic, and the differences between them and a topic on the broker. No I/O.

A difference *endangers* if it could lose a genuine event: one that was acknowledged, or one that
the topic can never accept because it is too large.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

UNLIMITED = -1
"""Kafka's value for no limit, of time or of bytes."""

_SIZE = "max.message.bytes"
_NEVER_SHRUNK = frozenset({"retention.ms", "retention.bytes", _SIZE})
_MIN_IN_SYNC = "min.insync.replicas"


class Fix(StrEnum):
    """Ways to fix a difference."""

    CREATE = "create"
    """`payrouter topics apply`."""
    ALTER = "alter"
    """`payrouter topics apply --alter`: loses no record."""
    BY_HAND = "by hand"
    """One of Kafka's own commands, run by an operator."""
    WAIT = "wait"
    """Nothing to change: brokers have to come back."""


@dataclass(frozen=True)
class Exactly:
    """A configuration that must have this value; with `endangers`, any other value endangers.

    `explicit`: set when a topic is created, instead of using the broker's default.
    """

    key: str
    value: str
    endangers: bool = False
    explicit: bool = False

    def differs(self, found: str) -> bool:
        """Return whether a value differs."""
        return found != self.value

    def loses(self, found: str) -> bool:
        """Return whether a value endangers acknowledged events."""
        return self.endangers and self.differs(found)


@dataclass(frozen=True)
class AtLeast:
    """A configuration that must be at least this number; -1 is unlimited.

    A value below `safe` endangers; None: no value does. `explicit` as in `Exactly`.
    """

    key: str
    least: int
    safe: int | None = None
    explicit: bool = False

    @property
    def value(self) -> str:
        """The value to create a topic with."""
        return str(self.least)

    def differs(self, found: str) -> bool:
        """Return whether a value is too small."""
        return _size(int(found)) < _size(self.least)

    def loses(self, found: str) -> bool:
        """Return whether a value is small enough to endanger acknowledged events."""
        return self.safe is not None and _size(int(found)) < _size(self.safe)


ConfigNeed = Exactly | AtLeast


@dataclass(frozen=True)
class TopicNeed:
    """Needs of one topic.

    A topic that is not `ours` is created if it is missing; if it exists, its owner
    decides about partitions and replicas. Without `matters`, losing the topic loses no
    acknowledged event.
    """

    name: str
    partitions: int
    replication_factor: int
    min_insync_replicas: int
    compared: tuple[ConfigNeed, ...] = ()
    ours: bool = True
    matters: bool = True

    def configs(self) -> dict[str, str]:
        """Return the configuration for creating the topic."""
        return {need.key: need.value for need in self.compared if need.explicit}


@dataclass(frozen=True)
class PartitionFound:
    """Number of replicas of a partition, and number of them in sync."""

    replicas: int
    in_sync: int


@dataclass(frozen=True)
class TopicFound:
    """A topic, as described by the broker.

    No partitions: there is no such topic. None: the broker does not describe the topic,
    or does not show its configuration, for the reason `unchecked`.
    """

    partitions: Mapping[int, PartitionFound] | None
    configs: Mapping[str, str] | None
    unchecked: str | None = None


@dataclass(frozen=True)
class Difference:
    """One property of a topic that does not match its need.

    `wanted` and `found` are in Kafka's own units. With `at_least`, more than `wanted` is
    fine too. `action` is a command or an instruction.
    """

    topic: str
    what: str
    wanted: str
    found: str
    endangers: bool
    fix: Fix
    action: str
    at_least: bool = False

    @property
    def loses(self) -> bool:
        """Whether acknowledged events could be lost, so that none may be acknowledged.

        A topic with too small a record size refuses larger records and stores all others.
        """
        return self.endangers and self.what != _SIZE

    @property
    def problem(self) -> str:
        """Name the topic and the problem."""
        if self.what == MISSING:
            return f"there is no topic {self.topic}"
        wanted = readable(self.what, self.wanted) + (" or more" if self.at_least else "")
        found = readable(self.what, self.found)
        return f"topic {self.topic} has {self.what} {found}, needs {wanted}"

    def __str__(self) -> str:
        """Name the topic, the problem and the fix."""
        return f"{self.problem}: {self.action}"


@dataclass(frozen=True)
class Change:
    """Changes to one topic."""

    topic: str
    configs: Mapping[str, str] = field(default_factory=dict)
    partitions: int | None = None


MISSING = "topic"
PARTITIONS = "partitions"
REPLICATION = "replication factor"
IN_SYNC = "replicas in sync"

_APPLY = "run `payrouter topics apply`"
_ALTER = "run `payrouter topics apply --alter`"


def compare(needs: Collection[TopicNeed], found: Mapping[str, TopicFound]) -> Sequence[Difference]:
    """Return all differences, in the order of the needs; skips topics missing in `found`."""
    differences: list[Difference] = []
    for need in needs:
        topic = found.get(need.name)
        if topic is not None:
            differences += _of_topic(need, topic)
    return differences


def changes(needs: Collection[TopicNeed], differences: Collection[Difference]) -> Sequence[Change]:
    """Return the changes that `--alter` may make for these differences, one per topic."""
    planned = []
    for need in needs:
        own = [d for d in differences if d.topic == need.name and d.fix is Fix.ALTER]
        configs = {d.what: d.wanted for d in own if d.what != PARTITIONS}
        partitions = need.partitions if any(d.what == PARTITIONS for d in own) else None
        if own:
            planned.append(Change(need.name, configs, partitions))
    return planned


def readable(what: str, value: str) -> str:
    """Format a value in the largest unit that gives a whole number."""
    if what.endswith(".ms"):
        return _scaled(value, _TIMES, "forever")
    return _scaled(value, _SIZES, "unlimited") if what.endswith(".bytes") else value


_TIMES = (("day", 24 * 3600 * 1000), ("hour", 3600 * 1000), ("minute", 60 * 1000), ("second", 1000))
_SIZES = (("MiB", 1024 * 1024), ("KiB", 1024))


def _scaled(value: str, units: Sequence[tuple[str, int]], unlimited: str) -> str:
    number = int(value)
    if number == UNLIMITED:
        return unlimited
    for unit, size in units:
        if number and number % size == 0:
            count = number // size
            return f"{count} {unit}" if count == 1 or units is _SIZES else f"{count} {unit}s"
    return f"{number} {'ms' if units is _TIMES else 'bytes'}"


def _of_topic(need: TopicNeed, found: TopicFound) -> Sequence[Difference]:
    if found.partitions is None:
        return []
    if not found.partitions:
        return [Difference(need.name, MISSING, "there", "none", need.matters, Fix.CREATE, _APPLY)]
    differences = _of_layout(need, found.partitions)
    for config in need.compared:
        value = (found.configs or {}).get(config.key)
        # A broker that lacks a configuration does not show it, and it has no effect there.
        if value is not None and config.differs(value):
            differences.append(_of_config(need, config, value, found.partitions))
    return differences


def _of_layout(need: TopicNeed, partitions: Mapping[int, PartitionFound]) -> list[Difference]:
    differences = []
    if need.ours and len(partitions) < need.partitions:
        differences.append(_fewer(need, PARTITIONS, need.partitions, len(partitions), Fix.ALTER))
    replicas = min(partition.replicas for partition in partitions.values())
    if replicas < need.replication_factor:
        differences.append(
            _fewer(need, REPLICATION, need.replication_factor, replicas, Fix.BY_HAND)
        )
    in_sync = min(partition.in_sync for partition in partitions.values())
    # Not reported twice: with too few replicas, too few are in sync anyway.
    if in_sync < min(need.min_insync_replicas, replicas):
        differences.append(_fewer(need, IN_SYNC, need.min_insync_replicas, in_sync, Fix.WAIT))
    return differences


def _fewer(need: TopicNeed, what: str, wanted: int, found: int, fix: Fix) -> Difference:
    safe = {PARTITIONS: 0, REPLICATION: need.min_insync_replicas, IN_SYNC: wanted}[what]
    action = {
        PARTITIONS: _ALTER,
        REPLICATION: f"give {need.name} more replicas with kafka-reassign-partitions.sh",
        IN_SYNC: "start the brokers that hold its other replicas",
    }[what]
    endangers = need.matters and need.ours and found < safe
    return Difference(
        need.name, what, str(wanted), str(found), endangers, fix, action, at_least=True
    )


def _of_config(
    need: TopicNeed, config: ConfigNeed, found: str, partitions: Mapping[int, PartitionFound]
) -> Difference:
    fix, action = _ALTER_OR_HAND[_may_alter(need, config, found, partitions)]
    command = (
        f"run `kafka-configs.sh --bootstrap-server HOST:PORT --alter --topic {need.name}"
        f" --add-config {config.key}={config.value}`"
    )
    return Difference(
        need.name,
        config.key,
        config.value,
        found,
        need.matters and config.loses(found),
        fix,
        action or command,
        at_least=isinstance(config, AtLeast) and config.least != UNLIMITED,
    )


_ALTER_OR_HAND: Mapping[bool, tuple[Fix, str]] = {
    True: (Fix.ALTER, _ALTER),
    False: (Fix.BY_HAND, ""),
}


def _may_alter(
    need: TopicNeed, config: ConfigNeed, found: str, partitions: Mapping[int, PartitionFound]
) -> bool:
    """Return whether the change is safe: deletes no record, refuses none accepted before."""
    if not need.ours:
        return False
    if config.key in _NEVER_SHRUNK:
        return _size(int(config.value)) > _size(int(found))
    if config.key == _MIN_IN_SYNC:
        # With fewer replicas than that, all writes would fail.
        return min(each.replicas for each in partitions.values()) >= int(config.value)
    return True


def _size(number: int) -> float:
    return float("inf") if number == UNLIMITED else number
