"""The Kafka side of a consumer: declared with FastStream, driven on the aiokafka consumer below.

FastStream's own acknowledgements commit failures or spin, and its parser
breaks on headers that are not text; so no handler is registered with it, and
the loop reads and commits by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.security import parse_security

from consumers.runtime.records import Partition
from consumers.runtime.settings import ConsumerSettings
from router.broker.adapter.private import connections_of
from router.telemetry.logs import get_log

STOP_SECONDS = 10.0
"""How long leaving the group may take before it is given up."""

CLUSTER_MILLISECONDS = 15_000
"""How long the broker may take to say which cluster it is."""

METADATA_MILLISECONDS = 30_000
"""How long a recreated topic or new partitions may go unnoticed; aiokafka's default is 5 min."""

POLL_SECONDS = 300.0
"""Who does not poll for so long leaves the group, unless its database may take longer."""

_STOPPING: set[asyncio.Task[None]] = set()
"""Clients that are being stopped; without a reference a task may vanish."""

OnAssigned = Callable[[set[Partition]], None]
OnRevoked = Callable[[], Awaitable[None]]


class RebalanceListener(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    """Hands the two callbacks on; the loop does the work."""

    def __init__(self, assigned: OnAssigned, revoked: OnRevoked) -> None:
        """Remember whom to tell."""
        self._assigned = assigned
        self._revoked = revoked

    async def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ANN401, ARG002
        """Wait until the running batch is finished or given up."""
        await self._revoked()

    async def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ANN401
        """Mark them, and return at once."""
        self._assigned({Partition(tp.topic, tp.partition) for tp in assigned})


class Subscription:
    """One member of a consumer group, from start to stop."""

    def __init__(
        self, settings: ConsumerSettings, topics: list[str], listener: RebalanceListener
    ) -> None:
        """Declare the subscription; connects to nothing."""
        tuning = settings.tuning
        self._renewed = settings.renewed
        options = {"metadata_max_age_ms": METADATA_MILLISECONDS, **settings.kafka}
        self._broker = KafkaBroker(
            **options, consumer_only=True, allow_auto_create_topics=False, logger=None
        )
        self._subscriber = self._broker.subscriber(
            *topics,
            group_id=settings.group_id,
            group_instance_id=tuning.instance_id,
            auto_offset_reset="none",
            ack_policy=AckPolicy.MANUAL,
            isolation_level="read_committed",
            session_timeout_ms=int(tuning.session_timeout_seconds * 1000),
            heartbeat_interval_ms=int(tuning.session_timeout_seconds * 1000 / 10),
            rebalance_timeout_ms=int(tuning.rebalance_timeout_seconds * 1000),
            max_poll_interval_ms=int(max(POLL_SECONDS, tuning.turn_seconds) * 1000),
            listener=listener,
        )

    async def start(self) -> AIOKafkaConsumer:
        """Join the group; returns the client to drive."""
        await self._broker.start()
        consumer: AIOKafkaConsumer = self._subscriber.consumer
        self._renewed(connections_of(consumer))
        return consumer

    async def stop(self) -> None:
        """Leave the group (a static member only hangs up), within a deadline.

        What takes longer goes on in the background: cut off in the middle, the
        client would keep its connections, and its tasks would fetch for nobody.
        """
        stopping = asyncio.create_task(self._broker.stop())
        _STOPPING.add(stopping)
        stopping.add_done_callback(_stopped)
        await asyncio.wait({stopping}, timeout=STOP_SECONDS)


def _stopped(stopping: asyncio.Task[None]) -> None:
    _STOPPING.discard(stopping)
    error = None if stopping.cancelled() else stopping.exception()
    if error is not None:
        get_log("consumer").warning("leaving_failed", error=type(error).__name__)


async def broker_cluster_id(kafka: Mapping[str, Any]) -> str:
    """Ask the broker for its cluster's id."""
    # A deadline of its own: cancelled from outside, it would leave its connection open.
    options = {"request_timeout_ms": CLUSTER_MILLISECONDS, **kafka}
    options.pop("security", None)
    admin = AIOKafkaAdminClient(**options, **parse_security(kafka.get("security")))
    try:
        await admin.start()
        cluster_id = (await admin.describe_cluster())["cluster_id"]
    finally:
        await admin.close()
    if not cluster_id:
        message = "the broker does not say which cluster it is: set kafka.cluster_id"
        raise KafkaError(message)
    return str(cluster_id)
