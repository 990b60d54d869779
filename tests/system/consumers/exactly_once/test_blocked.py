"""What cannot be applied is never passed: its partition waits, and the others go on."""

from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from faststream import ExceptionMiddleware
from faststream.exceptions import AckMessage
from faststream.kafka import KafkaBroker, KafkaMessage
from sqlalchemy import text

from consumers.exactly_once import Session, Unusable
from consumers.runtime.records import Partition
from router.contract.event import Event
from router.contract.wire import encode_event
from tests.parts.brokers import Broker
from tests.parts.exactly_once.living import Living, add, numbered
from tests.parts.runtime.unreadable import send_misnamed, spoil

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("error", [RuntimeError, AckMessage])
async def test_failed_record_waits_with_those_behind_it_and_other_partitions_go_on(
    feed: Living, error: type[Exception]
) -> None:
    broken = True

    async def failing(found: Event, session: Session, message: KafkaMessage) -> None:
        await add(found, session)
        if broken and found.id == numbered(1).id:
            # FastStream's own acknowledgement would commit every partition.
            await message.ack()
            raise error

    await feed.send([0, 1, 2])
    async with feed.service(failing) as guard:
        await feed.blocked(guard, error.__name__)
        await feed.send([3], partition=1)
        await feed.applied([0, 3])
        broken = False
        await feed.applied([0, 3, 1, 2])
        assert guard.problems == {}


async def test_exception_that_a_middleware_swallows_passes_nothing(feed: Living) -> None:
    async def failing(found: Event, session: Session) -> None:
        await add(found, session)
        raise RuntimeError

    swallowing = ExceptionMiddleware(handlers={Exception: lambda _: None})
    broker = KafkaBroker(feed.bootstrap, logger=None, middlewares=[swallowing])
    await feed.send([0])
    async with feed.service(failing, broker) as guard:
        await feed.blocked(guard, "RuntimeError")
        assert await feed.effects() == []


async def test_headers_that_break_faststreams_parser_do_not_matter(feed: Living) -> None:
    await feed.send([0], headers=[("null", None), ("binary", b"\xff"), ("binary", b"\xfe")])
    # aiokafka raises for such a name, and for the records behind it in the batch.
    values = [encode_event(numbered(number), feed.topic, "trace").value for number in (1, 2)]
    await send_misnamed(feed.producer, feed.topic, 0, values, misnamed=(0,))
    async with feed.service() as guard:
        await feed.applied([0, 1, 2])
        assert guard.problems == {}


async def test_damaged_record_blocks_its_partition_alone(feed: Living, broker: Broker) -> None:
    await feed.send([0, 1])
    spoil(broker, Partition(feed.topic, 0), str(numbered(1).id).encode())
    async with feed.service() as guard:
        await feed.blocked(guard, "offset 1 cannot be read: CorruptRecordException")
        await feed.send([2], partition=1)
        await feed.applied([0, 2])


async def test_foreign_seek_skips_and_repeats_nothing(feed: Living) -> None:
    broker = KafkaBroker(feed.bootstrap, logger=None)
    await feed.send([0, 1])
    async with feed.service(broker=broker):
        await feed.applied([0, 1])
        (subscriber,) = broker.subscribers
        consumer, at = cast("Any", subscriber).consumer, TopicPartition(feed.topic, 0)
        consumer.pause(at)
        await feed.send([2, 3, 4])
        # The offsets before it have records, so nothing explains that they did not arrive.
        consumer.seek(at, 4)
        consumer.resume(at)
        await feed.applied([0, 1, 2, 3, 4])
        consumer.seek(at, 0)
        await feed.send([5])
        await feed.applied([0, 1, 2, 3, 4, 5])


async def test_malformed_record_blocks_its_partition_until_the_service_keeps_it(
    feed: Living,
) -> None:
    await feed.send([0], value=b"{}")
    await feed.send([1])
    async with feed.service() as guard:
        await feed.blocked(guard, "offset 0 cannot be applied: id: Field required")
        assert await feed.effects() == []
        await feed.move_fence(1)
        await feed.applied([1])
        assert guard.problems == {}
        await feed.send([2], value=b"{}")
        await feed.send([3])
        await feed.blocked(guard, "offset 2 cannot be applied")

    async def keep(unusable: Unusable, session: Session) -> None:
        assert unusable.record.value == b"{}"
        await session.execute(text("CREATE TABLE kept AS SELECT 1"))

    async with feed.service(keep_unusable=keep):
        await feed.applied([1, 3])
