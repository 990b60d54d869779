"""Receives deliveries with an intake and a publisher, as the edge does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from router.contract.wire import OutgoingRecord
from router.delivery import Delivery
from router.edge.intake import Endpoint, Intake, Received
from router.errors import NotDurable, Reason

Publish = Callable[[Sequence[OutgoingRecord]], None]
"""Makes records durable, or raises NotDurable."""


@dataclass
class Shelf:
    """A publisher that collects records, or raises NotDurable."""

    records: list[OutgoingRecord] = field(default_factory=list)
    full: bool = False

    def __call__(self, records: Sequence[OutgoingRecord]) -> None:
        """Publish."""
        assert records
        if self.full:
            raise NotDurable(Reason.NOT_DURABLE, "full")
        self.records.extend(records)

    @property
    def topics(self) -> list[str]:
        """Topics of the records."""
        return [record.topic for record in self.records]


@dataclass(frozen=True)
class Receiving:
    """An intake whose records are published at once."""

    intake: Intake
    publish: Publish

    def receive(self, delivery: Delivery, endpoint: Endpoint) -> Received:
        """Return what is received once it is durable, or raise RefusedDelivery."""
        prepared = self.intake.begin(delivery, endpoint)
        if prepared.records:
            self.publish(prepared.records)
        return self.intake.durable(prepared, 0.0)
