"""A subscriber that could lose or repeat effects is refused in its declaration."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import Mock

import pytest
from faststream import ContextRepo
from faststream.kafka import KafkaBroker, TestKafkaBroker
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from consumers.exactly_once import ExactlyOnce, Session, exactly_once_tables
from consumers.exactly_once.errors import HandlerSwallowed, LogUnavailable, UnsafeSubscriberError
from consumers.exactly_once.kinds import READERS
from consumers.exactly_once.middleware import GuardMiddleware, HandlerCall, parse
from consumers.exactly_once.options import PASSED_ON, REFUSED, safe_options
from consumers.runtime.records import Record
from router.contract.event import Event
from router.contract.outcome import OutcomeEvent
from router.contract.quarantine import Quarantined, Replayed
from tests.parts.contract.events import event


async def handler(found: Event, session: Session) -> None:
    """Do nothing."""


async def without_session(found: Event) -> None: ...


def in_a_thread(found: Event, session: Session) -> None: ...


async def of_anything(found: dict[str, str], session: Session) -> None: ...


async def of_outcomes(found: OutcomeEvent, session: Session) -> None: ...


async def of_quarantine(found: Quarantined | Replayed, session: Session) -> None: ...


@pytest.fixture
def guard() -> ExactlyOnce:
    """Return a guard that connects to nothing."""
    return ExactlyOnce(KafkaBroker("127.0.0.1:1"), engine())


def applying() -> Any:  # noqa: ANN401 - in place of a subscription
    return Applying()


def engine() -> AsyncEngine:
    return create_async_engine("postgresql+asyncpg://127.0.0.1:1/none")


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_unsafe_option_is_refused_with_the_reason(guard: ExactlyOnce, name: str) -> None:
    options: dict[str, Any] = {name: True}
    with pytest.raises(UnsafeSubscriberError, match=f"no option {name}: "):
        guard.subscriber("payment", group_id="loyalty", **options)


def test_unknown_option_is_refused() -> None:
    with pytest.raises(UnsafeSubscriberError, match="does not know whether it is safe"):
        safe_options({"prefetch": 7})


def test_options_are_those_of_faststream() -> None:
    known = inspect.signature(KafkaBroker.subscriber).parameters.keys()
    # A filter is an option of the decorator that `subscriber` returns.
    assert known >= PASSED_ON | (REFUSED.keys() - {"filter"})


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (without_session, "without_session: it has no parameter of type Session"),
        (in_a_thread, "in_a_thread: declare it with `async def`"),
        (of_anything, "of_anything: its first parameter must be one of Event, OutcomeEvent"),
    ],
)
def test_handler_that_cannot_be_guarded_is_refused(
    guard: ExactlyOnce, declared: Callable[..., Any], problem: str
) -> None:
    with pytest.raises(UnsafeSubscriberError, match=problem):
        guard.subscriber("payment", group_id="loyalty")(declared)


@pytest.mark.parametrize("declared", [handler, of_outcomes, of_quarantine])
def test_each_kind_of_our_records_has_a_reader(
    guard: ExactlyOnce, declared: Callable[..., Any]
) -> None:
    guard.subscriber("a-topic", group_id="loyalty")(declared)
    assert len(READERS) == 3


def test_second_subscriber_of_a_topic_in_the_group_is_refused(guard: ExactlyOnce) -> None:
    guard.subscriber("payment", "payout", group_id="loyalty")(handler)
    guard.subscriber("payout", group_id="mail")(handler)
    with pytest.raises(UnsafeSubscriberError, match="only a part of its partitions"):
        guard.subscriber("payout", group_id="loyalty")(handler)


def test_tables_are_added_to_the_services_metadata_once() -> None:
    metadata = MetaData(schema="loyalty")
    tables = exactly_once_tables(metadata)
    assert exactly_once_tables(metadata) == tables
    assert sorted(metadata.tables) == ["loyalty.payrouter_event", "loyalty.payrouter_fence"]


async def test_a_declared_handler_can_be_called_directly(guard: ExactlyOnce) -> None:
    declared = guard.subscriber("payment", group_id="loyalty")(handler)
    assert (await declared(event(), Mock(AsyncSession))) is None


async def test_the_test_broker_of_faststream_has_no_log_to_guard() -> None:
    broker = KafkaBroker("127.0.0.1:1")
    ExactlyOnce(broker, engine()).subscriber("payment", group_id="loyalty")(handler)
    async with TestKafkaBroker(broker):
        with pytest.raises(LogUnavailable, match="needs a running Kafka"):
            await broker.publish(b"{}", "payment")


class Applying:
    """Replaces a subscription: calls the handler of each record."""

    async def apply(self, record: Record, handle: Callable[[Any, Any], Awaitable[None]]) -> None:
        """Call the handler."""
        await handle(record, None)


@pytest.mark.parametrize("finishes", [True, False])
async def test_handler_that_did_not_finish_is_noticed_without_its_exception(
    *, finishes: bool
) -> None:
    call = HandlerCall()
    raw = Mock(topic="payment", partition=0, offset=7, timestamp=1, key=None, value=b"")
    raw.headers = ()
    message = await parse(raw)
    scope = GuardMiddleware(
        raw,
        context=ContextRepo(),
        subscription=applying(),
        attempt=call,
    )

    async def swallowing(_: object) -> None:
        if finishes:
            call.finish()

    if finishes:
        await scope.consume_scope(swallowing, message)
        return
    with pytest.raises(HandlerSwallowed, match="payment-0 offset 7"):
        await scope.consume_scope(swallowing, message)


async def test_publishing_what_a_handler_returned_is_refused() -> None:
    scope = GuardMiddleware(
        None,
        context=ContextRepo(),
        subscription=applying(),
        attempt=HandlerCall(),
    )
    with pytest.raises(UnsafeSubscriberError, match="at most once"):
        await scope.publish_scope(Mock(), Mock())


async def test_headers_are_decoded_without_failing() -> None:
    raw = Mock(topic="payment", partition=3, offset=7, value=None)
    raw.headers = (("null", None), ("binary", b"\xff"), ("ce_id", b"an-id"))
    message = await parse(raw)
    assert message.headers == {"null": "", "binary": "\ufffd", "ce_id": "an-id"}
    assert (message.message_id, message.correlation_id) == ("payment-3-7", "an-id")
    # FastStream's own would commit, or seek, every partition.
    await message.ack()
