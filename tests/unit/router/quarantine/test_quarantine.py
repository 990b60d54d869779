"""What lies on quarantine, folded to one entry each, and what today's version makes of it."""

import base64
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from router.configuration.modes import Mode
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
from router.quarantine.kept_topic import Wanted
from router.quarantine.reader import Entry, gathered
from router.quarantine.replay import Replayer, judged
from tests.parts.edge.observed import Observed
from tests.parts.providers.blockatm_deliveries import KEY, PAYMENT, RECEIVED, body_of, signed
from tests.parts.providers.blockatm_v1 import BATCH, ROW, v1_provider, v1_signed
from tests.parts.providers.blockbee_deliveries import CONFIRMED, SECRETS, bee, changed, got

_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
_SHOP = Endpoint("blockatm-main", "shop-eu", PROVIDER, [KEY], timedelta(hours=27), 2.5)
_BEE = Endpoint("bee", "shop-eu", bee(), SECRETS, None, 2.5, has_token=True)
_ENDPOINTS = {"blockatm-main": _SHOP, "bee": _BEE}


async def _kept(
    delivery: Delivery, endpoint: Endpoint = _SHOP, *, late: bool = False
) -> OutgoingRecord:
    """Take a delivery in as the edge does, and return the record on quarantine."""
    published: list[OutgoingRecord] = []

    async def publish(records: Sequence[OutgoingRecord]) -> None:
        published.extend(records)

    now = delivery.received_at + (timedelta(days=3) if late else timedelta(0))
    intake = Intake(
        publish, Topics(""), lambda: now, lambda: _TRACE, lambda _name: True, Observed()
    )
    with contextlib.nullcontext() if not late else pytest.raises(OutsideWindow):
        await intake.receive(delivery, endpoint)
    return published[-1]


def _entry(record: OutgoingRecord) -> Entry:
    (entry,) = gathered([(record.value, record.headers)], Wanted()).entries
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


async def test_a_delivery_that_came_often_is_one_entry() -> None:
    record = await _kept(_UNKNOWN)
    other = await _kept(signed(body_of(PAYMENT, status="PAID", id=7), "payment"))
    values = [(each.value, each.headers) for each in (record, other, record, record)]

    found = gathered(values, Wanted())

    assert [entry.times for entry in found.entries] == [3, 1]
    assert found.unreadable == 0


async def test_a_delivery_is_replayed_under_those_of_its_headers_that_it_is_understood_by() -> None:
    genuine = signed(body_of(PAYMENT), "payment")
    first, second = [
        await _kept(replace(genuine, headers=(*genuine.headers[:-1], ("blockatm-event", word))))
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

    (entry,) = gathered([(each.value, each.headers) for each in records], Wanted()).entries

    assert (entry.times, len(entry.others)) == (4, 2)
    assert judged(entry, _ENDPOINTS).problem is None
    assert judged(replace(entry, others=()), _ENDPOINTS).problem is not None


async def test_what_was_replayed_is_shown_as_such() -> None:
    record = await _kept(_UNKNOWN)
    replayed = _replayed(_entry(record).kept)
    note = encode_replayed(replayed, "quarantine", _TRACE)

    (entry,) = gathered([(r.value, r.headers) for r in (record, note)], Wanted()).entries

    assert entry.replayed == replayed
    assert entry.as_json()["replayed"] == {
        "at": "2026-11-22T10:00:00Z",
        "by": "anna@shop",
        "events": [],
    }
    assert (note.key, record.key) == (b"blockatm-main", b"blockatm-main")
    assert "raw" not in entry.as_json()


async def test_the_record_of_a_replay_reads_back() -> None:
    replayed = _replayed(_entry(await _kept(_UNKNOWN)).kept)
    record = encode_replayed(replayed, "quarantine", _TRACE)

    assert decode_quarantine(record.value, record.headers) == replayed
    assert dict(record.headers)["ce_type"] == b"quarantine.replayed"


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[]", b"\xff"])
def test_what_is_not_ours_is_counted_and_does_not_stop_the_rest(value: bytes | None) -> None:
    assert gathered([(value, [])], Wanted()).unreadable == 1
    with pytest.raises(UndecodableRecord):
        decode_quarantine(value, [])


@pytest.mark.parametrize(
    "spoilt", [{"body": "a", "body_encoding": "base64"}, {"target": "/webhooks/\u20ac"}]
)
async def test_a_record_whose_bytes_cannot_be_restored_does_not_stop_the_rest(
    spoilt: Mapping[str, str],
) -> None:
    record = await _kept(_UNKNOWN)
    members = json.loads(record.value)
    members["raw"] |= spoilt
    value = json.dumps(members).encode()

    found = gathered([(value, record.headers), (record.value, record.headers)], Wanted())

    assert (len(found.entries), found.unreadable) == (1, 1)


async def test_what_a_later_version_wrote_is_not_guessed_at() -> None:
    record = await _kept(_UNKNOWN)
    later = [("ce_dataschema", b"urn:payrouter:schema:quarantined:2.0")]

    assert gathered([(record.value, later)], Wanted()).unreadable == 1
    with pytest.raises(UnknownMajorVersion):
        decode_quarantine(record.value, later)


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Wanted(), True),
        (Wanted(reason="unknown_status", provider="blockatm", endpoint="blockatm-main"), True),
        (Wanted(reason="stale"), False),
        (Wanted(provider="blockbee"), False),
        (Wanted(endpoint="blockatm"), False),
        (Wanted(since=RECEIVED), True),
        (Wanted(since=RECEIVED + timedelta(microseconds=1)), False),
        (Wanted(ids=("00000000",)), False),
    ],
)
async def test_filters_leave_out_what_is_not_asked_for(wanted: Wanted, *, fits: bool) -> None:
    record = await _kept(_UNKNOWN)

    found = gathered([(record.value, record.headers)], wanted)

    assert bool(found.entries) is fits


