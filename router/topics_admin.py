"""`payrouter topics apply`: make the topics, with what the promises need."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from router.contract.topics import TopicsBeside
from router.kafka_client import client_options
from router.settings import Settings

FOR_EVER = "-1"
ROOM_FOR_WRAPPED = 2
"""Quarantine and dead letters take records that hold another whole one."""

REFUSED_DAYS = 3
REFUSED_PARTITION_BYTES = 64 * 1024 * 1024
REFUSED_SEGMENT_BYTES = 16 * 1024 * 1024
"""Kafka deletes whole closed segments only: small ones make the two bounds above effective."""

TIMEOUT_SECONDS = 30.0
AUTOMATIC_LOOKS = 10
"""How often to look again for topics that the broker makes by itself."""


NOTHING = TopicsBeside()


class TopicsUnavailable(Exception):  # noqa: N818 - reads as what happened
    """The topics could not be made; the message says why."""


@dataclass(frozen=True)
class TopicResult:
    """What became of one topic: `created` or `there`."""

    name: str
    result: str


def planned_topics(settings: Settings, beside: TopicsBeside = NOTHING) -> Sequence[NewTopic]:
    """Return the topics of this configuration as they are to be."""
    names = settings.topics.topics()
    size = settings.kafka.max_request_bytes
    passing = [*names.events, *beside.passing]
    events = [_topic(settings, name, {"max.message.bytes": str(size)}) for name in passing]
    keeping = {"max.message.bytes": str(size * ROOM_FOR_WRAPPED), "retention.ms": FOR_EVER}
    quarantine, *dead = [
        _topic(settings, name, keeping) for name in (names.quarantine, *beside.kept)
    ]
    return [*events, quarantine, _topic(settings, names.refused, _samples(size)), *dead]


def _samples(size: int) -> dict[str, str]:
    day = 24 * 3600 * 1000
    return {
        "max.message.bytes": str(size),
        "cleanup.policy": "delete",
        "retention.ms": str(REFUSED_DAYS * day),
        "retention.bytes": str(REFUSED_PARTITION_BYTES),
        "segment.ms": str(day),
        "segment.bytes": str(REFUSED_SEGMENT_BYTES),
    }


async def apply_topics(settings: Settings, beside: TopicsBeside = NOTHING) -> Sequence[TopicResult]:
    """Make every topic that is not there, and say what was done; changes none that is."""
    planned = planned_topics(settings, beside)
    made: set[str] = set()
    admin = AIOKafkaAdminClient(**client_options(settings.kafka))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await admin.start()
            there = set(await admin.list_topics())
            missing = [topic for topic in planned if topic.name not in there]
            if missing:
                made = _made(await admin.create_topics(missing))
    except (KafkaError, TimeoutError, OSError) as error:
        where = settings.kafka.bootstrap_servers
        message = f"cannot make topics on the broker at {where}: {type(error).__name__}"
        raise TopicsUnavailable(message) from None
    finally:
        await admin.close()
    return [TopicResult(t.name, "created" if t.name in made else "there") for t in planned]


async def require_topics(settings: Settings, beside: TopicsBeside = NOTHING) -> None:
    """Return where every topic is there, or comes into being by being asked for.

    Nothing depends on `refused`, so it may be missing.
    """
    optional = settings.topics.topics().refused
    planned = [topic.name for topic in planned_topics(settings, beside)]
    names = [name for name in planned if name != optional]
    where = settings.kafka.bootstrap_servers
    admin = AIOKafkaAdminClient(**client_options(settings.kafka))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await admin.start()
            missing = await _missing(admin, names)
            for _ in range(AUTOMATIC_LOOKS):
                if not missing:
                    return
                await asyncio.sleep(0.2)
                missing = await _missing(admin, names)
    except (KafkaError, TimeoutError, OSError) as error:
        message = f"cannot reach the broker at {where}: {type(error).__name__}"
        raise TopicsUnavailable(message) from None
    finally:
        await admin.close()
    message = (
        f"the broker at {where} has no topic {', '.join(missing)}: run `payrouter topics apply`"
    )
    raise TopicsUnavailable(message)


async def _missing(admin: AIOKafkaAdminClient, names: Sequence[str]) -> Sequence[str]:
    found = await admin.describe_topics(list(names))
    there = {topic["topic"] for topic in found if topic["partitions"]}
    return [name for name in names if name not in there]


async def touch_topics(settings: Settings, beside: TopicsBeside = NOTHING) -> None:
    """Make the evaluation broker make the topics: it does so when asked for their metadata."""
    admin = AIOKafkaAdminClient(**client_options(settings.kafka))
    try:
        await admin.start()
        await admin.describe_topics([topic.name for topic in planned_topics(settings, beside)])
    finally:
        await admin.close()


def _topic(settings: Settings, name: str, configs: dict[str, str]) -> NewTopic:
    topics = settings.topics
    return NewTopic(
        name,
        topics.partitions,
        topics.replication_factor,
        topic_configs={"min.insync.replicas": str(topics.min_insync_replicas), **configs},
    )


def _made(response: Any) -> set[str]:  # noqa: ANN401 - aiokafka's response
    made = set()
    for name, code, *detail in response.topic_errors:
        error = for_code(code)
        if not code:
            made.add(name)
        # Another `topics apply` at the same time is no harm, nor one that no broker knows of yet.
        elif error.__name__ != "TopicAlreadyExistsError":
            message = f"topic {name}: {error.__name__}: {detail[0] if detail else ''}"
            raise TopicsUnavailable(message)
    return made
