"""The texts of an event's evidence are those that pydantic writes, and give the event again."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from consumers.ledger.writing.evidence import event_of, evidence_of
from router.contract.event import Event
from tests.parts.contract.events import event

_RAW = {
    "method": "POST",
    "target": "/webhooks/x",
    "headers": {"signature": "\u20ac"},
    "body": '{"a": "\\n",\n\t"b": 1\x7f}',
    "body_encoding": "utf-8",
}
_EVENTS = {
    "few fields": event(),
    "most fields": event(
        amount="0.000000000000000001",
        fee="-0.10",
        fee_currency="USDT",
        gas="1E+3",
        gas_currency="TRX",
        customer={"id": 'C "1" \\', "email": "a@shop.example"},
        occurred_at=datetime(2026, 11, 22, 9, 59, 58, tzinfo=UTC),
        test=False,
        unread=["tx_hash", "customer.email"],
        raw=_RAW,
        raw_event="f3a110f4-b1ff-523f-b9dc-0daafc035651",
    ),
    "recorded by an operator": event(
        provider="operator",
        recorded={
            "by": "anna",
            "reason": "seen on chain",
            "provider": "blockatm",
            "replaces": "1E+3",
        },
    ),
    "another zone": event(
        received_at=datetime(2026, 11, 22, 10, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    ),
}


@pytest.mark.parametrize("happened", _EVENTS.values(), ids=_EVENTS.keys())
def test_evidence_is_what_pydantic_writes(happened: Event) -> None:
    found = evidence_of(happened)
    assert found.body == happened.model_dump_json(exclude={"customer", "raw"})
    assert found.customer == happened.customer.model_dump_json()
    assert found.raw == (happened.raw and happened.raw.model_dump_json())
    assert event_of(found) == happened
