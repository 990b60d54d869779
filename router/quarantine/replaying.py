"""Publishes replays to the broker, one delivery after the other."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from router.broker.adapter.bootstrap import cause_of, unreachable
from router.broker.connection import KafkaConnection
from router.broker.producers import stop_within
from router.broker.refusals import is_refusal
from router.broker.rights import KafkaOperation, on_topic
from router.contract.topics import Topics
from router.contract.wire import OutgoingRecord
from router.edge.intake import Clock
from router.edge.publishing.producer_line import ProducerTiming
from router.edge.publishing.publish import producer_factory
from router.errors import NotDurable, Reason
from router.quarantine.replay import PublishReplay, Replayer, ReplayVerdict
from router.telemetry.logs import new_traceparent

_PUBLISH_SECONDS = 30.0


@dataclass(frozen=True)
class ReplayTarget:
    """The broker and topics to publish replays to, and the name of the operator."""

    kafka: KafkaConnection
    topics: Topics
    clock: Clock
    operator: str


async def replay_all(
    target: ReplayTarget, verdicts: Sequence[ReplayVerdict]
) -> Sequence[ReplayVerdict]:
    """Replay each and return the results; one that is refused does not stop the others."""
    done: list[ReplayVerdict] = []
    async with _publisher(target.kafka) as publish:
        replayer = Replayer(publish, target.topics, target.clock, new_traceparent, target.operator)
        for verdict in verdicts:
            try:
                done.append(await replayer.replay(verdict))
            except (KafkaError, TimeoutError, OSError) as error:
                why = unreachable(error, target.kafka.settings.bootstrap_servers)
                return [*done, *(each.unpublished(why) for each in verdicts[len(done) :])]
    return done


@contextlib.asynccontextmanager
async def _publisher(kafka: KafkaConnection) -> AsyncIterator[PublishReplay]:
    producer = producer_factory(kafka, kafka.settings.max_request_bytes)()

    async def publish(records: Sequence[OutgoingRecord]) -> None:
        async with asyncio.timeout(_PUBLISH_SECONDS):
            for record in records:
                await _sent(producer, record, kafka.principal)

    timing = ProducerTiming()
    try:
        async with asyncio.timeout(timing.connect_seconds):
            await producer.start()
        yield publish
    finally:
        await stop_within(producer, timing.stop_seconds)


async def _sent(producer: AIOKafkaProducer, record: OutgoingRecord, user: str) -> None:
    """Send one record; raises NotDurable if its topic refuses it."""
    try:
        await producer.send_and_wait(
            record.topic, record.value, key=record.key, headers=list(record.headers)
        )
    except KafkaError as error:
        if not is_refusal(error):
            raise
        writing = on_topic(user, KafkaOperation.WRITE, record.topic, "quarantine replay")
        message = f"topic {record.topic} refused it: {cause_of(error, [writing])}"
        raise NotDurable(Reason.NOT_DURABLE, message) from None
