"""Deliveries on the quarantine topic of a feed."""

from collections.abc import Sequence

from router.contract.quarantine import Quarantined, quarantine_id
from router.contract.topics import Topics
from router.contract.wire import encode_quarantined
from tests.parts.brokers import create_topics
from tests.parts.contract.events import event
from tests.parts.runtime.counting import TRACE
from tests.parts.runtime.members import Feed


async def quarantined(feed: Feed, *bodies: str, account: str = "shop-eu") -> Sequence[Quarantined]:
    """Publish deliveries to the quarantine topic, and return them."""
    topic = Topics(feed.prefix).quarantine
    await create_topics(feed.broker.bootstrap, [topic])
    every = [_kept(number, body, account) for number, body in enumerate(bodies)]
    for kept in every:
        out = encode_quarantined(kept, topic, TRACE)
        await feed.producer.send_and_wait(topic, out.value, out.key, partition=0)
    return every


def _kept(number: int, body: str, account: str) -> Quarantined:
    return Quarantined.model_validate(
        {
            "id": quarantine_id("blockatm", account, "unknown_status", str(number)),
            "reason": "unknown_status",
            "detail": "status: 'PAUSED' is none of the known ones",
            "provider": "blockatm",
            "endpoint": "shop",
            "account": account,
            "signed_at": None,
            "received_at": event().received_at,
            "verification": {"scheme": "blockatm-v2-raw", "key": "fp:3c1a9d"},
            "raw": {
                "method": "POST",
                "target": "/webhooks/shop",
                "headers": {},
                "body": body,
                "body_encoding": "utf-8",
            },
        }
    )
