"""Entries of the quarantine topic, and their replay with the current version."""

import base64
import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from router.configuration.endpoint_settings import Mode
from router.contract.quarantine import Quarantined, Replayed
from router.contract.topics import Topics
from router.contract.wire import (
    OutgoingRecord,
    UndecodableRecord,
    UnknownMajorVersion,
    decode_event,
    decode_quarantine,
    encode_quarantined,
    encode_replayed,
)
from router.delivery import Delivery, kept_delivery
from router.edge.intake import Endpoint, Intake
from router.errors import NotDurable, OutsideWindow, Reason
from router.providers import Key
from router.providers.blockatm import PROVIDER
from router.quarantine.kept_topic import KeptFilter
from router.quarantine.reader import QuarantineEntry, entries_of
from router.quarantine.replay import Replayer, replay_verdict
from tests.parts.edge.observed import Observed
from tests.parts.edge.receiving import Receiving, Shelf
from tests.parts.providers.blockatm_deliveries import KEY, PAYMENT, RECEIVED, body_of, signed
from tests.parts.providers.blockatm_v1 import BATCH, ROW, v1_provider, v1_signed
from tests.parts.providers.blockbee_deliveries import CONFIRMED, SECRETS, bee, changed, got

_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
_SHOP = Endpoint("blockatm-main", "shop-eu", PROVIDER, [KEY], timedelta(hours=27), 2.5)
_BEE = Endpoint("bee", "shop-eu", bee(), SECRETS, None, 2.5, has_token=True)
_ENDPOINTS = {"blockatm-main": _SHOP, "bee": _BEE}


def _kept(delivery: Delivery, endpoint: Endpoint = _SHOP, *, late: bool = False) -> OutgoingRecord:
    """Receive a delivery as the edge does, and return the record on quarantine."""
    shelf = Shelf()
    now = delivery.received_at + (timedelta(days=3) if late else timedelta(0))
    intake = Intake(Topics(""), lambda: now, lambda: _TRACE, lambda _name: True, Observed())
    with contextlib.nullcontext() if not late else pytest.raises(OutsideWindow):
        Receiving(intake, shelf).receive(delivery, endpoint)
    return shelf.records[-1]


def _entry(record: OutgoingRecord) -> QuarantineEntry:
    (entry,) = entries_of([(record.value, record.headers)], KeptFilter()).entries
    return entry


def _replayed(kept: Quarantined) -> Replayed:
    return Replayed(
        quarantined=kept.id,
        provider=kept.provider,
        endpoint=kept.endpoint,
        account=kept.account,
        events=(),
        at=_NOW,
        by="anna@shop",
    )


_UNKNOWN = signed(body_of(PAYMENT, status="PAID"), "payment")


async def test_repeated_delivery_is_one_entry() -> None:
    record = _kept(_UNKNOWN)
    other = _kept(signed(body_of(PAYMENT, status="PAID", id=7), "payment"))
    values = [(each.value, each.headers) for each in (record, other, record, record)]

    found = entries_of(values, KeptFilter())

    assert [entry.times for entry in found.entries] == [3, 1]
    assert found.unreadable == 0


async def test_replay_uses_the_headers_that_make_a_delivery_understood() -> None:
    genuine = signed(body_of(PAYMENT), "payment")
    first, second = [
        _kept(replace(genuine, headers=(*genuine.headers[:-1], ("blockatm-event", word))))
        for word in ("refund", "reversal")
    ]
    third = Quarantined.model_validate_json(first.value)
    right = third.model_copy(
        update={
            "raw": third.raw.model_copy(
                update={"headers": {**third.raw.headers, "blockatm-event": "payment"}}
            )
        }
    )
    records = (first, second, encode_quarantined(right, "quarantine", _TRACE), second)

    (entry,) = entries_of([(each.value, each.headers) for each in records], KeptFilter()).entries

    assert (entry.times, len(entry.others)) == (4, 2)
    assert replay_verdict(entry, _ENDPOINTS).problem is None
    assert replay_verdict(replace(entry, others=()), _ENDPOINTS).problem is not None


async def test_replayed_delivery_is_shown_as_replayed() -> None:
    record = _kept(_UNKNOWN)
    replayed = _replayed(_entry(record).kept)
    note = encode_replayed(replayed, "quarantine", _TRACE)

    (entry,) = entries_of([(r.value, r.headers) for r in (record, note)], KeptFilter()).entries

    assert entry.replayed == replayed
    assert entry.as_json()["replayed"] == {
        "at": "2026-11-22T10:00:00Z",
        "by": "anna@shop",
        "events": [],
    }
    assert (note.key, record.key) == (b"blockatm-main", b"blockatm-main")
    assert "raw" not in entry.as_json()


async def test_the_record_of_a_replay_reads_back() -> None:
    replayed = _replayed(_entry(_kept(_UNKNOWN)).kept)
    record = encode_replayed(replayed, "quarantine", _TRACE)

    assert decode_quarantine(record.value, record.headers) == replayed
    assert dict(record.headers)["ce_type"] == b"quarantine.replayed"


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[]", b"\xff"])
def test_foreign_record_is_counted_and_skipped(value: bytes | None) -> None:
    assert entries_of([(value, [])], KeptFilter()).unreadable == 1
    with pytest.raises(UndecodableRecord):
        decode_quarantine(value, [])


