"""Orders that a platform publishes through a schema registry."""

import json
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.inventory.policy import Policy
from consumers.inventory.service import SERVICE, configured
from consumers.runtime.service import Setup
from consumers.runtime.store.tables import RuntimeTables
from router.contract.topics import Topics
from tests.parts.brokers import Broker
from tests.parts.contract.orders import order
from tests.parts.inventory.shop import Shop
from tests.parts.runtime.members import feeding, ready
from tests.parts.waiting import eventually

FRAME = b"\x00\x00\x00\x00\x2a"
"""Schema id 42."""

TABLES = RuntimeTables.of(SERVICE.schema)

AS_IT_IS = replace(
    SERVICE, configured=lambda _: replace(configured(Setup(Policy(), Topics())), work=())
)
"""The inventory with its default options."""


async def errors(engine: AsyncEngine) -> list[str]:
    """Read the errors of held records."""
    async with engine.connect() as connection:
        return list(await connection.scalars(select(TABLES.held.c.error)))


async def test_an_order_in_a_registrys_frame_is_applied_and_an_avro_error_names_avro(
    broker: Broker, topics_prefix: str, shop: Shop
) -> None:
    placed = json.dumps(order(reference="A-1").model_dump(mode="json"), indent=1).encode()
    async with feeding(broker, shop.engine, topics_prefix, AS_IT_IS) as feed:
        topic = f"{topics_prefix}order"
        for value in (b"\x0eorder-1", b"\n" + placed):
            await feed.producer.send_and_wait(topic, FRAME + value, key=b"k", partition=0)
        async with feed.member() as member:
            await ready(member)
            await eventually(lambda: shop.status("A-1"), "the order")
            await eventually(lambda: errors(shop.engine), "the dead letter")

    (error,) = await errors(shop.engine)
    assert "what looks like Avro after a schema registry's frame (schema id 42)" in error
