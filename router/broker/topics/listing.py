"""Describes topics on the broker, and what our user may do with topics and groups."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from typing import Any, TypeAlias

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    for_code,
)
from aiokafka.protocol import api
from aiokafka.protocol.admin import DescribeGroupsRequest_v3, DescribeGroupsResponse_v3

from router.broker.adapter.bootstrap import unreachable
from router.broker.adapter.private import ask
from router.broker.rights import NOTHING_GRANTED, Resource, ResourceKind, Right, lacking
from router.broker.topics.contract import PartitionFound, TopicFound, TopicNeed
from router.broker.topics.ids import MISSING, NO_OPERATIONS, TopicSeen, describe

REQUEST_SECONDS = 10.0

NOT_SUPPORTED = "it does not support DescribeConfigs"

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


_ATTEMPTS = 10
_PAUSE_SECONDS = 0.2
"""Between attempts: a broker has no coordinator yet at the first request for a group."""


async def lacking_rights(
    admin: AIOKafkaAdminClient, rights: Collection[Right], seconds: float
) -> Collection[Right]:
    """Return the rights that our user certainly lacks. Raises KafkaError or TimeoutError."""
    resources = {each.resource for each in rights}
    return lacking(rights, await granted_on(admin, resources, seconds))


async def granted_on(
    admin: AIOKafkaAdminClient, resources: Collection[Resource], seconds: float
) -> Mapping[Resource, int]:
    """Return the authorized operations on topics and groups, as far as the broker reports them.

    Raises KafkaError or TimeoutError if no broker answers.
    """
    seen = await describe(admin, _names(resources, ResourceKind.TOPIC), seconds)
    found = {
        Resource(ResourceKind.TOPIC, name): topic.granted
        for name, topic in seen.items()
        if topic.granted is not None
    }
    for name in _names(resources, ResourceKind.GROUP):
        granted = await _on_group(admin, name, seconds)
        if granted is not None:
            found[Resource(ResourceKind.GROUP, name)] = granted
    return found


def _names(resources: Iterable[Resource], kind: ResourceKind) -> Collection[str]:
    return sorted(each.name for each in resources if each.kind is kind)


async def _on_group(admin: AIOKafkaAdminClient, group_id: str, seconds: float) -> int | None:
    """Ask the group's coordinator; None if it does not report it, or moves at this moment."""
    for _ in range(_ATTEMPTS):
        try:
            return await _asked(admin, group_id, seconds)
        except GroupAuthorizationFailedError:
            return NOTHING_GRANTED
        except (NotImplementedError, TimeoutError):
            return None
        except KafkaError as error:
            if not error.retriable:
                return None
            await asyncio.sleep(_PAUSE_SECONDS)
    return None


async def _asked(admin: AIOKafkaAdminClient, group_id: str, seconds: float) -> int | None:
    node = await admin.find_coordinator(group_id)
    answer = await ask(admin, DescribeGroup(group_id), node=node, seconds=seconds)
    ((code, *_, operations),) = answer.groups
    if code:
        raise for_code(code)
    return None if operations == NO_OPERATIONS else int(operations)


class DescribeGroupRequest(api.RequestStruct):  # type: ignore[misc] # aiokafka is untyped
    """Request, version 3; aiokafka's own decodes its answer as one of version 2."""

    API_KEY = DescribeGroupsRequest_v3.API_KEY
    API_VERSION = DescribeGroupsRequest_v3.API_VERSION
    RESPONSE_TYPE = DescribeGroupsResponse_v3
    SCHEMA = DescribeGroupsRequest_v3.SCHEMA


class DescribeGroup(api.Request[DescribeGroupRequest]):  # type: ignore[misc] # aiokafka is untyped
    """Asks a group's coordinator what our user may do with it; needs DESCRIBE on it."""

    API_KEY = DescribeGroupsRequest_v3.API_KEY

    def __init__(self, group_id: str) -> None:
        """Ask about one group."""
        self._group_id = group_id

    def build(self, request_struct_class: type[Any]) -> Any:  # noqa: ANN401 - aiokafka is untyped
        """Build the request."""
        return request_struct_class([self._group_id], True)  # noqa: FBT003 - its fields, in order
