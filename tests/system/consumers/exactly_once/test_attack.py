"""Kills, redelivery, duplicates, a rebalance: each effect once, and doubled without the guard."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from router.contract.wire import encode_event
from tests.parts.brokers import Broker, create_topics
from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.exactly_once.living import numbered
from tests.parts.exactly_once.victim import Victim, store_of
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka

Moment = Literal["before the commit", "after the commit"]


@dataclass
class Attack:
    """An attacked service; its victim is the first of two members."""

    victim: Victim
    producer: AIOKafkaProducer
    store: AsyncEngine
    sent: Counter[UUID] = field(default_factory=Counter)
    """How many records each event has."""

    async def run(self) -> Counter[UUID]:
        """Attack it; return the number of effects of each event once all records are passed."""
        await self._send(range(60))
        await self._killed("after the commit")
        await self._killed("before the commit")
        other = self.victim.model_copy(update={"instance": "b"})
        async with self.victim.running(), other.running():
            # The second to join takes half of the partitions away from the first, amid its work.
            for number in range(60, 20_000, 4):
                await self._send(range(number, number + 4))
                if await self._members() == {"a", "b"}:
                    break
                await asyncio.sleep(0.3)
            await self._passed(self.sent.total())
        async with self.store.connect() as connection:
            return Counter(await connection.scalars(text("SELECT event_id FROM effect")))

    async def _send(self, numbers: Iterable[int]) -> None:
        """Publish events; each fourth again in another partition, like a resent webhook."""
        for number in numbers:
            content = numbered(number)
            out = encode_event(content, self.victim.topic, "trace")
            for turn in range(1 if number % 4 else 2):
                at, headers = (number // 4 + number + turn) % 4, list(out.headers)
                await self.producer.send(
                    out.topic, out.value, out.key, partition=at, headers=headers
                )
                self.sent[content.id] += 1
        await self.producer.flush()

    async def _killed(self, moment: Moment) -> None:
        dying = self.victim.model_copy(update={"moment": moment, "record": 15})
        await dying.until_it_dies()

    async def _members(self) -> set[str]:
        async with self.store.connect() as connection:
            return set(await connection.scalars(text("SELECT DISTINCT member FROM effect")))

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


@contextlib.asynccontextmanager
async def attack(
    bootstrap: str, server: DatabaseServer, name: str, *, guarded: bool
) -> AsyncIterator[Attack]:
    """Yield an attack on a topic, a group and a database that are new."""
    await create_topics(bootstrap, [name])
    with fresh_database(server) as url:
        victim = Victim(
            bootstrap=bootstrap,
            database_url=url,
            topic=name,
            group_id=name,
            instance="a",
            guarded=guarded,
        )
        async with (
            AIOKafkaProducer(bootstrap_servers=bootstrap) as producer,
            store_of(victim) as store,
        ):
            yield Attack(victim, producer, store)


async def test_each_effect_happens_once_and_the_same_attack_doubles_without_the_guard(
    broker: Broker, database_server: DatabaseServer, topics_prefix: str
) -> None:
    names = (f"{topics_prefix}guarded", f"{topics_prefix}unguarded")
    async with (
        attack(broker.bootstrap, database_server, names[0], guarded=True) as one,
        attack(broker.bootstrap, database_server, names[1], guarded=False) as other,
    ):
        effects, without = await asyncio.gather(one.run(), other.run())
    assert effects == Counter(one.sent.keys())
    # Each record has an effect, those in two records two, and one delivered again one more.
    assert without >= other.sent > Counter(other.sent.keys())
    assert without > other.sent
