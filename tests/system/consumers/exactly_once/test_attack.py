"""Kills, redelivery, duplicates, a rebalance: each effect once, and doubled without the guard."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import text

from router.contract.event import event_id
from router.contract.wire import encode_event
from tests.parts.brokers import Broker, create_topics
from tests.parts.contract.events import event
from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.exactly_once.victim import Victim, store_of
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
EVENTS = [event_id("blockatm", "shop-eu", str(number)) for number in range(80)]
SENT_AGAIN = frozenset(EVENTS[::4])
RECORDS = len(EVENTS) + len(SENT_AGAIN)

Moment = Literal["before the commit", "after the commit"]


@dataclass(frozen=True)
class Attack:
    """An attacked service; its victim is the first of two members."""

    victim: Victim

    async def run(self) -> Counter[UUID]:
        """Attack it; return the number of effects of each event once all records are passed."""
        async with store_of(self.victim) as store:
            await self._killed("after the commit", 15)
            await self._killed("before the commit", 15)
            one, other = (
                self.victim.model_copy(update={"instance": name, "pause": 0.025}) for name in "ab"
            )
            # The start of the other takes half of the partitions away from the one, amid its work.
            async with one.running(), other.running():
                await self._passed(RECORDS)
            async with store.connect() as connection:
                rows = (await connection.execute(text("SELECT event_id, member FROM effect"))).all()
        assert {row.member for row in rows} == {"a", "b"}
        return Counter(row.event_id for row in rows)

    async def _killed(self, moment: Moment, record: int) -> None:
        dying = self.victim.model_copy(update={"moment": moment, "record": record})
        await dying.until_it_dies()

    async def _passed(self, records: int) -> None:
        """Wait until the group has reported so many records to Kafka."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.victim.bootstrap)
        await admin.start()

        async def passed() -> bool:
            offsets = await admin.list_consumer_group_offsets(self.victim.group_id)
            return bool(sum(each.offset for each in offsets.values()) >= records)

        try:
            await eventually(passed, f"{records} records to be passed")
        finally:
            await admin.close()


async def fill(bootstrap: str, topic: str) -> None:
    """Publish the events; those sent again are in another partition, too, like a resent webhook."""
    await create_topics(bootstrap, [topic])
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for number, each in enumerate(EVENTS):
            out = encode_event(event(id=each, reference=f"A-{number}"), topic, TRACE)
            for turn in range(2 if each in SENT_AGAIN else 1):
                await producer.send(
                    topic,
                    out.value,
                    out.key,
                    partition=(number + turn) % 4,
                    headers=list(out.headers),
                )


async def test_each_effect_happens_once_and_the_same_attack_doubles_without_the_guard(
    broker: Broker, database_server: DatabaseServer, topics_prefix: str
) -> None:
    topic = f"{topics_prefix}payment"
    await fill(broker.bootstrap, topic)
    with fresh_database(database_server) as one, fresh_database(database_server) as other:
        guarded, unguarded = (
            Attack(
                Victim(
                    bootstrap=broker.bootstrap,
                    database_url=url,
                    topic=topic,
                    group_id=f"{topics_prefix}{name}",
                    instance="a",
                    guarded=name == "guarded",
                )
            )
            for name, url in (("guarded", one), ("unguarded", other))
        )
        effects, without = await asyncio.gather(guarded.run(), unguarded.run())
    assert effects == Counter(EVENTS)
    assert without.keys() == set(EVENTS)
    doubled = {each for each, times in without.items() if times > 1}
    assert doubled >= SENT_AGAIN, "the events in two records"
    assert doubled - SENT_AGAIN, "records that were delivered again"
