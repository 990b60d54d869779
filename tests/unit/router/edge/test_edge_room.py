"""The largest accepted delivery makes a record that the producer can send."""

import json
from typing import Any

import pytest

from router.configuration.settings import settings_from
from router.configuration.topic_needs import largest_record
from router.contract.wire import OutgoingRecord
from tests.parts.edge import asgi
from tests.parts.edge.edge_server import configuration
from tests.parts.providers.blockatm_deliveries import PAYMENT, TIME, signature

_BODY_LIMIT = 64 * 1024
_LONGEST = "\U0001f4b6" * 512

_FILLERS = {
    "letters": b"a",
    "quotation marks": b'\\"',
    "backslashes": b"\\\\",
    "control characters": b"\x01",
    "letters of two bytes": "é".encode(),
    "letters of four bytes": "\U0001f4b6".encode(),
    "no UTF-8": b"\xff",
    "one half control characters": b"a\x01",
    "one seventh control characters": b"aaaaaa\x01",
}


def _bytes(record: OutgoingRecord) -> int:
    headers = sum(len(name) + len(value) for name, value in record.headers)
    return len(record.key) + len(record.value) + headers


def _body(filler: bytes, **fields: object) -> bytes:
    start = json.dumps({**PAYMENT, **fields}, ensure_ascii=False).encode()[:-1] + b', "note": "'
    room = _BODY_LIMIT - len(start) - len(b'"}')
    return start + filler * (room // len(filler)) + b'"}'


@pytest.mark.parametrize("header_limit", [1024, 16 * 1024, 64 * 1024])
@pytest.mark.parametrize("mark", [b'"', b"\xe9", b"a"])
@pytest.mark.parametrize("name", _FILLERS)
@pytest.mark.parametrize("field", ["orderNo", "status"])
async def test_every_delivery_within_the_limits_fits_in_a_record(
    name: str, field: str, mark: bytes, header_limit: int
) -> None:
    texts = dict.fromkeys(("custNo", "txId", "network", "chainId", "fromAddress", field), _LONGEST)
    body = _body(_FILLERS[name], **texts)
    signed = signature(body + b"&time=" + TIME.encode()).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"blockatm-signature-v2", signed),
        (b"blockatm-request-time", TIME.encode()),
    ]
    spent = sum(len(key) + len(value) + 4 for key, value in headers) + len("/webhooks/shop")
    event = b"payment."
    room = header_limit - spent - len(b"blockatm-event") - 4 - len(event)
    limits: dict[str, Any] = {"body_limit_bytes": _BODY_LIMIT, "header_limit_bytes": header_limit}
    values = configuration("127.0.0.1:1", "t.", **limits)

    asked = await asgi.ask(
        asgi.edge(**limits),
        "POST",
        b"/webhooks/shop",
        [*headers, (b"blockatm-event", event + mark * (room // 2))],
        body,
        query=mark * (room // 2),
    )

    for record in asked.published:
        assert _bytes(record) <= largest_record(settings_from(values))
    assert asked.status == 200
    assert len(asked.published) == 1