@pytest.mark.parametrize(
    "spoilt", [{"body": "a", "body_encoding": "base64"}, {"target": "/webhooks/\u20ac"}]
)
async def test_record_with_undecodable_bytes_is_counted_and_skipped(
    spoilt: Mapping[str, str],
) -> None:
    record = _kept(_UNKNOWN)
    members = json.loads(record.value)
    members["raw"] |= spoilt
    value = json.dumps(members).encode()

    found = entries_of([(value, record.headers), (record.value, record.headers)], KeptFilter())

    assert (len(found.entries), found.unreadable) == (1, 1)


async def test_record_of_a_later_major_version_is_not_decoded() -> None:
    record = _kept(_UNKNOWN)
    later = [("ce_dataschema", b"urn:payrouter:schema:quarantined:2.0")]

    assert entries_of([(record.value, later)], KeptFilter()).unreadable == 1
    with pytest.raises(UnknownMajorVersion):
        decode_quarantine(record.value, later)


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (KeptFilter(), True),
        (KeptFilter(reason="unknown_status", provider="blockatm", endpoint="blockatm-main"), True),
        (KeptFilter(reason="stale"), False),
        (KeptFilter(provider="blockbee"), False),
        (KeptFilter(endpoint="blockatm"), False),
        (KeptFilter(since=RECEIVED), True),
        (KeptFilter(since=RECEIVED + timedelta(microseconds=1)), False),
        (KeptFilter(ids=("00000000",)), False),
    ],
)
async def test_filters_exclude_other_entries(wanted: KeptFilter, *, fits: bool) -> None:
    record = _kept(_UNKNOWN)

    found = entries_of([(record.value, record.headers)], wanted)

    assert bool(found.entries) is fits


async def test_id_may_be_abbreviated() -> None:
    kept = _entry(_kept(_UNKNOWN)).kept
    text = str(kept.id)

    assert KeptFilter(ids=("0-no", text[:8].upper())).fits(kept)
    assert not KeptFilter(ids=(text[1:],)).fits(kept)


async def test_entries_come_in_the_order_of_their_arrival() -> None:
    late = _kept(replace(_UNKNOWN, received_at=RECEIVED + timedelta(hours=1)))
    early = _kept(signed(body_of(PAYMENT, status="PAID", id=7), "payment"))

    found = entries_of([(r.value, r.headers) for r in (late, early)], KeptFilter())

    assert [entry.kept.received_at for entry in found.entries] == [
        RECEIVED,
        RECEIVED + timedelta(hours=1),
    ]


async def test_stale_delivery_is_replayed_as_its_original_event() -> None:
    genuine = signed(body_of(PAYMENT), "payment")
    (at_arrival,) = PROVIDER.normalize(PROVIDER.verify(genuine, [KEY]))

    verdict = replay_verdict(_entry(_kept(genuine, late=True)), _ENDPOINTS)

    assert verdict.problem is None
    assert list(verdict.events) == [at_arrival]
    assert verdict.events[0].received_at == RECEIVED


async def test_get_is_verified_again_with_the_current_token() -> None:
    delivery = got(changed(CONFIRMED, coin="moon_usdt"), "order_id=A%201")
    entry = _entry(_kept(delivery, _BEE))

    assert (replay_verdict(entry, _ENDPOINTS).problem or "").startswith(
        "still not understood, field_malf"
    )


def test_binary_body_is_restored_byte_for_byte() -> None:
    body = b"\xff\x00{}"
    raw = PROVIDER.verify(signed(body), [KEY]).raw()

    assert raw.body == base64.b64encode(body).decode()
    assert kept_delivery(raw, "a", "b", RECEIVED).body == body
    assert PROVIDER.verify(kept_delivery(raw, "a", "b", RECEIVED), [KEY])


@pytest.mark.parametrize(
    ("endpoints", "problem"),
    [
        ({}, "there is no endpoint blockatm-main of blockatm"),
        ({"blockatm-main": _BEE}, "there is no endpoint blockatm-main of blockatm"),
        (
            {"blockatm-main": replace(_SHOP, account="shop-us")},
            "the account of blockatm-main is shop-us now, it was shop-eu",
        ),
        (
            {"blockatm-main": replace(_SHOP, keys=[Key(b"new", "fp:new")])},
            "does not verify with the current configuration, signature_wrong",
        ),
    ],
)
async def test_delivery_that_contradicts_the_current_configuration_is_not_replayed(
    endpoints: dict[str, Endpoint], problem: str
) -> None:
    verdict = replay_verdict(_entry(_kept(signed(body_of(PAYMENT)), late=True)), endpoints)

    assert list(verdict.events) == []
    assert (verdict.problem or "").startswith(problem)