async def test_an_id_may_be_given_by_its_beginning() -> None:
    kept = _entry(await _kept(_UNKNOWN)).kept
    text = str(kept.id)

    assert Wanted(ids=("0-no", text[:8].upper())).fits(kept)
    assert not Wanted(ids=(text[1:],)).fits(kept)


async def test_entries_come_in_the_order_of_their_arrival() -> None:
    late = await _kept(replace(_UNKNOWN, received_at=RECEIVED + timedelta(hours=1)))
    early = await _kept(signed(body_of(PAYMENT, status="PAID", id=7), "payment"))

    found = gathered([(r.value, r.headers) for r in (late, early)], Wanted())

    assert [entry.kept.received_at for entry in found.entries] == [
        RECEIVED,
        RECEIVED + timedelta(hours=1),
    ]


async def test_what_came_too_late_is_the_event_it_would_have_been() -> None:
    genuine = signed(body_of(PAYMENT), "payment")
    (at_arrival,) = PROVIDER.normalize(PROVIDER.verify(genuine, [KEY]))

    verdict = judged(_entry(await _kept(genuine, late=True)), _ENDPOINTS)

    assert verdict.problem is None
    assert list(verdict.events) == [at_arrival]
    assert verdict.events[0].received_at == RECEIVED


async def test_a_get_is_verified_again_with_the_token_of_today() -> None:
    delivery = got(changed(CONFIRMED, coin="moon_usdt"), "order_id=A%201")
    entry = _entry(await _kept(delivery, _BEE))

    assert (judged(entry, _ENDPOINTS).problem or "").startswith("still not understood, field_malf")


def test_a_body_that_is_no_text_comes_back_byte_for_byte() -> None:
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
            "does not verify with the configuration of today, signature_wrong",
        ),
    ],
)
async def test_what_the_configuration_of_today_does_not_bear_is_not_replayed(
    endpoints: dict[str, Endpoint], problem: str
) -> None:
    verdict = judged(_entry(await _kept(signed(body_of(PAYMENT)), late=True)), endpoints)

    assert list(verdict.events) == []
    assert (verdict.problem or "").startswith(problem)


async def test_what_was_tampered_with_on_the_topic_is_not_replayed() -> None:
    entry = _entry(await _kept(signed(body_of(PAYMENT)), late=True))
    body = entry.kept.raw.body.replace("13.41", "93.41")
    raw = entry.kept.raw.model_copy(update={"body": body})
    forged = replace(entry, kept=entry.kept.model_copy(update={"raw": raw}))

    assert Reason.SIGNATURE_WRONG in (judged(forged, _ENDPOINTS).problem or "")


async def _replay(entry: Entry, endpoints: dict[str, Endpoint]) -> list[OutgoingRecord]:
    published: list[OutgoingRecord] = []

    async def publish(records: Any) -> None:  # noqa: ANN401 - records
        published.extend(records)

    replayer = Replayer(publish, Topics("t."), lambda: _NOW, lambda: _TRACE, "anna@shop")
    await replayer.replay(judged(entry, endpoints))
    return published


