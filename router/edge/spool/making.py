"""Makes the spool of an edge from its settings."""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from router.broker.client import make_admin
from router.broker.connection import KafkaConnection
from router.configuration.settings import Settings
from router.edge.publishing.endangered import SafePublish
from router.edge.publishing.publish import KafkaPublisher
from router.edge.publishing.submission import Submission
from router.edge.spool.metrics import SpoolMetrics
from router.edge.spool.service import SpoolBroker, SpoolPlan, SpoolService
from router.edge.spool.spool import SpoolBounds
from router.telemetry.logs import get_log

CLUSTER_SECONDS = 5.0
"""How long the broker may take to name its cluster."""


def make_spool(
    settings: Settings,
    slot: int,
    kafka: KafkaConnection,
    publisher: KafkaPublisher,
    submit: SafePublish,
    registry: CollectorRegistry,
) -> SpoolService:
    """Make the spool of the process with this number among the workers, from 1."""
    own = settings.spool
    assert own.path is not None  # noqa: S101 - without it there is no spool to make
    bounds = SpoolBounds(own.max_bytes, own.max_age_seconds)
    plan = SpoolPlan(own.path, slot, bounds, own.reserve_seconds, own.drain_seconds)
    cluster = KnownCluster(settings.kafka.cluster_id, partial(make_admin, kafka))
    broker = SpoolBroker(submit, partial(_give_up, publisher), cluster)
    return SpoolService(plan, broker, SpoolMetrics(registry), get_log("spool"))


def _give_up(publisher: KafkaPublisher, submission: object) -> None:
    assert isinstance(submission, Submission)  # noqa: S101 - what the publisher returned
    publisher.give_up(submission)


class KnownCluster:
    """Returns the id of the broker's cluster; asks until it has an answer."""

    def __init__(self, configured: str | None, make: Callable[[], AIOKafkaAdminClient]) -> None:
        """Start with the id of the configuration, if it has one."""
        self._known = configured
        self._make = make

    async def __call__(self) -> str | None:
        """Return the id, None if the broker does not answer."""
        if self._known is None:
            with contextlib.suppress(KafkaError, TimeoutError, OSError):
                self._known = await self._ask()
        return self._known

    async def _ask(self) -> str | None:
        admin = self._make()
        async with asyncio.timeout(CLUSTER_SECONDS):
            try:
                await admin.start()
                answer = await admin.describe_cluster()
            finally:
                await admin.close()
        return str(answer["cluster_id"]) if answer["cluster_id"] else None
