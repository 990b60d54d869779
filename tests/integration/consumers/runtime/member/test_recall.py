"""A consumer's own outcomes are read before it acts, and what cannot be read is counted."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.member.recall import recall_outcomes
from router.contract.outcome import OutcomeEvent
from router.contract.wire import encode_outcome
from tests.parts.brokers import create_topics
from tests.parts.runtime.counting import TABLES
from tests.parts.runtime.members import Feed

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)


async def test_unreadable_records_are_counted_and_the_outcomes_passed_on(
    feed: Feed,
) -> None:
    settings = feed.settings()
    topic = settings.topics.outcome(settings.name)
    sent = OutcomeEvent(
        id=uuid4(), type="notification.sent", account="shop", reference="A-1", at=AT, data={}
    )
    record = encode_outcome(sent, topic)
    await create_topics(feed.broker.bootstrap, [topic])
    async with AIOKafkaProducer(bootstrap_servers=feed.broker.bootstrap) as producer:
        for value in (b"{}", None, record.value):
            await producer.send_and_wait(topic, value, record.key, partition=0)
    passed: list[OutcomeEvent] = []

    async def recall(_transaction: AsyncConnection, outcomes: Sequence[OutcomeEvent]) -> int:
        passed.extend(outcomes)
        return len(outcomes)

    found = await recall_outcomes(feed.engine, TABLES, settings, recall)

    assert found == (1, 2)
    assert [each.id for each in passed] == [sent.id]
