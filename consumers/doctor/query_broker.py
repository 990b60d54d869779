"""Reads what is checked from the broker: joins no group, creates no topic, writes no record."""

import time
from collections.abc import Mapping, Sequence
from functools import partial

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError

from consumers.doctor.broker import BrokerFound, BrokerNeeds
from consumers.runtime.progress.survey import tried
from router.broker.adapter.bootstrap import cause_of
from router.broker.client import make_admin
from router.broker.connection import KafkaConnection
from router.broker.groups import describe_group
from router.broker.quorum import controller_clock
from router.broker.rights import Resource
from router.broker.topics.apply import ApplyMode, apply_topics
from router.broker.topics.contract import TopicNeed
from router.broker.topics.listing import administering, granted_on

ANSWER_SECONDS = 10.0
"""For one answer; a broker that takes longer is reported as unreachable."""


async def query_broker(
    kafka: KafkaConnection, topics: Sequence[TopicNeed], needs: BrokerNeeds
) -> BrokerFound:
    """Return what the broker reports; raises TopicsUnavailable if it does not answer."""
    make = partial(make_admin, kafka, request_timeout_ms=int(ANSWER_SECONDS * 1000))
    async with administering(make, kafka.bootstrap) as admin:
        cluster = await tried(admin.describe_cluster)
        granted = await _granted(admin, needs)
        groups = await _groups(admin, needs.groups)
        ahead = await _ahead_seconds(admin)
    report = await apply_topics(make, kafka.bootstrap, topics, ApplyMode.CHECK)
    return BrokerFound(
        str(cluster["cluster_id"]), len(cluster["brokers"]), report, groups, granted, ahead
    )


async def _ahead_seconds(admin: AIOKafkaAdminClient) -> float | None:
    """Return how far the controller's clock is ahead of this one, less the time of its answer."""
    before = time.time()
    try:
        there = await controller_clock(admin, ANSWER_SECONDS)
    except (KafkaError, NotImplementedError, TimeoutError):
        return None
    return max(0.0, there - time.time()) or min(0.0, there - before)


async def _granted(admin: AIOKafkaAdminClient, needs: BrokerNeeds) -> Mapping[Resource, int]:
    resources = {right.resource for rights in needs.rights.values() for right in rights}
    return await granted_on(admin, resources, ANSWER_SECONDS)


async def _groups(
    admin: AIOKafkaAdminClient, groups: Mapping[str, str]
) -> Mapping[str, str | None]:
    """Return by consumer why its group cannot be described; empty if no group can be."""
    try:
        return {name: await _problem(admin, group_id) for name, group_id in groups.items()}
    except (IncompatibleBrokerVersion, NotImplementedError):
        return {}


async def _problem(admin: AIOKafkaAdminClient, group_id: str) -> str | None:
    try:
        await tried(partial(describe_group, admin, group_id))
    except IncompatibleBrokerVersion:
        raise
    except KafkaError as error:
        return cause_of(error)
    return None
