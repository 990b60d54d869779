"""`ExactlyOnce`: declares subscribers of a FastStream broker whose effects happen once."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaRouter, Topic
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.exactly_once.applying import RecordApplier
from consumers.exactly_once.errors import UnsafeSubscriberError
from consumers.exactly_once.handler import finishing, reader_of, require_guardable
from consumers.exactly_once.kinds import KeepUnusable
from consumers.exactly_once.middleware import GuardMiddleware, HandlerCall, parse
from consumers.exactly_once.options import safe_options
from consumers.exactly_once.partitions import Partitions
from consumers.exactly_once.placing import FencePlacing, FirstOffset
from consumers.exactly_once.store import Store
from consumers.exactly_once.subscription import GuardedSubscription, Listener
from consumers.exactly_once.tables import GuardTables, exactly_once_tables
from consumers.exactly_once.timing import Timing
from consumers.runtime.records import Reader

GuardedHandler = Callable[..., Any]


class ExactlyOnce:
    """Guard of one service: its broker, its database, and the guard's tables in it."""

    def __init__(
        self,
        broker: KafkaBroker,
        engine: AsyncEngine,
        tables: GuardTables | None = None,
        timing: Timing | None = None,
    ) -> None:
        """Guard subscribers of `broker` with `engine`; connects to nothing.

        `tables` are those of `exactly_once_tables`, if they are part of other metadata.
        """
        self._broker = broker
        self._engine = engine
        self._store = Store(tables or exactly_once_tables(MetaData()))
        self._timing = timing or Timing()
        self._subscriptions: dict[tuple[str, str], GuardedSubscription] = {}

    def subscriber(
        self,
        *topics: str,
        group_id: str,
        begin: FirstOffset | None = None,
        reader: Reader | None = None,
        keep_unusable: KeepUnusable | None = None,
        **options: Any,  # noqa: ANN401 - FastStream's
    ) -> Callable[[GuardedHandler], GuardedHandler]:
        """Declare a subscriber whose handler has its effect once for each event.

        The handler is `async`, takes the content first (`Event`, or another of `kinds.READERS`) and
        a `Session`; its effects go through the session. `begin` decides where a group starts that
        has committed offsets and no fence. `keep_unusable` stores records that cannot be applied;
        without it they block their partition. `options` are those of FastStream's subscriber, as
        far as they are safe. Raises UnsafeSubscriberError.
        """
        passed_on = safe_options(options)

        def declare(handler: GuardedHandler) -> GuardedHandler:
            self._require_new(topics, group_id)
            require_guardable(handler)
            read = reader or reader_of(handler)
            placing = FencePlacing(self._engine, self._store, group_id, begin)
            applier = RecordApplier(self._engine, self._store, read, self._timing, keep_unusable)
            guarded = GuardedSubscription(Partitions(placing, self._timing), applier)
            self._subscriptions |= {(group_id, topic): guarded for topic in topics}
            return self._declared(topics, group_id, passed_on, guarded, handler)

        return declare

    @property
    def problems(self) -> dict[str, str]:
        """Why partitions are blocked, by `group topic-partition`; empty if none is."""
        return {
            f"{group_id} {partition}": problem
            for (group_id, _), each in self._subscriptions.items()
            for partition, problem in each.partitions.problems.items()
        }

    async def create_tables(self) -> None:
        """Create the guard's tables if they are missing, for services without migrations."""
        async with self._engine.begin() as connection:
            await self._store.create(connection)

    async def forget(self, group_id: str, before: datetime) -> int:
        """Delete ids of events applied before a moment; such an event could be applied again.

        Only as a new record: a record that was passed stays below its fence.
        """
        async with self._engine.begin() as connection:
            return await self._store.forget(connection, group_id, before)

    def _require_new(self, topics: tuple[str, ...], group_id: str) -> None:
        if not topics:
            message = "a guarded subscriber needs a topic"
            raise UnsafeSubscriberError(message)
        for topic in topics:
            if (group_id, topic) in self._subscriptions:
                message = (
                    f"topic {topic} has a subscriber of group {group_id} already: each would get"
                    " only a part of its partitions. Give each its own group"
                )
                raise UnsafeSubscriberError(message)

    def _declared(
        self,
        topics: tuple[str, ...],
        group_id: str,
        options: Any,  # noqa: ANN401 - FastStream's
        guarded: GuardedSubscription,
        handler: GuardedHandler,
    ) -> GuardedHandler:
        attempt = HandlerCall()
        scope = partial(GuardMiddleware, subscription=guarded, attempt=attempt)
        router = KafkaRouter(middlewares=[scope])
        subscriber = router.subscriber(
            # Only `payrouter topics apply` makes our topics.
            *(Topic(topic, declare=False) for topic in topics),
            group_id=group_id,
            ack_policy=AckPolicy.MANUAL,
            parser=parse,
            decoder=attempt.decode,
            listener=Listener(guarded.partitions),
            **options,
        )
        guarded.partitions.subscriber = subscriber
        self._broker.include_router(router)
        declared: GuardedHandler = subscriber(finishing(handler, attempt.finish))
        return declared
