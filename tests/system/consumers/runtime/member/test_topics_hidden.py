"""A topic without permission to describe it is unknown, not missing."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from confluent_kafka import admin
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.parts.brokers import Broker
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.kafka.guarded import AUTHORIZED
from tests.parts.runtime.commands import Payrouter
from tests.parts.runtime.counting import numbered
from tests.parts.runtime.members import Feed, feeding

ANOTHERS = ("User:another", "*", "ALL", "ALLOW")


@pytest.fixture(scope="module")
def guarded() -> Iterator[ApacheKafka]:
    """Give a Kafka with authorization; topics without access rules are open to all."""
    # No client is a super user.
    kafka = ApacheKafka({**AUTHORIZED, "super.users": "User:nobody"})
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.destroy()


@pytest.fixture
async def feed(
    guarded: ApacheKafka, counting: AsyncEngine, topics_prefix: str
) -> AsyncIterator[Feed]:
    """Give a topic on that broker."""
    async with feeding(
        Broker(guarded.bootstrap, "guarded", real=True), counting, topics_prefix
    ) as feed:
        yield feed


def taken_from_us(kafka: ApacheKafka, topic: str) -> None:
    """Grant all rights to a topic to another user, which leaves our user without any."""
    principal, host, operation, permission = ANOTHERS
    binding = admin.AclBinding(  # type: ignore[attr-defined] # exported all the same
        admin.ResourceType.TOPIC,  # type: ignore[attr-defined]
        topic,
        admin.ResourcePatternType.LITERAL,  # type: ignore[attr-defined]
        principal,
        host,
        admin.AclOperation[operation],  # type: ignore[attr-defined]
        admin.AclPermissionType[permission],  # type: ignore[attr-defined]
    )
    client = admin.AdminClient({"bootstrap.servers": kafka.bootstrap})
    for done in client.create_acls([binding]).values():
        done.result(30)


async def test_a_topic_that_is_not_shown_is_unknown(
    guarded: ApacheKafka, feed: Feed, payrouter: Payrouter
) -> None:
    await feed.send([numbered(0)])
    async with feed.member():
        await feed.applied(1)
    await asyncio.to_thread(taken_from_us, guarded, feed.topic)

    said = await payrouter("offsets", "show", "counting", "--json")

    assert said.status == 1
    assert {row["state"] for row in said.json["counting"]} == {"?"}
    assert f"may not READ topic `{feed.topic}`; grant: " in said.err
