"""Keeps the edge from acknowledging an event on a topic that could lose it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from router.broker.topics.watch import TopicWatch
from router.contract.wire import OutgoingRecord
from router.edge.metrics import EdgeMetrics
from router.edge.publishing.publish import KafkaPublisher
from router.edge.publishing.submission import Done, Submit
from router.errors import NotDurable, Reason


@dataclass(frozen=True)
class SafePublish:
    """Publishes records, unless one is for a topic that could lose it.

    Only deliveries to such a topic are refused; other topics are not affected.
    """

    submit: Submit
    problem: Callable[[str], str | None]
    refused: Callable[[], None]
    """Counts a refusal."""

    def __call__(
        self, records: Sequence[OutgoingRecord], done: Done, deadline: float | None
    ) -> object:
        """Publish as `submit` does; raise NotDurable before anything is sent."""
        for topic in dict.fromkeys([record.topic for record in records]):
            problem = self.problem(topic)
            if problem is not None:
                self.refused()
                raise NotDurable(Reason.NOT_DURABLE, problem)
        return self.submit(records, done, deadline)


def safe_submit(
    publisher: KafkaPublisher, topic_watch: TopicWatch, metrics: EdgeMetrics
) -> SafePublish:
    """Return what publishes, except to a topic that could lose a record."""
    refused = metrics.publish_failures.labels("endangered").inc
    return SafePublish(publisher.submit, topic_watch.problem, refused)