async def test_a_replay_publishes_the_events_and_then_says_so() -> None:
    entry = _entry(await _kept(signed(body_of(PAYMENT), "payment"), late=True))

    event, note = await _replay(entry, _ENDPOINTS)

    assert (event.topic, note.topic) == ("t.payment", "t.quarantine")
    said = decode_quarantine(note.value, note.headers)
    assert isinstance(said, Replayed)
    assert said.quarantined == entry.kept.id
    assert said.events == (decode_event(event.value, event.headers).id,)
    assert (said.at, said.by) == (_NOW, "anna@shop")


async def test_of_a_batch_understood_in_part_the_good_rows_go_on_and_it_is_not_done() -> None:
    body = {**BATCH, "detailList": [ROW, {}, {**ROW, "orderNo": "TX3"}]}
    endpoint = replace(_SHOP, provider=v1_provider())
    delivery = v1_signed(json.dumps(body).encode(), "Payout")
    entry = _entry(await _kept(delivery, endpoint))

    published = await _replay(entry, {"blockatm-main": endpoint})

    assert [record.topic for record in published] == ["t.payout", "t.payout"]


async def test_a_replay_that_could_not_be_published_is_not_said_to_be_done() -> None:
    entry = _entry(await _kept(signed(body_of(PAYMENT)), late=True))
    seen: list[str] = []

    async def publish(records: Any) -> None:  # noqa: ANN401 - records
        seen.extend(record.topic for record in records)
        raise NotDurable(Reason.NOT_DURABLE, "full")

    replayer = Replayer(publish, Topics(""), lambda: _NOW, lambda: _TRACE, "anna@shop")
    verdict = await replayer.replay(judged(entry, _ENDPOINTS))

    assert (verdict.problem, verdict.events) == ("not published: full", ())
    assert seen == ["payment"]


async def test_a_record_of_quarantine_is_whole_after_the_round_trip() -> None:
    kept = _entry(await _kept(_UNKNOWN)).kept
    record = encode_quarantined(kept, "quarantine", _TRACE)

    assert decode_quarantine(record.value, record.headers) == kept
    assert isinstance(kept.id, UUID)


async def test_money_on_a_test_chain_is_not_replayed_into_a_live_endpoint() -> None:
    kept = _entry(await _kept(signed(body_of(PAYMENT, chainId="11155111"), "payment")))

    verdict = judged(kept, _ENDPOINTS)

    assert (kept.kept.reason, verdict.events) == ("test_money", ())
    assert verdict.problem is not None
    assert 'give it one of mode "test"' in verdict.problem
    moved = judged(kept, {"blockatm-main": replace(_SHOP, mode="test")})
    assert [event.test for event in moved.events] == [True]


@pytest.mark.parametrize(
    ("before", "now"), [("test", "live"), ("live", "test")], ids=["to live", "to test"]
)
async def test_money_that_does_not_say_if_it_is_real_is_not_replayed_in_another_mode(
    before: Mode, now: Mode
) -> None:
    # Without the id of a chain nothing says which money it is.
    silent = signed(body_of(PAYMENT, chainId=...), "payment")
    kept = _entry(await _kept(silent, replace(_SHOP, mode=before), late=True))

    same = judged(kept, {"blockatm-main": replace(_SHOP, mode=before)})
    other = judged(kept, {"blockatm-main": replace(_SHOP, mode=now)})

    assert (same.problem, len(same.events)) == (None, 1)
    assert other.events == ()
    assert other.problem is not None
    assert before in other.problem


async def test_money_that_says_if_it_is_real_is_replayed_once_the_mode_fits() -> None:
    sepolia = signed(body_of(PAYMENT, chainId="11155111", network="Ethereum"), "payment")
    kept = _entry(await _kept(sepolia))

    (event,) = judged(kept, {"blockatm-main": replace(_SHOP, mode="test")}).events

    assert kept.kept.reason == "test_money"
    assert event.test is True


async def test_a_record_of_an_earlier_version_names_no_mode_and_is_replayed() -> None:
    record = await _kept(_UNKNOWN)
    members = json.loads(record.value)
    assert members.pop("mode") == "live"
    entry = _entry(replace(record, value=json.dumps(members).encode()))

    assert entry.kept.mode is None
    assert "unknown_status" in (judged(entry, _ENDPOINTS).problem or "")
