"""Rights that each process needs on Kafka, and the message and command if one is missing.

The only table of them: messages, `payrouter doctor`, `payrouter rights` and docs/kafka-rights.md
all come from it. Imports no Kafka client.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from router.contract.topics import Topics

ANY = "*"
"""Name of every resource of a kind."""


class KafkaOperation(StrEnum):
    """Operations of Kafka's access control, by the names that `kafka-acls.sh` takes."""

    READ = "Read"
    WRITE = "Write"
    CREATE = "Create"
    ALTER = "Alter"
    DESCRIBE = "Describe"
    DESCRIBE_CONFIGS = "DescribeConfigs"
    ALTER_CONFIGS = "AlterConfigs"

    @property
    def bit(self) -> int:
        """Bit of the operation in a broker's set of authorized operations."""
        return 1 << _CODES[self]


_CODES: Mapping[KafkaOperation, int] = {
    KafkaOperation.READ: 3,
    KafkaOperation.WRITE: 4,
    KafkaOperation.CREATE: 5,
    KafkaOperation.ALTER: 7,
    KafkaOperation.DESCRIBE: 8,
    KafkaOperation.DESCRIBE_CONFIGS: 10,
    KafkaOperation.ALTER_CONFIGS: 11,
}

_SHOWING = {
    KafkaOperation.READ,
    KafkaOperation.WRITE,
    KafkaOperation.ALTER,
    KafkaOperation.DESCRIBE,
}
"""Operations that include DESCRIBE: with any of them, the broker shows the resource."""


