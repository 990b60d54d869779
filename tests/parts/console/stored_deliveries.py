"""Deliveries of every outcome, stored on the topics of a test."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from aiokafka import AIOKafkaProducer

from router.contract.event import Event
from router.contract.quarantine import Quarantined, Replayed
from router.contract.refused import Refused
from router.contract.topics import Topics
from router.contract.wire import (
    OutgoingRecord,
    encode_event,
    encode_quarantined,
    encode_refused,
    encode_replayed,
)
from tests.parts.brokers import Broker, create_topics
from tests.parts.contract.events import event
from tests.parts.providers.blockatm_deliveries import PAYMENT, TIME, body_of, signature
from tests.parts.providers.blockatm_deliveries import RECEIVED as GENUINE_RECEIVED
from tests.parts.runtime.counting import TRACE

RECEIVED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
"""When every delivery arrived."""

Stored = Event | Quarantined | Refused | Replayed


@dataclass(frozen=True)
class DeliveryTopics:
    """The topics of a test, and a producer for them.

    `began` is recent: the broker deletes older records while a test runs.
    """

    broker: Broker
    topics: Topics
    producer: AIOKafkaProducer
    began: datetime

    async def store(self, kept: Stored, second: int, partition: int = 0) -> int:
        """Store a record as of a second after `began`, and return its offset."""
        out = self._record(kept)
        sent = await self.producer.send_and_wait(
            out.topic,
            out.value,
            out.key,
            partition=partition,
            timestamp_ms=int(self.began.timestamp() + second) * 1000,
            headers=list(out.headers),
        )
        return int(sent.offset)

    def _record(self, kept: Stored) -> OutgoingRecord:
        if isinstance(kept, Event):
            return encode_event(kept, self.topics.name(kept.type.family), TRACE)
        if isinstance(kept, Quarantined):
            return encode_quarantined(kept, self.topics.quarantine, TRACE)
        if isinstance(kept, Refused):
            return encode_refused(kept, self.topics.refused, TRACE)
        return encode_replayed(kept, self.topics.quarantine, TRACE)


@contextlib.asynccontextmanager
async def delivery_topics(broker: Broker, prefix: str) -> AsyncIterator[DeliveryTopics]:
    """Create every topic with deliveries, and give what stores some."""
    topics = Topics(prefix)
    names: Sequence[str] = [*topics.events, topics.quarantine, topics.refused]
    await create_topics(broker.bootstrap, list(names))
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)
    await producer.start()
    try:
        began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
        yield DeliveryTopics(broker, topics, producer, began)
    finally:
        await producer.stop()


def accepted(number: int, **changes: object) -> Event:
    """Return the event of an accepted delivery."""
    own = {"id": UUID(int=number), "reference": f"A-{number}", "provider_reference": f"P-{number}"}
    return event(**{**own, "endpoint": "shop", "received_at": RECEIVED, **changes})


def quarantined(number: int, **changes: object) -> Quarantined:
    """Return a delivery on quarantine."""
    own = {
        "reason": "unknown_status",
        "detail": "status: expected PENDING, SUCCESS",
        "signed_at": None,
        "verification": {"scheme": "blockatm-v2-raw", "key": "fp:3c1a9d"},
        "raw": _raw(headers={}),
    }
    return Quarantined.model_validate({**_common(number), **own, **changes})


def genuine(number: int = 4, order: str = "A-1") -> Quarantined:
    """Return a delivery on quarantine that the provider verifies and understands."""
    body = body_of({**PAYMENT, "orderNo": order})
    signed_by = {"blockatm-request-time": TIME, "blockatm-event": "payment"}
    signature_of = signature(body + b"&time=" + TIME.encode())
    return quarantined(
        number,
        received_at=GENUINE_RECEIVED,
        raw={
            **_raw(headers={**signed_by, "blockatm-signature-v2": signature_of}),
            "body": body.decode(),
        },
    )


def refused(number: int, **changes: object) -> Refused:
    """Return a refused delivery."""
    own = {
        "reason": "signature_wrong",
        "detail": "none of 1 keys made this signature",
        "source": "203.0.113.7",
        "raw": _raw(headers=[]),
        "masked": False,
        "truncated": False,
        "body_bytes": 16,
        "body_sha256": "0" * 64,
    }
    return Refused.model_validate({**_common(number), **own, **changes})


def replay_of(kept: Quarantined) -> Replayed:
    """Return the note that a delivery was replayed."""
    return Replayed(
        quarantined=kept.id,
        provider=kept.provider,
        endpoint=kept.endpoint,
        account=kept.account,
        events=(),
        at=RECEIVED,
        by="ana",
    )


def _common(number: int) -> dict[str, object]:
    own = {"provider": "blockatm", "endpoint": "shop", "account": "shop-eu"}
    return {"id": UUID(int=number), "received_at": RECEIVED, **own}


def _raw(headers: object) -> dict[str, object]:
    own = {"method": "POST", "target": "/webhooks/shop", "body": '{"orderNo":"A-1"}'}
    return {**own, "headers": headers, "body_encoding": "utf-8"}
