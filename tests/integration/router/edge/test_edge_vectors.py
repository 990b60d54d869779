"""The documented deliveries of BlockATM, from HTTP to Kafka."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from router.contract.quarantine import Quarantined
from router.contract.topics import Topics
from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import given
from tests.parts.edge.edge_server import (
    SECRET,
    Record,
    ready_edge,
)
from tests.parts.providers.blockatm_deliveries import sample, signature

_RAW = "blockatm-v2-raw"
_SORTED = "blockatm-v2-sorted"

_PAYMENT: dict[str, Any] = {
    "id": "08c8712c-1a2a-5b46-9de6-660bb8d92826",
    "type": "payment.confirmed",
    "provider": "blockatm",
    "endpoint": "shop",
    "account": "shop-eu",
    "reference": "OrderNo_202504010023",
    "provider_reference": "8210003616",
    "amount": "2000.00",
    "currency": "USDT",
    "movement": None,
    "movement_amount": None,
    "amount_claimed": None,
    "expected_amount": None,
    "expected_currency": None,
    "converted": None,
    "converted_currency": None,
    "price_met": None,
    "fee": None,
    "fee_currency": None,
    "fee_returned": None,
    "gas": None,
    "gas_currency": None,
    "network": "Ethereum",
    "chain_id": "1",
    "tx_hash": "0x7614a9840d9422feaef4671e0ee98dd7092ebcba6e41076285f99d0b2b0de5fe",
    "from_address": "0xa9e358e33a57e67c9b84618a52f0194c345c8e35",
    "to_address": None,
    "customer": {"id": "CustNo_00240101", "email": None},
    "occurred_at": None,
    "raw_event": None,
    "recorded": None,
    "received_at": "2025-03-27T07:24:29Z",
    "test": False,
    "unread": [],
}
_PAYOUT = {
    **_PAYMENT,
    "id": "ab23b628-2e9e-55e4-82ba-b737bfbba549",
    "type": "payout.confirmed",
    "reference": "B202505220012",
    "provider_reference": "B202505220012",
    "fee": "2",
    "fee_currency": "USDT",
    "gas": "1",
    "gas_currency": "USDT",
    "to_address": "0xa9e358E33a57E67c9B84618a52f0194C345C8e35",
    "customer": {"id": "CustNo_2022140101", "email": None},
    "occurred_at": "2023-08-28T08:54:21.016000Z",
}
# Published bodies are those of BlockATM's pages, which have no signatures. The signatures were
# made with other programs.
_VECTORS = {
    "payment, sorted": (
        given(
            sample("published-payment-compact"),
            "7ff3c4c25d55af41a39be565d31120134764c280885fb1c24961ff76db033daa",
        ),
        _SORTED,
        _PAYMENT,
        b'["shop-eu","OrderNo_202504010023"]',
    ),
    "payment, raw": (
        given(
            sample("published-payment-compact"),
            "26a0431d97b1d4078acfcaf94151623a184c339df890cf5d3aba4f3c9c382053",
        ),
        _RAW,
        _PAYMENT,
        b'["shop-eu","OrderNo_202504010023"]',
    ),
    "payment as printed on the page, sorted": (
        given(
            sample("published-payment"),
            "7ff3c4c25d55af41a39be565d31120134764c280885fb1c24961ff76db033daa",
            "Payment",
        ),
        _SORTED,
        _PAYMENT,
        b'["shop-eu","OrderNo_202504010023"]',
    ),
    "payout, sorted": (
        given(
            sample("published-payout"),
            "e0e4bb8210b9d550fd49795b081776781bfb918b7e4150d7e5c16c78f208f5b0",
            "payout",
        ),
        _SORTED,
        _PAYOUT,
        b'["shop-eu","B202505220012"]',
    ),
}


@pytest.mark.parametrize("name", _VECTORS)
async def test_a_documented_delivery_becomes_its_event_byte_for_byte(
    broker: Broker, topics_prefix: str, name: str
) -> None:
    sent, scheme, expected, key = _VECTORS[name]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        answer = await edge.post(sent.headers, sent.body)
        (record,) = await edge.records()

    assert (answer.status, answer.body, edge.direct.taken) == (200, b"OK", 1)
    assert record.topic == Topics(topics_prefix).name(expected["type"].partition(".")[0])
    assert record.key == key
    value = json.loads(record.value)
    assert value.pop("verification") == {"scheme": scheme, "key": "fp:47fe67"}
    assert value.pop("raw") == {
        "method": "POST",
        "target": "/webhooks/shop",
        "headers": {name.lower(): text for name, text in sent.headers[1:]},
        "body": sent.body.decode(),
        "body_encoding": "utf-8",
    }
    assert value == expected
    _assert_cloud_event(record, expected)


def _assert_cloud_event(record: Record, expected: dict[str, Any]) -> None:
    headers = dict(record.headers)
    assert len(headers) == len(record.headers)
    trace = headers.pop("traceparent").decode().split("-")
    moment = headers.pop("ce_time").decode()
    assert [len(part) for part in trace] == [2, 32, 16, 2]
    assert datetime.fromisoformat(moment) == datetime.fromisoformat(
        expected["occurred_at"] or expected["received_at"]
    )
    assert headers == {
        "ce_specversion": b"1.0",
        "ce_source": b"/payrouter/blockatm/shop-eu",
        "ce_id": expected["id"].encode(),
        "ce_type": expected["type"].encode(),
        "ce_subject": (expected["reference"] or expected["provider_reference"]).encode(),
        "ce_dataschema": b"urn:payrouter:schema:event:1.0",
        "content-type": b"application/json",
    }


# The page's own sample is on Sepolia (chainId 11155111).
_ON_A_TEST_CHAIN = {
    _SORTED: "dc6eb4a1d14c5db3f48c6d66f8ba4697d1ddd99bf8bbaf87eefcb4bf5db3d963",
    _RAW: "0bebc162f85ae1b570ce941c271c071f42baa8369b0cdbe4fd53165a0d13499a",
}


@pytest.mark.parametrize("scheme", _ON_A_TEST_CHAIN)
async def test_documented_delivery_on_a_test_chain_goes_to_quarantine(
    broker: Broker, topics_prefix: str, scheme: str
) -> None:
    sent = given(sample("published-numbers-compact"), _ON_A_TEST_CHAIN[scheme])

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        answer = await edge.post(sent.headers, sent.body)
        (record,) = await edge.records()

    kept = Quarantined.model_validate_json(record.value)
    assert answer.status == 200
    assert record.topic == Topics(topics_prefix).quarantine
    assert (kept.reason, kept.verification.scheme) == ("test_money", scheme)


_SECRETS = [SECRET, "your_webhook_secret"]

# Valid signatures over bodies that are not payments: stored, without effect.
_NO_EVENTS = {
    "a body of one amount": (
        b'{"amount":"13.41"}',
        "ddf299c3542d9cc3a85837c7c1a8b7a6d3f4443bd5f4a09d268e137bd6510635",
        "1693212861000",
        _RAW,
    ),
    "rendering edges": (
        sample("rendering-edges"),
        "166b9acfb9a21a722a6f864864109abd369e1d66e712fd689e77df28d1c66472",
        "1743060268000",
        _SORTED,
    ),
}


@pytest.mark.parametrize("name", _NO_EVENTS)
@pytest.mark.parametrize(
    ("event", "reason"), [("payment", "field_missing"), (None, "unknown_event")]
)
async def test_documented_signature_over_no_event_goes_to_quarantine(
    broker: Broker, topics_prefix: str, name: str, event: str | None, reason: str
) -> None:
    body, signed, time, scheme = _NO_EVENTS[name]
    sent = given(body, signed, event, time=time)

    async with ready_edge(broker.bootstrap, topics_prefix, secrets=_SECRETS) as edge:
        edge.clock.now = datetime.fromtimestamp(int(time) // 1000, UTC)
        answer = await edge.post(sent.headers, sent.body)
        (record,) = await edge.records()

    kept = Quarantined.model_validate_json(record.value)
    assert answer.status == 200
    assert record.topic == Topics(topics_prefix).quarantine
    assert (kept.reason, kept.verification.scheme) == (reason, scheme)
    assert kept.raw.body.encode() == body


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ('{"a":"","b":[1,"x",null,{"z":1,"c":[2]}],"t":true}', "a=&1&x&2&z=1&t=true&time=5"),
        ("{}", "time=5"),
        ('{"a":null,"b":{},"c":[]}', "time=5"),
    ],
)
async def test_documented_sorted_form_verifies_and_is_stale(
    broker: Broker, topics_prefix: str, body: str, form: str
) -> None:
    sent = given(body.encode(), signature(form.encode()), time="5")

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        answer = await edge.post(sent.headers, sent.body)
        (record,) = await edge.records()

    kept = Quarantined.model_validate_json(record.value)
    assert answer.status == 401
    assert (kept.reason, kept.verification.scheme) == ("stale", _SORTED)
    assert kept.signed_at == datetime(1970, 1, 1, 0, 0, 0, 5000, tzinfo=UTC)