class ResourceKind(StrEnum):
    """Kinds of resources with access control, by the options of `kafka-acls.sh`."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactional-id"


@dataclass(frozen=True)
class Resource:
    """A topic, group or transactional id."""

    kind: ResourceKind
    name: str

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self.kind.replace('-', ' ')} `{self.name}`"

    @property
    def option(self) -> str:
        """The option of `kafka-acls.sh` that chooses it."""
        return f"--{self.kind} {_quoted(self.name)}"


@dataclass(frozen=True)
class Right:
    """A right that a process needs: its user, the operation, the resource, and what it is for.

    Without a `required` one, the process does its work but for what `why` names.
    """

    principal: str
    operation: KafkaOperation
    resource: Resource
    why: str
    required: bool = True


UNKNOWN_USER = "User:NAME"
"""Placeholder for a user whose name only the broker has, such as that of a certificate."""


def principal_of(username: str | None) -> str:
    """Return the principal of a SASL user, as access control lists name it."""
    return f"User:{username}" if username else UNKNOWN_USER


def on_topic(user: str, operation: KafkaOperation, topic: str, why: str) -> Right:
    """Return a right on a topic."""
    return Right(user, operation, Resource(ResourceKind.TOPIC, topic), why)


# --- what each process needs ---------------------------------------------------------------------


@dataclass(frozen=True)
class ConsumerParts:
    """What a consumer reads and publishes, by the names on the broker.

    `recalls` if it reads its own outcomes. `commanded` are the topics on which it publishes what
    operators record or decide.
    """

    group_id: str
    read: Sequence[str]
    dead_letters: Sequence[str]
    outcome: str | None = None
    recalls: bool = False
    commanded: Sequence[str] = ()


def edge_rights(user: str, topics: Topics) -> Sequence[Right]:
    """Return the rights of an edge."""
    written = [*topics.events, topics.quarantine]
    return [
        *_on_topics(user, KafkaOperation.WRITE, written, "publishes deliveries"),
        *_compared(user, written),
        *_optional(
            _on_topics(user, KafkaOperation.WRITE, [topics.refused], "stores samples of refused")
        ),
    ]


def consumer_rights(user: str, parts: ConsumerParts) -> Sequence[Right]:
    """Return the rights of a consumer process."""
    said = [parts.outcome] if parts.outcome else []
    beside = [topic for topic in parts.commanded if topic not in said]
    return [
        _right(user, KafkaOperation.READ, ResourceKind.GROUP, parts.group_id, "joins its group"),
        *_on_topics(user, KafkaOperation.READ, parts.read, "applies events"),
        *_on_topics(user, KafkaOperation.WRITE, parts.dead_letters, "publishes dead letters"),
        *_on_topics(user, KafkaOperation.WRITE, said, "publishes outcomes"),
        *_on_topics(
            user, KafkaOperation.READ, said if parts.recalls else (), "recalls what it did"
        ),
        *_compared(user, [*parts.read, *parts.dead_letters, *said]),
        *_optional(
            _on_topics(user, KafkaOperation.WRITE, beside, "publishes what operators decide")
        ),
        Right(
            user,
            KafkaOperation.DESCRIBE,
            Resource(ResourceKind.TRANSACTIONAL_ID, ANY),
            "names the producer of an open transaction",
            required=False,
        ),
    ]


def exporter_rights(user: str, consumers: Collection[ConsumerParts]) -> Sequence[Right]:
    """Return the rights of the exporter of these consumers."""
    return [
        *_on_topics(user, KafkaOperation.READ, _read_by(consumers), "reads the age of what waits"),
        *_described(user, consumers),
    ]


def deployer_rights(user: str, every: Sequence[str]) -> Sequence[Right]:
    """Return the rights of `payrouter topics apply` on all topics."""
    return [
        *_on_topics(user, KafkaOperation.CREATE, every, "creates missing topics"),
        *_on_topics(user, KafkaOperation.DESCRIBE, every, "compares topics"),
        *_on_topics(user, KafkaOperation.DESCRIBE_CONFIGS, every, "compares topics"),
        *_optional(_on_topics(user, KafkaOperation.ALTER, every, "adds partitions: --alter")),
        *_optional(_on_topics(user, KafkaOperation.ALTER_CONFIGS, every, "configures: --alter")),
    ]


def console_rights(
    user: str, topics: Topics, consumers: Collection[ConsumerParts]
) -> Sequence[Right]:
    """Return the rights of the console: it reads, and replays quarantined deliveries."""
    replayed = [*topics.events, topics.quarantine]
    kept = [topics.quarantine, topics.refused]
    shown = list(dict.fromkeys([*topics.events, *_read_by(consumers)]))
    return [
        *_on_topics(user, KafkaOperation.READ, shown, "shows events and lag"),
        *_on_topics(user, KafkaOperation.READ, kept, "shows deliveries that had no effect"),
        *_described(user, consumers),
        *_optional(_on_topics(user, KafkaOperation.WRITE, replayed, "replays, with actions on")),
    ]


def operator_rights(
    user: str, topics: Topics, consumers: Collection[ConsumerParts]
) -> Sequence[Right]:
    """Return the rights of the other commands of operators."""
    replayed = [*topics.events, topics.quarantine]
    kept = [topics.quarantine, topics.refused]
    return [
        *_on_topics(user, KafkaOperation.READ, _read_by(consumers), "offsets show, offsets reset"),
        *_on_topics(user, KafkaOperation.READ, kept, "trace, quarantine, refused"),
        *_described(user, consumers),
        *_optional(_on_topics(user, KafkaOperation.WRITE, replayed, "quarantine replay")),
        *_optional(_on_topics(user, KafkaOperation.WRITE, [topics.order], "send order")),
    ]


def _read_by(consumers: Iterable[ConsumerParts]) -> Sequence[str]:
    return list(dict.fromkeys(topic for each in consumers for topic in each.read))


def _described(user: str, consumers: Iterable[ConsumerParts]) -> Iterator[Right]:
    why = "shows members and offsets"
    for each in consumers:
        yield _right(user, KafkaOperation.DESCRIBE, ResourceKind.GROUP, each.group_id, why)


def _compared(user: str, topics: Iterable[str]) -> Iterator[Right]:
    return _optional(_on_topics(user, KafkaOperation.DESCRIBE_CONFIGS, topics, "compares topics"))


def _optional(rights: Iterable[Right]) -> Iterator[Right]:
    return (replace(each, required=False) for each in rights)


def _on_topics(
    user: str, operation: KafkaOperation, topics: Iterable[str], why: str
) -> Iterator[Right]:
    return (on_topic(user, operation, topic, why) for topic in topics)


def _right(user: str, operation: KafkaOperation, kind: ResourceKind, name: str, why: str) -> Right:
    return Right(user, operation, Resource(kind, name), why)


# --- what is missing, and how to grant it --------------------------------------------------------

NOTHING_GRANTED = 0
"""Authorized operations of a resource that the broker does not show to us."""


def lacking(rights: Iterable[Right], granted: Mapping[Resource, int]) -> Sequence[Right]:
    """Return the rights that are certainly missing; a resource without an answer is unknown.

    If the broker does not show a resource, those that include DESCRIBE are missing, and of the
    others nothing is known.
    """
    return [
        each
        for each in rights
        if each.resource in granted
        and not granted[each.resource] & each.operation.bit
        and (granted[each.resource] != NOTHING_GRANTED or each.operation in _SHOWING)
    ]


def denied(missing: Collection[Right]) -> Sequence[str]:
    """Return a sentence for each set of missing rights, with the command that grants them."""
    return [f"{lacks(own)}; grant: {grant(own)}" for own in alike(missing)]


def lacks(rights: Sequence[Right]) -> str:
    """Name the missing operations and their resources, which are all of a kind."""
    first = rights[0]
    operations = " and ".join(dict.fromkeys(each.operation.name for each in rights))
    names = ", ".join(dict.fromkeys(f"`{each.resource.name}`" for each in rights))
    several = "s" if len({each.resource for each in rights}) > 1 else ""
    kind = first.resource.kind.replace("-", " ")
    return f"{first.principal} may not {operations} {kind}{several} {names}"


def alike(rights: Iterable[Right]) -> Sequence[Sequence[Right]]:
    """Return rights in groups of resources of a kind, for which the same operations are needed."""
    by_resource: dict[Resource, dict[KafkaOperation, Right]] = {}
    for each in rights:
        by_resource.setdefault(each.resource, {}).setdefault(each.operation, each)
    groups: dict[object, list[Right]] = {}
    for resource, own in by_resource.items():
        needed = any(each.required for each in own.values())
        groups.setdefault((resource.kind, frozenset(own), needed), []).extend(own.values())
    return list(groups.values())


def grant(rights: Sequence[Right]) -> str:
    """Return the command that grants rights of one principal on resources.

    It grants each operation on each resource.
    """
    operations = dict.fromkeys(each.operation for each in rights)
    resources = dict.fromkeys(each.resource for each in rights)
    return " ".join(
        [
            "kafka-acls.sh --bootstrap-server HOST:PORT --add",
            f"--allow-principal {_quoted(rights[0].principal)}",
            *(f"--operation {operation}" for operation in operations),
            *(resource.option for resource in resources),
        ]
    )


def _quoted(text: str) -> str:
    """Quote a word for a shell if it needs that."""
    plain = all(each.isalnum() or each in "._-:@=/" for each in text)
    return text if plain else "'" + text.replace("'", "'\\''") + "'"