async def test_delivery_tampered_with_on_the_topic_is_not_replayed() -> None:
    entry = _entry(_kept(signed(body_of(PAYMENT)), late=True))
    body = entry.kept.raw.body.replace("13.41", "93.41")
    raw = entry.kept.raw.model_copy(update={"body": body})
    forged = replace(entry, kept=entry.kept.model_copy(update={"raw": raw}))

    assert Reason.SIGNATURE_WRONG in (replay_verdict(forged, _ENDPOINTS).problem or "")


async def _replay(entry: QuarantineEntry, endpoints: dict[str, Endpoint]) -> list[OutgoingRecord]:
    published: list[OutgoingRecord] = []

    async def publish(records: Any) -> None:  # noqa: ANN401 - records
        published.extend(records)

    replayer = Replayer(publish, Topics("t."), lambda: _NOW, lambda: _TRACE, "anna@shop")
    await replayer.replay(replay_verdict(entry, endpoints))
    return published


async def test_replay_publishes_the_events_and_then_its_record() -> None:
    entry = _entry(_kept(signed(body_of(PAYMENT), "payment"), late=True))

    event, note = await _replay(entry, _ENDPOINTS)

    assert (event.topic, note.topic) == ("t.payment", "t.quarantine")
    said = decode_quarantine(note.value, note.headers)
    assert isinstance(said, Replayed)
    assert said.quarantined == entry.kept.id
    assert said.events == (decode_event(event.value, event.headers).id,)
    assert (said.at, said.by) == (_NOW, "anna@shop")


async def test_partly_understood_batch_publishes_its_good_rows_without_a_replay_record() -> None:
    body = {**BATCH, "detailList": [ROW, {}, {**ROW, "orderNo": "TX3"}]}
    endpoint = replace(_SHOP, provider=v1_provider())
    delivery = v1_signed(json.dumps(body).encode(), "Payout")
    entry = _entry(_kept(delivery, endpoint))

    published = await _replay(entry, {"blockatm-main": endpoint})

    assert [record.topic for record in published] == ["t.payout", "t.payout"]


async def test_unpublished_replay_is_not_recorded() -> None:
    entry = _entry(_kept(signed(body_of(PAYMENT)), late=True))
    seen: list[str] = []

    async def publish(records: Any) -> None:  # noqa: ANN401 - records
        seen.extend(record.topic for record in records)
        raise NotDurable(Reason.NOT_DURABLE, "full")

    replayer = Replayer(publish, Topics(""), lambda: _NOW, lambda: _TRACE, "anna@shop")
    verdict = await replayer.replay(replay_verdict(entry, _ENDPOINTS))

    assert (verdict.problem, verdict.events) == ("not published: full", ())
    assert seen == ["payment"]


async def test_a_record_of_quarantine_is_whole_after_the_round_trip() -> None:
    kept = _entry(_kept(_UNKNOWN)).kept
    record = encode_quarantined(kept, "quarantine", _TRACE)

    assert decode_quarantine(record.value, record.headers) == kept
    assert isinstance(kept.id, UUID)


async def test_money_on_a_test_chain_is_not_replayed_into_a_live_endpoint() -> None:
    kept = _entry(_kept(signed(body_of(PAYMENT, chainId="11155111"), "payment")))

    verdict = replay_verdict(kept, _ENDPOINTS)

    assert (kept.kept.reason, verdict.events) == ("test_money", ())
    assert verdict.problem is not None
    assert 'give it one of mode "test"' in verdict.problem
    moved = replay_verdict(kept, {"blockatm-main": replace(_SHOP, mode="test")})
    assert [event.test for event in moved.events] == [True]


@pytest.mark.parametrize(
    ("before", "now"), [("test", "live"), ("live", "test")], ids=["to live", "to test"]
)
async def test_unmarked_money_is_not_replayed_in_another_mode(before: Mode, now: Mode) -> None:
    # Without a chain id, test and live money cannot be distinguished.
    silent = signed(body_of(PAYMENT, chainId=...), "payment")
    kept = _entry(_kept(silent, replace(_SHOP, mode=before), late=True))

    same = replay_verdict(kept, {"blockatm-main": replace(_SHOP, mode=before)})
    other = replay_verdict(kept, {"blockatm-main": replace(_SHOP, mode=now)})

    assert (same.problem, len(same.events)) == (None, 1)
    assert other.events == ()
    assert other.problem is not None
    assert before in other.problem


async def test_marked_money_is_replayed_once_the_mode_fits() -> None:
    sepolia = signed(body_of(PAYMENT, chainId="11155111", network="Ethereum"), "payment")
    kept = _entry(_kept(sepolia))

    (event,) = replay_verdict(kept, {"blockatm-main": replace(_SHOP, mode="test")}).events

    assert kept.kept.reason == "test_money"
    assert event.test is True


async def test_a_record_of_an_earlier_version_names_no_mode_and_is_replayed() -> None:
    record = _kept(_UNKNOWN)
    members = json.loads(record.value)
    assert members.pop("mode") == "live"
    entry = _entry(replace(record, value=json.dumps(members).encode()))

    assert entry.kept.mode is None
    assert "unknown_status" in (replay_verdict(entry, _ENDPOINTS).problem or "")
