"""Between FastStream and the guard: the parser of raw records, and the middleware."""

from collections.abc import Awaitable, Callable
from typing import Any

from faststream import BaseMiddleware, ContextRepo
from faststream.kafka import KafkaMessage
from faststream.message import StreamMessage
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.exactly_once.errors import HandlerSwallowed, UnsafeSubscriberError
from consumers.exactly_once.handler import SESSION
from consumers.exactly_once.subscription import GuardedSubscription
from consumers.runtime.records import Partition, from_client

Call = Callable[[Any], Awaitable[Any]]


class HandlerCall:
    """The record being applied: what its handler gets, and whether it has returned."""

    def __init__(self) -> None:
        """Begin without a record."""
        self._content: Any = None
        self.finished = False

    def begin(self, content: Any) -> None:  # noqa: ANN401 - the reader's
        """Begin with the content of a record."""
        self._content, self.finished = content, False

    def finish(self) -> None:
        """Note that the handler has returned."""
        self.finished = True

    async def decode(self, message: StreamMessage[Any]) -> Any:  # noqa: ANN401, ARG002
        """Return what the guard has read: FastStream gives it to the handler."""
        return self._content


async def parse(record: Any) -> KafkaMessage:  # noqa: ANN401 - aiokafka's record
    """Make FastStream's message without its own parser, which fails on a null or binary header.

    Header values become text, lossy; of several with one name the last counts. `raw_message` has
    the bytes.
    """
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    return KafkaMessage(
        raw_message=record,
        body=record.value or b"",
        headers=headers,
        content_type=headers.get("content-type"),
        message_id=f"{record.topic}-{record.partition}-{record.offset}",
        correlation_id=headers.get("ce_id"),
        consumer=_NoConsumer(),
    )


class _NoConsumer:
    """`ack()` of FastStream would commit the offsets of every partition; here it does nothing."""

    async def commit(self) -> None:
        """Do nothing."""

    def seek(self, partition: object, offset: int) -> None:
        """Do nothing."""


class GuardMiddleware(BaseMiddleware[Any, Any]):
    """Runs the handler within the guard's transaction, or not at all."""

    def __init__(
        self,
        msg: Any,  # noqa: ANN401 - FastStream's
        /,
        *,
        context: ContextRepo,
        subscription: GuardedSubscription,
        attempt: HandlerCall,
    ) -> None:
        """Guard with this subscription; the handler's wrapper finishes the attempt."""
        super().__init__(msg, context=context)
        self._subscription = subscription
        self._attempt = attempt

    async def consume_scope(self, call_next: Call, msg: StreamMessage[Any]) -> None:
        """Apply the record; the handler is called only if its event is new."""
        raw = msg.raw_message
        record = from_client(Partition(raw.topic, raw.partition), raw)

        async def handle(found: Any, session: AsyncSession) -> None:  # noqa: ANN401 - the reader's
            self._attempt.begin(found)
            msg.clear_cache()
            with self.context.scope(SESSION, session):
                await call_next(msg)
            if not self._attempt.finished:
                message = f"{record.partition} offset {record.offset}: the handler did not finish"
                raise HandlerSwallowed(message)

        await self._subscription.apply(record, handle)

    async def publish_scope(self, call_next: Call, cmd: Any) -> Any:  # noqa: ANN401, ARG002
        """Refuse to publish what the handler returned: after the commit, it could be lost."""
        message = (
            "a guarded handler cannot have a publisher: its record would be published after the"
            " commit, at most once. Write an outbox row through the session instead"
        )
        raise UnsafeSubscriberError(message)
