"""`payrouter send order` writes orders that a consumer reads back unchanged."""

from aiokafka import AIOKafkaConsumer

from router.configuration.settings import Settings, settings_from
from router.contract.order import Order, OrderType
from router.contract.order_fields import OrderFields, read_order
from router.evaluation.ordering import (
    order_message,
    ordering,
)
from tests.parts.brokers import Broker, create_topics


def settings(**tables: object) -> Settings:
    endpoint = {"provider": "blockatm", "account": "shop-eu", "secrets": ["s"]}
    return settings_from({"endpoints": {"shop": endpoint}, **tables})


def placed(reference: str = "A-1", quantity: int = 2) -> Order:
    lines = [{"sku": "tea", "quantity": quantity}]
    facts = {"lines": lines, "total": "30", "currency": "USDT"}
    return order_message(OrderType.PLACED, "shop-eu", reference, **facts)


async def test_order_is_written_to_the_order_topic(broker: Broker, topics_prefix: str) -> None:
    kafka = {"bootstrap_servers": broker.bootstrap}
    here = settings(kafka=kafka, topics={"prefix": topics_prefix, "names": {"order": "orders"}})
    await create_topics(broker.bootstrap, [f"{topics_prefix}orders"])
    async with ordering(here) as place:
        said = await place(placed())
    assert said.partition.startswith(f"{topics_prefix}orders-")
    consumer = AIOKafkaConsumer(
        f"{topics_prefix}orders",
        bootstrap_servers=broker.bootstrap,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        record = await consumer.getone()
    finally:
        await consumer.stop()
    assert record.key == placed().key
    assert read_order(OrderFields())(record.value, record.headers) == said.order
