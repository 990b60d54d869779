"""Deliveries as a list shows them: accepted, quarantined, refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from router.contract.event import Event
from router.contract.quarantine import Quarantined, Replayed
from router.contract.refused import Refused
from router.contract.topics import Topics
from router.contract.wire import (
    ReaderOutdated,
    UndecodableRecord,
    decode_event,
    decode_quarantine,
    decode_refused,
)


class DeliveryOutcome(StrEnum):
    """The outcome of a delivery."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


Kept = Event | Quarantined | Refused
"""The content of a record that is a delivery."""


@dataclass(frozen=True)
class RecordPlace:
    """A record's place on the broker."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        """Return the place as commands print it."""
        return f"{self.topic}-{self.partition}@{self.offset}"


@dataclass(frozen=True)
class SeenDelivery:
    """One record: a delivery, or one of the events of a delivery.

    `at` is when it was stored, which for a replayed event is long after `received_at`. `reason`
    is the type of an event. `source` is known of refused deliveries only.
    """

    place: RecordPlace
    at: datetime
    outcome: DeliveryOutcome
    id: UUID
    received_at: datetime
    provider: str
    endpoint: str
    account: str
    reason: str
    detail: str | None = None
    reference: str | None = None
    source: str | None = None
    replayed: Replayed | None = None


def outcomes_of(topics: Topics) -> Mapping[str, DeliveryOutcome]:
    """Return the outcome that each topic is for."""
    return {
        **dict.fromkeys(topics.events, DeliveryOutcome.ACCEPTED),
        topics.quarantine: DeliveryOutcome.QUARANTINED,
        topics.refused: DeliveryOutcome.REFUSED,
    }


def decoded(record: Any, outcome: DeliveryOutcome) -> Kept | Replayed | None:  # noqa: ANN401 - aiokafka's
    """Return a record's content, None if it cannot be decoded."""
    try:
        if outcome is DeliveryOutcome.ACCEPTED:
            return decode_event(record.value, record.headers)
        if outcome is DeliveryOutcome.QUARANTINED:
            return decode_quarantine(record.value, record.headers)
        return decode_refused(record.value, record.headers)
    except (UndecodableRecord, ReaderOutdated):
        return None


def stored_at(record: Any) -> datetime:  # noqa: ANN401 - aiokafka's
    """Return the time of a record."""
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)


def seen(record: Any, kept: Kept) -> SeenDelivery:  # noqa: ANN401 - aiokafka's
    """Return what a list shows of a record's content."""
    place = RecordPlace(record.topic, record.partition, record.offset)
    if isinstance(kept, Event):
        return SeenDelivery(
            place,
            stored_at(record),
            DeliveryOutcome.ACCEPTED,
            kept.id,
            kept.received_at,
            kept.provider,
            kept.endpoint,
            kept.account,
            kept.type.value,
            reference=kept.reference or kept.provider_reference,
        )
    return SeenDelivery(
        place,
        stored_at(record),
        DeliveryOutcome.REFUSED if isinstance(kept, Refused) else DeliveryOutcome.QUARANTINED,
        kept.id,
        kept.received_at,
        kept.provider,
        kept.endpoint,
        kept.account,
        kept.reason,
        kept.detail,
        source=kept.source if isinstance(kept, Refused) else None,
    )
