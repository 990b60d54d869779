"""Asks the broker whether records of ours can be written to each topic now; writes nothing."""

from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaProducer

from router.broker.topic_ids import TopicSeen, describe


async def problems_of(
    producer: AIOKafkaProducer,
    topics: Sequence[str],
    min_in_sync: Callable[[str], int | None],
    seconds: float,
) -> Sequence[str]:
    """Return what prevents writing, a line per topic, the most general first.

    `min_in_sync` returns a topic's `min.insync.replicas`, None if it is not known.
    Raises KafkaError or TimeoutError where no broker answers.
    """
    seen = await describe(producer, topics, seconds)
    missing = [name for name in topics if not _has_leader(seen.get(name))]
    problems = [f"no such topic, or no leader for it: {', '.join(missing)}"] if missing else []
    found = [_problem(seen[name], min_in_sync(name) or 1) for name in topics if name in seen]
    return [*problems, *(each for each in found if each is not None)]


def _has_leader(seen: TopicSeen | None) -> bool:
    return seen is not None and any(each.leader is not None for each in seen.partitions.values())


def _problem(seen: TopicSeen, min_in_sync: int) -> str | None:
    if seen.may_write is False:
        return f"no right to write to topic {seen.name}: allow WRITE on it to the user of the edge"
    in_sync = [len(each.in_sync) for each in seen.partitions.values() if each.leader is not None]
    if in_sync and max(in_sync) < min_in_sync:
        return (
            f"topic {seen.name} has {max(in_sync)} in-sync replicas in its partitions,"
            f" min.insync.replicas is {min_in_sync}"
        )
    return None
