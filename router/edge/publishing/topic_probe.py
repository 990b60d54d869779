"""Checks whether the edge can write to each topic now, without writing anything."""

from collections.abc import Callable, Collection, Sequence

from aiokafka import AIOKafkaProducer

from router.broker.rights import Resource, ResourceKind, Right, denied, lacking
from router.broker.topics.ids import MISSING, TopicSeen, describe


async def problems_of(
    producer: AIOKafkaProducer,
    topics: Sequence[str],
    min_in_sync: Callable[[str], int | None],
    rights: Collection[Right],
    seconds: float,
) -> Sequence[str]:
    """Return the problems that prevent writing, a line each, the most general first.

    `min_in_sync` returns a topic's `min.insync.replicas`, None if it is unknown; `rights`
    are those that writing needs.
    Raises KafkaError or TimeoutError if no broker answers.
    """
    seen = await describe(producer, topics, seconds)
    missing = [name for name in topics if name not in seen or _is_missing(seen[name])]
    problems = [f"no such topic, or no leader for it: {', '.join(missing)}"] if missing else []
    found = [
        problem_of(seen[name], min_in_sync(name) or 1, rights)
        for name in topics
        if name not in missing
    ]
    return [*problems, *(each for each in found if each is not None)]


def _is_missing(seen: TopicSeen) -> bool:
    if seen.error is not None:
        return seen.error == MISSING
    return not any(each.leader is not None for each in seen.partitions.values())


def problem_of(seen: TopicSeen, min_in_sync: int, rights: Collection[Right]) -> str | None:
    """Return the problem that prevents writing to every partition of a topic, None if none does."""
    resource = Resource(ResourceKind.TOPIC, seen.name)
    if seen.granted is not None:
        missing = denied(lacking(rights, {resource: seen.granted}))
        if missing:
            return missing[0]
    if seen.error is not None:
        return f"topic {seen.name}: {seen.error}"
    led = [each for each in seen.partitions.values() if each.leader is not None]
    # Kafka never requires more in-sync replicas than a partition has replicas.
    if all(len(each.in_sync) < min(min_in_sync, len(each.replicas)) for each in led):
        most = max((len(each.in_sync) for each in led), default=0)
        return (
            f"topic {seen.name} has at most {most} replicas in sync,"
            f" min.insync.replicas is {min_in_sync}"
        )
    return None
