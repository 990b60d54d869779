"""Quarantined deliveries are complete: an auditor can verify them years later."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import timedelta

import pytest

from router.contract.event import Raw
from router.contract.quarantine import Quarantined
from router.contract.wire import decode_event
from router.delivery import Delivery
from router.providers.blockatm import PROVIDER
from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import Webhook, given, webhook
from tests.parts.edge.edge_server import TOKEN, ready_edge
from tests.parts.edge.mutations import GENUINE, NOT_UNDERSTOOD, OUTSIDE_WINDOW, UNREADABLE, Spoilt
from tests.parts.providers.blockatm_deliveries import KEY, RECEIVED, sample

_KEPT = {**UNREADABLE, **NOT_UNDERSTOOD, **OUTSIDE_WINDOW}
_SIGNED_AT = RECEIVED - timedelta(seconds=1)


def _body(raw: Raw) -> bytes:
    return base64.b64decode(raw.body) if raw.body_encoding == "base64" else raw.body.encode()


def _assert_proves_itself(raw: Raw) -> None:
    """Compute the signature from the stored record, without code of the edge."""
    signed = _body(raw) + b"&time=" + raw.headers["blockatm-request-time"].encode()
    made = hmac.new(KEY.secret, signed, hashlib.sha256).hexdigest()
    assert made == raw.headers["blockatm-signature-v2"]


def _joined(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return headers as a map, a repeated one with both its values."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value)
    return {name: ", ".join(values) for name, values in found.items()}


@pytest.mark.parametrize("name", _KEPT)
async def test_quarantined_delivery_has_its_reason_and_can_be_verified(
    broker: Broker, topics_prefix: str, name: str
) -> None:
    spoilt: Spoilt = _KEPT[name]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        edge.clock.now = _SIGNED_AT + spoilt.signed_ago
        await edge.post(spoilt.sent.headers, spoilt.sent.body)
        (record,) = await edge.records()
        (line,) = edge.delivery_lines()

    kept = Quarantined.model_validate_json(record.value)
    assert (kept.reason, kept.detail) == (spoilt.reason, line["detail"])
    assert (kept.endpoint, kept.account, kept.provider) == ("shop", "shop-eu", "blockatm")
    assert (kept.signed_at, kept.received_at) == (_SIGNED_AT, edge.clock.now)
    assert _body(kept.raw) == spoilt.sent.body
    assert kept.raw.headers == _joined(spoilt.sent.headers[1:])
    _assert_proves_itself(kept.raw)
    headers = dict(record.headers)
    assert headers["ce_type"] == f"quarantine.{spoilt.reason}".encode()
    assert headers["ce_id"] == str(kept.id).encode()
    assert headers["ce_dataschema"] == b"urn:payrouter:schema:quarantined:1.0"


def _readings() -> dict[str, Webhook]:
    return {
        "control characters": webhook(b'{"custNo": "' + b"\\u0001" * 3000 + b'", "id": 1}'),
        "many quotation marks": webhook(b'{"custNo": "' + b'\\"' * 9000 + b'", "id": 1}'),
        "other scripts": webhook('{"custNo": "客戶\U0001f600", "id": 1}'.encode()),
        "delete characters": webhook(b'{"custNo": "\x7f", "id": 1}'),
    }


@pytest.mark.parametrize("name", _readings())
async def test_body_is_stored_byte_for_byte_in_any_encoding(
    broker: Broker, topics_prefix: str, name: str
) -> None:
    sent = _readings()[name]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        await edge.post(sent.headers, sent.body)
        (record,) = await edge.records()

    raw = Quarantined.model_validate_json(record.value).raw
    assert _body(raw) == sent.body
    _assert_proves_itself(raw)


async def test_stored_event_verifies_with_the_provider_in_either_scheme(
    broker: Broker, topics_prefix: str
) -> None:
    in_order = given(
        sample("published-payment"),
        "7ff3c4c25d55af41a39be565d31120134764c280885fb1c24961ff76db033daa",
    )

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        await edge.post(in_order.headers, in_order.body, f"/webhooks/guarded/{TOKEN}")
        await edge.post(GENUINE.headers, GENUINE.body)
        records = await edge.records()

    events = [decode_event(record.value, record.headers) for record in records]
    assert len({event.verification.scheme for event in events}) == 2
    for event in events:
        assert event.raw is not None
        raw = event.raw
        again = Delivery(
            event.endpoint,
            event.account,
            raw.method,
            raw.target,
            tuple(raw.headers.items()),
            _body(raw),
            event.received_at,
        )
        assert PROVIDER.verify(again, [KEY]).verification.scheme == event.verification.scheme


async def test_no_record_contains_the_url_token(broker: Broker, topics_prefix: str) -> None:
    unknown = NOT_UNDERSTOOD["an unknown status"].sent

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        for sent in (GENUINE, unknown):
            answer = await edge.post(sent.headers, sent.body, f"/webhooks/guarded/{TOKEN}?a=1")
            assert answer.status == 200
        records = await edge.records()

    targets = [json.loads(record.value)["raw"]["target"] for record in records]
    assert targets == ["/webhooks/guarded/{token}?a=1"] * 2
    for record in records:
        assert TOKEN.encode() not in record.value
        assert KEY.secret not in record.value


async def test_delivery_is_written_once_for_each_endpoint_with_one_id(
    broker: Broker, topics_prefix: str
) -> None:
    unknown = NOT_UNDERSTOOD["an unknown status"].sent

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        for endpoint in ("shop", "shop", "shop-two"):
            answer = await edge.post(unknown.headers, unknown.body, f"/webhooks/{endpoint}")
            assert answer.status == 200
        records = await edge.records()
        counted = await edge.reasons()

    assert sorted(record.key for record in records) == [b"shop", b"shop-two"]
    assert counted["blockatm", "quarantined", "unknown_status"] == 3
    assert len({dict(record.headers)["ce_id"] for record in records}) == 1
