"""Kafka side of a consumer: declared with FastStream, driven through its aiokafka consumer.

FastStream's own acknowledgements commit failed records or retry in a tight loop,
and its parser fails on headers that are not text. Therefore no handler is
registered with it; the loop reads and commits by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import KafkaError
from faststream import AckPolicy

from consumers.runtime.records import Partition
from consumers.runtime.settings import ConsumerSettings
from router.broker.client import keep_signed_in, make_admin
from router.broker.connection import KafkaConnection
from router.broker.faststream_broker import make_broker
from router.telemetry.logs import get_log

CLUSTER_MILLISECONDS = 15_000
"""How long the broker may take to return its cluster id."""

METADATA_MILLISECONDS = 30_000
"""How long a recreated topic or new partitions may go unnoticed; aiokafka's default is 5 min."""

_STOPPING: set[asyncio.Task[None]] = set()
"""Clients being stopped; a task without a reference may be garbage-collected."""

OnAssigned = Callable[[set[Partition]], None]
OnRevoked = Callable[[], Awaitable[None]]


class RebalanceListener(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    """Forwards the two callbacks to the loop."""

    def __init__(self, assigned: OnAssigned, revoked: OnRevoked) -> None:
        """Forward to these two callbacks."""
        self._assigned = assigned
        self._revoked = revoked

    async def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ANN401, ARG002
        """Wait until the running batch is finished or abandoned."""
        await self._revoked()

    async def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ANN401
        """Record the assignment and return at once."""
        self._assigned({Partition(tp.topic, tp.partition) for tp in assigned})


class Subscription:
    """Membership in a consumer group, from start to stop."""

    def __init__(
        self, settings: ConsumerSettings, topics: list[str], listener: RebalanceListener
    ) -> None:
        """Declare the subscription; connects to nothing."""
        tuning, timing = settings.tuning, settings.timing
        self._kafka = settings.kafka
        self._leave_seconds = timing.leave_seconds
        self._broker = make_broker(
            settings.kafka,
            metadata_max_age_ms=METADATA_MILLISECONDS,
            consumer_only=True,
            allow_auto_create_topics=False,
            logger=None,
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
            max_poll_interval_ms=int(max(timing.poll_seconds, tuning.turn_seconds) * 1000),
            listener=listener,
        )

    async def start(self) -> AIOKafkaConsumer:
        """Join the group; return aiokafka's consumer."""
        await self._broker.start()
        consumer: AIOKafkaConsumer = self._subscriber.consumer
        keep_signed_in(consumer, self._kafka)
        return consumer

    async def stop(self) -> None:
        """Leave the group (a static member only disconnects), for a limited time.

        A slower stop continues in the background: if cancelled, the client would keep
        its connections, and its tasks would go on fetching.
        """
        stopping = asyncio.create_task(self._broker.stop())
        _STOPPING.add(stopping)
        stopping.add_done_callback(_stopped)
        await asyncio.wait({stopping}, timeout=self._leave_seconds)


def _stopped(stopping: asyncio.Task[None]) -> None:
    _STOPPING.discard(stopping)
    error = None if stopping.cancelled() else stopping.exception()
    if error is not None:
        get_log("consumer").warning("leaving_failed", error=type(error).__name__)


async def broker_cluster_id(kafka: KafkaConnection) -> str:
    """Return the id of the broker's cluster."""
    # The client needs a time-out itself: cancelled from outside, it leaves its connection open.
    admin = make_admin(kafka, request_timeout_ms=CLUSTER_MILLISECONDS)
    try:
        await admin.start()
        cluster_id = (await admin.describe_cluster())["cluster_id"]
    finally:
        await admin.close()
    if not cluster_id:
        message = "the broker reports no cluster id: set kafka.cluster_id"
        raise KafkaError(message)
    return str(cluster_id)
