"""Events for the tests."""

from datetime import UTC, datetime
from uuid import UUID

from router.contract.event import Event

ID = UUID("5cb2d56f-233b-5534-95af-5f0a6c5c475f")
"""The id of the event of `event`."""


def event(**changes: object) -> Event:
    """Make a confirmed payment, with some fields changed."""
    fields: dict[str, object] = {
        "id": ID,
        "type": "payment.confirmed",
        "provider": "blockatm",
        "endpoint": "blockatm-main",
        "account": "shop-eu",
        "reference": "A-1",
        "provider_reference": "8210003616",
        "amount": "2000.00",
        "currency": "USDT",
        "received_at": datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC),
        "verification": {"scheme": "blockatm-v2-raw", "key": "fp:3c1a9d"},
    }
    return Event.model_validate({**fields, **changes})
