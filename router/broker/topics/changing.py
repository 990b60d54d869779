"""Creates and alters topics on the broker, according to their needs."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

from aiokafka.admin import NewPartitions, NewTopic
from aiokafka.errors import InvalidPartitionsError, KafkaError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from router.broker.adapter.private import KafkaClient, ask
from router.broker.topics.alter_configs import AlterConfigsRequest, refusals
from router.broker.topics.contract import Change, TopicNeed
from router.broker.topics.listing import REQUEST_SECONDS, Admin

CHANGE_SECONDS = 30.0
"""Time-out for creating or altering topics."""

_EXISTS = "TopicAlreadyExistsError"


async def create(admin: Admin, needs: Sequence[TopicNeed]) -> tuple[set[str], dict[str, str]]:
    """Create topics; return the created ones, and by topic the reason of each refusal.

    Raises KafkaError or TimeoutError.
    """
    topics = [
        NewTopic(need.name, need.partitions, need.replication_factor, topic_configs=need.configs())
        for need in needs
    ]
    async with asyncio.timeout(CHANGE_SECONDS):
        answer = await admin.create_topics(topics)
    made, refused = set(), {}
    for name, code, *detail in answer.topic_errors:
        error = for_code(code)
        if not code:
            made.add(name)
        # Another client may have created it in the meantime, such as a second `topics apply`.
        elif error.__name__ != _EXISTS:
            refused[name] = _refusal(code, detail[0] if detail else "")
    return made, refused


async def alter(admin: Admin, planned: Sequence[Change]) -> dict[str, str]:
    """Alter topics; return the reason of each refusal, by topic.

    Raises KafkaError or TimeoutError.
    """
    configs = {each.topic: each.configs for each in planned if each.configs}
    refused: dict[str, str] = {}
    if configs:
        answer = await ask(admin, AlterConfigsRequest(configs), seconds=CHANGE_SECONDS)
        refused = {name: _refusal(*error) for name, error in refusals(answer).items()}
    for each in planned:
        if each.partitions is not None:
            refused |= await _enlarge(admin, each.topic, each.partitions)
    return refused


async def _enlarge(admin: Admin, topic: str, partitions: int) -> dict[str, str]:
    try:
        async with asyncio.timeout(CHANGE_SECONDS):
            await admin.create_partitions({topic: NewPartitions(partitions)})
    except InvalidPartitionsError:
        # Another `topics apply` may have added them in the meantime. The caller checks again.
        return {}
    except KafkaError as error:
        return {topic: str(error)}
    return {}


async def touch(client: KafkaClient, names: Collection[str]) -> None:
    """Make the evaluation broker create topics: it does so when their metadata is requested."""
    request = MetadataRequest(list(names), allow_auto_topic_creation=True)
    await ask(client, request, seconds=REQUEST_SECONDS)


def _refusal(code: int, message: Any) -> str:  # noqa: ANN401 - aiokafka is untyped
    name = for_code(code).__name__
    return f"{name}: {message}" if message else str(name)
