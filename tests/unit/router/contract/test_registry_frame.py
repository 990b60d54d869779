"""Records with a schema registry's frame: JSON is read, other formats are refused by name."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.contract import registry_frame
from router.contract.event import Raw
from router.contract.order import Order
from router.contract.order_fields import OrderFields, read_order
from router.contract.quarantine import Quarantined, quarantine_id
from router.contract.registry_frame import UnreadableFrame, unframed
from router.contract.wire import (
    UndecodableRecord,
    decode_event,
    decode_quarantine,
    encode_event,
    encode_quarantined,
)
from tests.parts.contract.events import event

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FRAME = b"\x00\x00\x00\x00\x2a"
"""Schema id 42."""

AVRO = bytes([14]) + b"order-1" + bytes([0x80, 0x01, 0x0E]) + b"shop-eu"
"""Two texts and a number, as a record of three fields in Avro."""

PROTOBUF = b"\x0a\x07order-1\x10\x40\x1a\x07shop-eu"
"""The same values as fields 1, 2 and 3 in Protobuf."""

GLUE = b"\x03\x00" + bytes(range(16))

ORDER = {
    "id": "5f0cb1c4-6a5e-4a3b-9d3f-0a8d3b0c4d11",
    "type": "order.placed",
    "account": "shop-eu",
    "reference": "A-1",
    "lines": [{"sku": "tea", "quantity": 2}],
}


def order_of(value: bytes) -> Any:  # noqa: ANN401 - an order, or another message
    return read_order(OrderFields())(value, ())


@pytest.mark.parametrize("space", [b"", b" ", b"\n\t\r "])
def test_json_after_a_frame_is_read_as_without(space: bytes) -> None:
    plain = json.dumps(ORDER).encode()

    order = order_of(FRAME + space + plain)

    assert isinstance(order, Order)
    assert order == order_of(plain)


def test_event_after_a_frame_is_decoded() -> None:
    record = encode_event(event(), "payment", TRACE)

    assert decode_event(FRAME + record.value, record.headers) == event()


def test_quarantined_delivery_after_a_frame_is_decoded() -> None:
    raw = Raw(method="POST", target="/", headers={}, body="", body_encoding="utf-8")
    kept = Quarantined(
        id=quarantine_id("blockatm", "shop", "stale", "0"),
        reason="stale",
        detail="late",
        provider="blockatm",
        endpoint="main",
        account="shop",
        signed_at=None,
        received_at=event().received_at,
        verification=event().verification,
        raw=raw,
    )
    record = encode_quarantined(kept, "quarantine", TRACE)

    assert decode_quarantine(FRAME + record.value, record.headers) == kept


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (FRAME + AVRO, "what looks like Avro after a schema registry's frame (schema id 42)"),
        (FRAME + b"\x00" + PROTOBUF, "what looks like Protobuf after a schema registry's frame"),
        (FRAME + b"\x04\x02\x04" + PROTOBUF, "what looks like Protobuf after"),
        (FRAME + b"\x00" + b"\x0eorder-1", "what looks like Avro after"),
        (FRAME + b"\x00", "Avro or Protobuf after"),
        (FRAME, "nothing after"),
        (FRAME[:3], "3 bytes that start with a zero byte"),
        (GLUE + b"{}", "AWS Glue schema registry header (schema version 00010203-0405-"),
    ],
)
@pytest.mark.parametrize("read", [order_of, lambda value: decode_event(value, ())])
def test_error_names_the_format_that_is_not_json(
    read: Callable[[bytes], Any], value: bytes, problem: str
) -> None:
    with pytest.raises(UndecodableRecord) as refused:
        read(value)

    assert problem in str(refused.value)
    assert "publish JSON" in str(refused.value)


def test_format_is_detected_from_the_first_fields_of_a_long_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walked: list[int] = []
    walk = registry_frame._after_field  # noqa: SLF001 - counts the steps

    def counted(data: bytes, at: int) -> int | None:
        walked.append(at)
        return walk(data, at)

    monkeypatch.setattr(registry_frame, "_after_field", counted)

    with pytest.raises(UnreadableFrame, match="Protobuf"):
        unframed(FRAME + b"\x00" + b"\x08\x01" * 500_000)

    assert len(walked) < 1000


def test_broken_json_after_a_frame_is_reported_as_broken_json() -> None:
    with pytest.raises(UndecodableRecord, match="not JSON"):
        order_of(FRAME + b'{"type": ')


def test_json_without_a_frame_is_unchanged() -> None:
    assert unframed(b' {"a": 1}') == b' {"a": 1}'


@given(st.binary(max_size=64))
def test_any_bytes_are_either_unframed_or_refused(value: bytes) -> None:
    payload = None
    with contextlib.suppress(UnreadableFrame):
        payload = unframed(value)

    assert payload in {value, value[5:], None}
    assert payload is not None or value[0] in {0, 3}
