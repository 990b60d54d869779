"""Describes, creates and alters topics on the broker, according to their needs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    InvalidPartitionsError,
    KafkaError,
    for_code,
)
from aiokafka.protocol.metadata import MetadataRequest

from router.broker.adapter.bootstrap import unreachable
from router.broker.adapter.private import KafkaClient, ask
from router.broker.topics.alter_configs import AlterConfigsRequest, refusals
from router.broker.topics.contract import Change, PartitionFound, TopicFound, TopicNeed
from router.broker.topics.ids import MISSING, TopicSeen, describe

REQUEST_SECONDS = 10.0
CHANGE_SECONDS = 30.0
"""Time-out for creating or altering topics."""

NOT_SUPPORTED = "it does not support DescribeConfigs"
_EXISTS = "TopicAlreadyExistsError"

Admin: TypeAlias = AIOKafkaAdminClient
MakeAdmin = Callable[[], AIOKafkaAdminClient]


class TopicsUnavailable(Exception):  # noqa: N818 - names what happened
    """The topics could not be described or changed; the message has the reason."""

    exit_code = 1


@contextlib.asynccontextmanager
async def administering(make: MakeAdmin, where: str) -> AsyncIterator[Admin]:
    """Yield a started admin client; turns any error of the broker into TopicsUnavailable."""
    admin = make()
    try:
        await admin.start()
        yield admin
    except (KafkaError, TimeoutError, OSError) as error:
        message = unreachable(error, where)
        raise TopicsUnavailable(message) from None
    finally:
        await admin.close()


async def describe_topics(
    admin: Admin, needs: Collection[TopicNeed], seconds: float = REQUEST_SECONDS
) -> Mapping[str, TopicFound]:
    """Return every topic, as described by one broker. Raises KafkaError or TimeoutError."""
    seen = await describe(admin, [need.name for need in needs], seconds)
    there = [need for need in needs if need.name in seen and seen[need.name].error is None]
    configs = await _configs(admin, there, seconds) if there else {}
    return {name: _found(topic, configs.get(name)) for name, topic in seen.items()}


def _found(seen: TopicSeen, configs: Mapping[str, str] | str | None) -> TopicFound:
    if seen.error == MISSING:
        return TopicFound({}, {})
    if seen.error is not None:
        return TopicFound(None, None, f"the broker does not describe it: {seen.error}")
    partitions = {
        number: PartitionFound(len(each.replicas), len(each.in_sync))
        for number, each in seen.partitions.items()
    }
    if isinstance(configs, Mapping):
        return TopicFound(partitions, configs)
    return TopicFound(
        partitions, None, f"the broker does not show its configuration: {configs or 'no answer'}"
    )


async def _configs(
    admin: Admin, needs: Collection[TopicNeed], seconds: float
) -> Mapping[str, Mapping[str, str] | str]:
    """Return each topic's configuration, or the reason why the broker does not show it."""
    resources = [
        ConfigResource(
            ConfigResourceType.TOPIC, need.name, {each.key: None for each in need.compared}
        )
        for need in needs
    ]
    try:
        async with asyncio.timeout(seconds):
            answers = await admin.describe_configs(resources)
    except (IncompatibleBrokerVersion, NotImplementedError):
        return {need.name: NOT_SUPPORTED for need in needs}
    found: dict[str, Mapping[str, str] | str] = {}
    for answer in answers:
        for code, _, _, name, entries in answer.resources:
            values = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
            found[name] = str(for_code(code).message) if code else values
    return found


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
