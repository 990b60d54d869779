"""Distributes the records of a topic to the queues of its partitions."""

import asyncio
from collections.abc import Collection
from functools import partial

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerClosed, UnknownTopicOrPartitionError

from router.broker.partitioner import partition_of
from router.edge.publishing.at_once import at_once
from router.edge.publishing.lane import Lane, Sending, put_first, sort_failed, take_all
from router.edge.publishing.submission import QueuedRecord


class TopicQueue:
    """Records of one topic.

    Until a producer has reported the topic's partitions, records wait here, in order.
    """

    def __init__(self, topic: str, sending: Sending) -> None:
        """Start without partitions."""
        self._topic = topic
        self._sending = sending
        self._partitions: list[int] = []
        self._lanes: dict[int, Lane] = {}
        self._unplaced: dict[QueuedRecord, None] = {}
        self._asked: AIOKafkaProducer | None = None
        self._asking: asyncio.Task[Collection[int]] | None = None

    def add(self, entry: QueuedRecord) -> None:
        """Queue a record behind the earlier ones of its partition."""
        if self._partitions:
            self._place(entry)
        else:
            self._unplaced[entry] = None
            entry.drop = self._unplaced.pop
            self._ask()

    def serve(self) -> None:
        """Send what waits, with a producer that begins to serve."""
        # It may know other partitions.
        self._partitions = []
        for lane in self._lanes.values():
            lane.pump()
        self._ask()

    def ended(self, producer: AIOKafkaProducer) -> None:
        """Give a result to everything that waits for a producer that has ended."""
        for lane in self._lanes.values():
            lane.ended(producer)
        if self._asked is producer:
            self._stop_asking()
            self._told(producer, ProducerClosed())

    def take_waiting(self) -> list[QueuedRecord]:
        """Empty the queues; return what no producer holds."""
        lanes = [entry for lane in self._lanes.values() for entry in lane.take_waiting()]
        return [*lanes, *take_all(self._unplaced)]

    def update_partitions(self) -> None:
        """Ask the producer again: partitions may be added to a topic at any time."""
        if self._partitions:
            self._ask(anyway=True)

    def _ask(self, *, anyway: bool = False) -> None:
        producer = self._sending.producer()
        if producer is None or producer is self._asked or not (self._unplaced or anyway):
            return
        self._stop_asking()
        self._asked = producer
        try:
            partitions, asking = at_once(partial(producer.partitions_for, self._topic))
        except Exception as error:  # noqa: BLE001 - what waits has a result even then
            asyncio.get_running_loop().call_soon(self._told, producer, error)
            return
        if asking is None:
            self._told(producer, partitions or ())
        else:
            self._asking = asking
            asking.add_done_callback(partial(self._answered, producer))

    def _stop_asking(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    def _answered(self, producer: AIOKafkaProducer, asking: asyncio.Task[Collection[int]]) -> None:
        if not asking.cancelled():
            self._told(producer, asking.exception() or asking.result())

    def _told(
        self, producer: AIOKafkaProducer, answer: Collection[int] | BaseException | None
    ) -> None:
        if producer is not self._asked:
            # It had ended before.
            return
        self._asked, self._asking = None, None
        if isinstance(answer, BaseException):
            self._failed(producer, answer)
        elif not answer:
            self._failed(producer, UnknownTopicOrPartitionError())
        else:
            self._partitions = sorted(answer)
            for entry in take_all(self._unplaced):
                self._place(entry)

    def _failed(self, producer: AIOKafkaProducer, error: BaseException) -> None:
        entries = take_all(self._unplaced)
        if entries:
            again, refused = sort_failed(entries, error, self._sending.tries)
            put_first(self._unplaced, again)
            self._sending.failed(producer, entries, error, alone=False)
            for entry in refused:
                self._sending.refused(entry, error)
        self._ask()

    def _place(self, entry: QueuedRecord) -> None:
        partition = partition_of(entry.record.key, self._partitions)
        lane = self._lanes.get(partition)
        if lane is None:
            lane = self._lanes[partition] = Lane(self._topic, partition, self._sending)
        lane.add(entry)
