"""Needs of every topic of this configuration."""

from collections.abc import Collection, Sequence

from router.broker.topics.contract import UNLIMITED, AtLeast, ConfigNeed, Exactly, TopicNeed
from router.configuration.settings import Settings
from router.contract.topics import TopicsBeside
from router.errors import ConfigurationError

ROOM_FOR_WRAPPED = 2
"""Quarantine and dead letters contain records with another whole record inside."""

SAFE_RETENTION_HOURS = 24
"""Below this, a consumer that is down for a night or a day loses events.

A retention between this and `[topics] retention_hours` is reported as a difference,
but deliveries are still accepted: to refuse them would lose more.
"""

SAFE_PARTITION_BYTES = 1024**3
"""The same for a partition that is bounded by its size."""

CLOCK_MILLISECONDS = 3600 * 1000
"""How far a producer's clock may be off before the broker refuses its records."""

REFUSED_DAYS = 3
REFUSED_PARTITION_BYTES = 64 * 1024 * 1024
REFUSED_SEGMENT_BYTES = 16 * 1024 * 1024
"""Kafka deletes whole closed segments only: small ones make the two bounds above effective."""

_HOUR = 3600 * 1000
_DAY = 24 * _HOUR
NOTHING = TopicsBeside()


def topic_needs(settings: Settings, beside: TopicsBeside = NOTHING) -> Sequence[TopicNeed]:
    """Return the needs of every topic, including the topics that the edge does not write to."""
    names = settings.topics.topics()
    passing = [_passing(settings, name) for name in beside.passing]
    foreign = [_foreign(settings, name) for name in beside.foreign]
    kept = [_kept(settings, name, None) for name in beside.kept]
    return [*edge_needs(settings), *passing, *foreign, _refused(settings, names.refused), *kept]


def edge_needs(settings: Settings) -> Sequence[TopicNeed]:
    """Return the needs of the topics that the edge must be able to write to."""
    names = settings.topics.topics()
    room = largest_record(settings)
    return [
        *(_passing(settings, name, room) for name in names.events),
        _kept(settings, names.quarantine, room),
    ]


def needs_of(needs: Collection[TopicNeed], names: Collection[str]) -> Sequence[TopicNeed]:
    """Return the needs of these topics alone."""
    return [need for need in needs if need.name in names]


def _passing(settings: Settings, name: str, room: int | None = None) -> TopicNeed:
    """Return the needs of a topic of events, with room for records of so many bytes."""
    size = AtLeast("max.message.bytes", settings.kafka.max_request_bytes, room, explicit=True)
    return _need(settings, name, (*_lasting(settings), *_ours(settings), size))


def _foreign(settings: Settings, name: str) -> TopicNeed:
    """Return the needs of a topic that others write, so that a reader loses no record."""
    wanted = settings.topics
    in_sync = AtLeast("min.insync.replicas", wanted.min_insync_replicas, explicit=True)
    return _need(settings, name, (*_lasting(settings), in_sync), ours=False)


def _kept(settings: Settings, name: str, room: int | None) -> TopicNeed:
    """Return the needs of a topic with unlimited retention and records that contain another one."""
    size = settings.kafka.max_request_bytes * ROOM_FOR_WRAPPED
    own = (
        AtLeast("retention.ms", UNLIMITED, UNLIMITED, explicit=True),
        AtLeast("retention.bytes", UNLIMITED, UNLIMITED),
        AtLeast("max.message.bytes", size, room, explicit=True),
    )
    return _need(settings, name, (*_never_rewritten(), *own, *_ours(settings)))


def _refused(settings: Settings, name: str) -> TopicNeed:
    """Return the needs of the samples of refused deliveries: little space, and few days."""
    own = (
        Exactly("cleanup.policy", "delete", explicit=True),
        Exactly("retention.ms", str(REFUSED_DAYS * _DAY), explicit=True),
        Exactly("retention.bytes", str(REFUSED_PARTITION_BYTES), explicit=True),
        Exactly("segment.ms", str(_DAY), explicit=True),
        Exactly("segment.bytes", str(REFUSED_SEGMENT_BYTES), explicit=True),
        AtLeast("max.message.bytes", settings.kafka.max_request_bytes, explicit=True),
    )
    return _need(settings, name, (*own, *_ours(settings)), matters=False)


def _lasting(settings: Settings) -> tuple[ConfigNeed, ...]:
    wanted = settings.topics.retention_hours
    safe = min(wanted, SAFE_RETENTION_HOURS) * _HOUR
    return (
        *_never_rewritten(),
        AtLeast("retention.ms", wanted * _HOUR, safe),
        AtLeast("retention.bytes", UNLIMITED, SAFE_PARTITION_BYTES),
    )


def _never_rewritten() -> tuple[ConfigNeed, ...]:
    return (
        Exactly("cleanup.policy", "delete", endangers=True, explicit=True),
        Exactly("unclean.leader.election.enable", "false", endangers=True),
    )


def _ours(settings: Settings) -> tuple[ConfigNeed, ...]:
    """Return the needs of every topic that we write to."""
    wanted = settings.topics.min_insync_replicas
    return (
        AtLeast("min.insync.replicas", wanted, wanted, explicit=True),
        Exactly("compression.type", "producer"),
        Exactly("message.timestamp.type", "CreateTime"),
        AtLeast("message.timestamp.after.max.ms", CLOCK_MILLISECONDS),
        AtLeast("message.timestamp.before.max.ms", CLOCK_MILLISECONDS),
    )


def _need(
    settings: Settings,
    name: str,
    compared: tuple[ConfigNeed, ...],
    *,
    ours: bool = True,
    matters: bool = True,
) -> TopicNeed:
    topics = settings.topics
    return TopicNeed(
        name,
        topics.partitions,
        topics.replication_factor,
        topics.min_insync_replicas,
        compared,
        ours,
        matters,
    )


RECORD_OVERHEAD_BYTES = 32 * 1024
"""Room for the normalized fields and the headers of the record."""


def largest_record(settings: Settings) -> int:
    """Return how many bytes a record may have: the body as base64, its headers and overhead."""
    # A quotation mark in a header or the target takes two bytes in JSON.
    kept = settings.edge.body_limit_bytes * 4 // 3 + settings.edge.header_limit_bytes * 2
    return kept + RECORD_OVERHEAD_BYTES


def check_room(settings: Settings) -> None:
    """Raise ConfigurationError for a body limit whose records the producer could not send."""
    needed = largest_record(settings)
    if needed > settings.kafka.max_request_bytes:
        message = (
            f"edge.body_limit_bytes: a body of {settings.edge.body_limit_bytes} bytes makes a"
            f" record of up to {needed}, kafka.max_request_bytes is"
            f" {settings.kafka.max_request_bytes}"
        )
        raise ConfigurationError(message)
