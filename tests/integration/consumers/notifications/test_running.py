"""The whole consumer on a real broker: it reads events and orders, sends mails and outcomes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from consumers.notifications.options import NotificationOptions
from consumers.notifications.service import SERVICE
from consumers.runtime.member.app import build_consumer, consume
from consumers.runtime.settings import ConsumerSettings, Tuning
from router.contract.event import Event
from router.contract.order import Order
from router.contract.outcome import OutcomeEvent
from router.contract.topics import FAMILIES, ORDER, Topics
from router.contract.wire import encode_event, encode_order, encode_outcome
from tests.parts.brokers import Broker, create_topics
from tests.parts.connections import connection_to
from tests.parts.contract.orders import order
from tests.parts.notifications.desk import EMAIL, messages, options, rule, told
from tests.parts.notifications.receivers import PostOffice, post_office
from tests.parts.waiting import eventually

PATIENCE_SECONDS = 60.0
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@contextlib.asynccontextmanager
async def running(
    broker: Broker, desk: AsyncEngine, prefix: str, chosen: NotificationOptions
) -> AsyncIterator[AIOKafkaProducer]:
    """Run the consumer during the block; yield the producer that feeds it."""
    names = Topics(prefix)
    made = [names.name(topic) for topic in (*FAMILIES, ORDER)]
    made += [names.outcome("inventory"), names.outcome(SERVICE.name)]
    await create_topics(broker.bootstrap, made)
    settings = ConsumerSettings(
        name=SERVICE.name,
        kafka=connection_to(broker.bootstrap),
        database_url=SecretStr(desk.url.render_as_string(hide_password=False)),
        topics=names,
        tuning=Tuning.model_validate({"group_id": f"{prefix}{SERVICE.name}"}),
        options=chosen,
    )
    process = build_consumer(SERVICE, settings, asyncio.Event())
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    await producer.start()
    task = asyncio.create_task(consume(process))
    try:
        yield producer
    finally:
        await producer.stop()
        process.stopped.set()
        await asyncio.wait_for(task, PATIENCE_SECONDS)
        await process.engine.dispose()


async def publish(
    producer: AIOKafkaProducer, prefix: str, *said: Event | Order | OutcomeEvent
) -> None:
    for each in said:
        if isinstance(each, OutcomeEvent):
            out = encode_outcome(each, Topics(prefix).outcome("inventory"))
        elif isinstance(each, Order):
            out = encode_order(each, f"{prefix}{ORDER}")
        else:
            out = encode_event(each, f"{prefix}{each.type.family}", TRACE)
        await producer.send_and_wait(out.topic, out.value, out.key, headers=list(out.headers))


async def arrived(office: PostOffice, number: int) -> None:
    await eventually(lambda: len(office.mails) >= number, f"{number} mails")


async def outcomes(broker: Broker, topic: str, number: int) -> list[bytes | None]:
    """Read `number` outcomes from the broker."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [(await consumer.getone()).value for _ in range(number)]
    finally:
        await consumer.stop()


async def test_payments_orders_and_repeats_cause_one_mail_and_one_outcome_each(
    broker: Broker, desk: AsyncEngine, topics_prefix: str
) -> None:
    first = told("payment.confirmed", reference="A-1", provider_reference="P-1")
    second = told("payout.failed", reference="W-1", provider_reference="P-2")
    late = order(reference="A-1", customer={"email": EMAIL, "language": "de"})
    async with post_office() as office:
        chosen = options(
            [
                rule("payment.*", "customer", "mail"),
                rule("payout.failed", "on-call", "mail", "log"),
            ],
            channels={"mail": {"url": office.url}},
        )
        with capture_logs() as log:
            async with running(broker, desk, topics_prefix, chosen) as producer:
                await publish(producer, topics_prefix, first, first, second)
                await arrived(office, 1)
                await publish(producer, topics_prefix, late, first)
                await arrived(office, 2)
                topic = Topics(topics_prefix).outcome(SERVICE.name)
                said = await outcomes(broker, topic, 3)
    subjects = {tuple(mail.recipients): mail.message["Subject"] for mail in office.mails}
    assert subjects == {
        ("on-call@example.com",): "payout.failed: W-1, 2000.00 USDT",
        (EMAIL,): "Ihre Zahlung für A-1 ist eingegangen",
    }
    rows = await messages(desk)
    assert {row.state for row in rows} == {"sent"}
    for row in rows:
        about = [value for value in said if value and str(row.id).encode() in value]
        assert len(about) == 1
        assert b'"type":"notification.sent"' in about[0]
    assert EMAIL not in str(log)


async def test_a_committed_order_is_reported_as_paid_once(
    broker: Broker, desk: AsyncEngine, topics_prefix: str
) -> None:
    placed = order(reference="A-1", customer={"email": EMAIL, "language": "de"})
    committed = OutcomeEvent(
        id=uuid4(),
        type="inventory.committed",
        account="shop-eu",
        reference="A-1",
        at=datetime.now(UTC),
    )
    last = told("payment.refunded", customer={"email": EMAIL}, amount="1")
    async with post_office() as office:
        on = ["order.paid", "payment.refunded"]
        chosen = options([rule(on, "customer", "mail")], channels={"mail": {"url": office.url}})
        async with running(broker, desk, topics_prefix, chosen) as producer:
            await publish(producer, topics_prefix, placed, committed, committed, committed)
            await arrived(office, 1)
            await publish(producer, topics_prefix, last)
            await arrived(office, 2)
    assert [mail.message["Subject"] for mail in office.mails] == [
        "Ihre Bestellung A-1 ist bezahlt",
        "Eine Erstattung für A-1",
    ]
