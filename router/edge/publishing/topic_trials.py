"""Health of all topics, and trials: records sent again to find out whether a topic accepts them."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from router.broker.adapter.bootstrap import cause_of
from router.broker.producers import send_alone
from router.broker.refusals import About, about
from router.contract.wire import OutgoingRecord
from router.edge.publishing.submission import QueuedRecord
from router.edge.publishing.topic_health import TopicHealth, TopicHealthState

Failed = Callable[[AIOKafkaProducer, OutgoingRecord, int, BaseException], None]
"""Receives the failure of a trial: producer, record, number of the attempt, error."""


@dataclass(frozen=True)
class _Trial:
    """A record sent again, and the future of its acknowledgement."""

    attempt: int
    record: OutgoingRecord
    began: float
    acknowledged: asyncio.Future[Any]


@dataclass
class TopicTrials:
    """The health of each topic, by its full name.

    `attempt` returns the number of a new attempt; `failed` is called if a trial fails.
    `trial_seconds` is the interval between trials of a topic, `send_seconds` how long a producer
    may take to accept one.
    """

    attempt: Callable[[], int]
    failed: Failed
    trial_seconds: float
    send_seconds: float
    _topics: dict[str, TopicHealth] = field(default_factory=dict)
    _trials: dict[str, _Trial] = field(default_factory=dict)

    def problems(self, now: float) -> list[str | None]:
        """Return why topics prevent readiness, None for each that does not."""
        return [health.problem(topic, now) for topic, health in self._topics.items()]

    def silent_seconds(self, now: float) -> float:
        """Return for how long answers are missing from the topic that is silent longest."""
        return max((health.silent_for(now) for health in self._topics.values()), default=0)

    def acknowledged(self, topic: str, attempt: int) -> None:
        """Record an acknowledgement."""
        self._topics[topic] = self._of(topic).acknowledged(attempt)

    def refused(
        self, record: OutgoingRecord, attempt: int, error: BaseException, *, alone: bool
    ) -> None:
        """Record that the broker refused a record, if the error shows something of its topic."""
        topic, kind = record.topic, about(error)
        if kind is About.TOPIC:
            why = f"topic {topic}: {cause_of(error)}"
            self._topics[topic] = self._of(topic).refused(attempt, record, why)
        elif alone and kind is not About.PRODUCER:
            self._topics[topic] = self._of(topic).record_refused(attempt)
        else:
            self._topics[topic] = self._of(topic)

    def given_up(self, entries: Iterable[tuple[QueuedRecord, bool]], now: float) -> None:
        """Record entries whose caller no longer waits, and whether a producer holds each."""
        for entry, sent in entries:
            topic, attempt = entry.record.topic, entry.submission.attempt
            health = self._of(topic).given_up(attempt, entry.record, now, sent=sent)
            self._topics[topic] = health

    def producer_replaced(self) -> None:
        """Forget the trials: their producer retries them no longer."""
        self._trials.clear()
        self._topics = {topic: health.producer_replaced() for topic, health in self._topics.items()}

    async def test(self, producer: AIOKafkaProducer) -> None:
        """Send again the record that a topic did not accept, unless it is still being sent."""
        now = time.monotonic()
        for topic, health in list(self._topics.items()):
            under_way = self._trials.get(topic)
            if under_way is not None and now - under_way.began < self.trial_seconds:
                continue
            unanswered = health.state is TopicHealthState.UNANSWERED
            if health.ready or unanswered or health.trial is None:
                continue
            if under_way is not None and not under_way.acknowledged.done():
                self._topics[topic] = health.given_up(
                    under_way.attempt, under_way.record, under_way.began
                )
                continue
            await self._start(producer, health.trial, now)

    async def _start(
        self, producer: AIOKafkaProducer, record: OutgoingRecord, began: float
    ) -> None:
        attempt = self.attempt()
        try:
            async with asyncio.timeout(self.send_seconds):
                sent = await send_alone(
                    producer, record.topic, record.key, record.value, list(record.headers)
                )
        except KafkaError as error:
            self.failed(producer, record, attempt, error)
            return
        except TimeoutError:
            return

        def answered(future: asyncio.Future[Any]) -> None:
            # Even if no caller is waiting, the result shows the state of topic and producer.
            if future.cancelled():
                return
            error = future.exception()
            if error is None:
                self.acknowledged(record.topic, attempt)
            else:
                self.failed(producer, record, attempt, error)

        sent.add_done_callback(answered)
        self._trials[record.topic] = _Trial(attempt, record, began, sent)

    def _of(self, topic: str) -> TopicHealth:
        return self._topics.get(topic, TopicHealth())
