"""Verify, normalize, publish: with a publisher that only records."""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from router.configuration.endpoint_settings import Mode
from router.contract.event import Event
from router.contract.quarantine import Quarantined
from router.contract.topics import Topics
from router.contract.wire import decode_event
from router.delivery import Delivery, VerifiedDelivery, kept_delivery
from router.edge.intake import Endpoint, Intake, outside_window
from router.errors import (
    NotDurable,
    NotUnderstood,
    OutsideWindow,
    Reason,
    RefusedDelivery,
    Unauthentic,
)
from router.providers import Key
from router.providers.blockatm import PROVIDER, BlockATM
from tests.parts.edge.observed import Observed
from tests.parts.edge.receiving import Receiving, Shelf
from tests.parts.providers.blockatm_deliveries import (
    KEY,
    PAYMENT,
    PAYOUT,
    RECEIVED,
    body_of,
    signed,
    verified,
)
from tests.parts.providers.blockatm_v1 import BATCH, ROW, v1_provider, v1_signed

_SIGNED_AT = RECEIVED - timedelta(seconds=1)
_WINDOW = timedelta(minutes=5)
_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_GENUINE = signed(body_of(PAYMENT), "payment")


def _intake(
    shelf: Shelf,
    now: datetime = RECEIVED,
    *,
    may_keep_stale: bool = True,
    observer: Observed | None = None,
) -> Receiving:
    intake = Intake(
        Topics("t."),
        lambda: now,
        lambda: _TRACE,
        lambda _name: may_keep_stale,
        observer or Observed(),
    )
    return Receiving(intake, shelf)


def _endpoint(tolerance: timedelta | None = _WINDOW, mode: Mode = "live") -> Endpoint:
    return Endpoint("blockatm-main", "shop-eu", PROVIDER, [KEY], tolerance, 2.5, mode=mode)


def test_genuine_delivery_is_published_before_it_counts_as_received() -> None:
    shelf = Shelf()

    received = _intake(shelf).receive(_GENUINE, _endpoint())

    (record,) = shelf.records
    assert received.key == KEY.fingerprint
    assert received.quarantined is None
    assert [decode_event(record.value, record.headers)] == list(received.events)
    assert record.topic == "t.payment"
    assert dict(record.headers)["traceparent"] == _TRACE.encode()


def test_a_payout_goes_to_its_own_topic() -> None:
    shelf = Shelf()

    _intake(shelf).receive(signed(body_of(PAYOUT), "payout"), _endpoint())

    assert [record.topic for record in shelf.records] == ["t.payout"]


@pytest.mark.parametrize(
    "delivery",
    [
        _GENUINE,
        signed(body_of(PAYMENT, status="PAID"), "payment"),
        replace(_GENUINE, account="shop-us"),
    ],
)
def test_unpublished_delivery_is_not_received(delivery: Delivery) -> None:
    with pytest.raises(NotDurable):
        _intake(Shelf(full=True)).receive(delivery, _endpoint())


@pytest.mark.parametrize("tolerance", [None, _WINDOW])
def test_forged_delivery_is_not_processed_further(tolerance: timedelta | None) -> None:
    shelf = Shelf()
    forged = replace(_GENUINE, body=_GENUINE.body + b" ")

    with pytest.raises(Unauthentic) as refused:
        _intake(shelf).receive(forged, _endpoint(tolerance))

    assert refused.value.reason == Reason.SIGNATURE_WRONG
    assert shelf.records == []


def test_any_active_key_verifies_and_is_recorded() -> None:
    rotated = replace(_endpoint(), keys=[Key(b"new", "fp:new"), KEY])

    received = _intake(Shelf()).receive(_GENUINE, rotated)

    assert received.key == KEY.fingerprint


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b'{"id": "\xff"}', b"\xef\xbb\xbf{}"])
def test_unreadable_delivery_goes_to_quarantine_whole(body: bytes) -> None:
    shelf = Shelf()

    received = _intake(shelf).receive(signed(body), _endpoint())

    (record,) = shelf.records
    kept = Quarantined.model_validate_json(record.value)
    assert received.quarantined is not None
    assert (record.topic, kept.reason) == ("t.quarantine", "not_parseable")
    assert kept_delivery(kept.raw, "blockatm-main", "shop-eu", RECEIVED).body == body


def test_unreadable_delivery_that_cannot_be_stored_is_not_received() -> None:
    with pytest.raises(NotDurable):
        _intake(Shelf(full=True)).receive(signed(b"no JSON"), _endpoint())


def test_misunderstood_delivery_goes_to_quarantine() -> None:
    shelf = Shelf()

    received = _intake(shelf).receive(
        signed(body_of(PAYMENT, status="PAID"), "payment"), _endpoint()
    )

    (record,) = shelf.records
    kept = Quarantined.model_validate_json(record.value)
    assert received.events == ()
    assert received.quarantined is not None
    assert (record.topic, record.key) == ("t.quarantine", b"blockatm-main")
    assert (kept.reason, kept.detail) == ("unknown_status", received.quarantined.detail)


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (_SIGNED_AT + _WINDOW + timedelta(microseconds=1), Reason.STALE),
        (_SIGNED_AT - _WINDOW - timedelta(microseconds=1), Reason.FUTURE),
    ],
)
@pytest.mark.parametrize("status", ["SUCCESS", "PAID"])
def test_delivery_outside_the_window_is_refused_and_stored(
    now: datetime, reason: Reason, status: str
) -> None:
    shelf = Shelf()
    delivery = signed(body_of(PAYMENT, status=status), "payment")

    with pytest.raises(OutsideWindow) as refused:
        _intake(shelf, now).receive(delivery, _endpoint())

    (record,) = shelf.records
    assert refused.value.reason == reason
    assert record.topic == "t.quarantine"
    assert Quarantined.model_validate_json(record.value).reason == reason


def test_delivery_outside_the_window_is_refused_even_beyond_the_storage_limit() -> None:
    shelf = Shelf()

    with pytest.raises(OutsideWindow):
        _intake(shelf, RECEIVED + _WINDOW, may_keep_stale=False).receive(_GENUINE, _endpoint())

    assert shelf.records == []


def test_delivery_that_cannot_be_stored_must_be_sent_again() -> None:
    late = _intake(Shelf(full=True), RECEIVED + _WINDOW)

    with pytest.raises(RefusedDelivery) as refused:
        late.receive(_GENUINE, _endpoint())

    assert (refused.value.status, refused.value.resend) == (503, True)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_window_includes_both_ends(seconds: int) -> None:
    now = _SIGNED_AT + timedelta(seconds=seconds)

    assert outside_window(verified(_GENUINE), _WINDOW, now) is None


@pytest.mark.parametrize("days", [-3000, 3000])
def test_without_a_window_or_a_signed_time_nothing_is_outside(days: int) -> None:
    now = _SIGNED_AT + timedelta(days=days)
    timeless = replace(verified(_GENUINE), signed_at=None)

    assert outside_window(verified(_GENUINE), None, now) is None
    assert outside_window(timeless, _WINDOW, now) is None


def test_distance_from_the_window_is_reported_in_seconds() -> None:
    problem = outside_window(verified(_GENUINE), _WINDOW, _SIGNED_AT - timedelta(hours=1))

    assert problem is not None
    assert problem.detail == "signed 3600 s ahead, window 300 s"


def test_partly_understood_delivery_is_published_and_quarantined_at_once() -> None:
    shelf = Shelf()
    rows = [ROW, {}, {**ROW, "orderNo": "TX3"}]
    delivery = v1_signed(json.dumps({**BATCH, "detailList": rows}).encode(), "Payout")
    endpoint = replace(_endpoint(), provider=v1_provider())

    received = _intake(shelf).receive(delivery, endpoint)

    assert [record.topic for record in shelf.records] == ["t.payout", "t.payout", "t.quarantine"]
    assert [event.reference for event in received.events] == ["TX1", "TX3"]
    assert received.quarantined is not None
    kept = Quarantined.model_validate_json(shelf.records[-1].value)
    assert kept.raw.body.encode() == delivery.body
    with pytest.raises(NotDurable):
        _intake(Shelf(full=True)).receive(delivery, endpoint)


@pytest.mark.parametrize(
    ("mode", "chain", "kept_for"),
    [
        ("live", "1", None),
        ("live", "11155111", "test_money"),
        ("live", "999999", None),
        ("test", "1", "live_money"),
        ("test", "11155111", None),
        ("test", "999999", None),
    ],
)
def test_only_money_of_the_other_mode_goes_to_quarantine(
    mode: Mode, chain: str, kept_for: str | None
) -> None:
    shelf = Shelf()
    delivery = signed(body_of(PAYMENT, chainId=chain), "payment")

    received = _intake(shelf).receive(delivery, _endpoint(mode=mode))

    (record,) = shelf.records
    if kept_for is None:
        assert record.topic == "t.payment"
        assert [event.test is True for event in received.events] == [mode == "test"]
    else:
        assert received.events == ()
        assert Quarantined.model_validate_json(record.value).reason == kept_for


@pytest.mark.parametrize("mode", ["live", "test"])
def test_partly_understood_delivery_publishes_no_money_of_the_other_mode(
    mode: Mode,
) -> None:
    shelf = Shelf()
    chain = {"live": "11155111", "test": "1"}[mode]
    body = {**BATCH, "chainId": chain, "detailList": [ROW, {}]}
    endpoint = replace(_endpoint(mode=mode), provider=v1_provider())

    _intake(shelf).receive(v1_signed(json.dumps(body).encode(), "Payout"), endpoint)

    (record,) = shelf.records
    assert Quarantined.model_validate_json(record.value).reason.endswith("_money")


def test_observer_receives_unreadable_descriptions() -> None:
    observer = Observed()
    intake = _intake(Shelf(), observer=observer)

    intake.receive(signed(body_of(PAYMENT, blockTime="now", txId=5), "payment"), _endpoint())

    assert observer.missed == [("blockatm-main", "tx_hash"), ("blockatm-main", "occurred_at")]


def test_the_digest_of_a_get_is_that_of_its_query() -> None:
    first = replace(_GENUINE, method="GET", body=b"", target="/webhooks/a?x=1")
    other = replace(first, target="/webhooks/a?x=2")
    elsewhere = replace(first, target="/webhooks/b?x=1")
    digests = [replace(verified(_GENUINE), delivery=d).digest for d in (first, other, elsewhere)]

    assert digests[0] != digests[1]
    assert digests[0] == digests[2] == hashlib.sha256(b"x=1").hexdigest()
    assert verified(_GENUINE).digest == hashlib.sha256(_GENUINE.body).hexdigest()


def _watched(
    delivery: Delivery, now: datetime = RECEIVED, *, full: bool = False, keep: bool = True
) -> Observed:
    observer = Observed()
    intake = _intake(Shelf(full=full), now, may_keep_stale=keep, observer=observer)
    with contextlib.suppress(RefusedDelivery):
        intake.receive(delivery, _endpoint())
    return observer


@pytest.mark.parametrize(
    ("delivery", "ended_well"),
    [
        (_GENUINE, ["verify", "normalize", "publish"]),
        (signed(body_of(PAYMENT, status="PAID"), "payment"), ["verify", "publish"]),
        (signed(b"no JSON"), ["verify", "publish"]),
        (replace(_GENUINE, body=b"{}"), []),
    ],
    ids=["understood", "quarantined", "unreadable", "forged"],
)
def test_observer_receives_successful_phases(delivery: Delivery, ended_well: list[str]) -> None:
    observer = _watched(delivery)

    assert observer.phases == [("blockatm-main", phase) for phase in ended_well]


def test_failed_publish_is_not_a_successful_phase() -> None:
    observer = _watched(_GENUINE, full=True)

    assert [phase for _, phase in observer.phases] == ["verify", "normalize"]


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(days=3), timedelta(days=-3)])
@pytest.mark.parametrize("keep", [True, False])
def test_observer_receives_every_genuine_delivery_of_any_age(
    ahead: timedelta, *, keep: bool
) -> None:
    delivery = replace(_GENUINE, received_at=RECEIVED + ahead)

    observer = _watched(delivery, RECEIVED + ahead, keep=keep)

    assert observer.proved == [("blockatm-main", RECEIVED + ahead, _SIGNED_AT)]


def test_observer_never_receives_a_forgery_as_genuine() -> None:
    observer = _watched(replace(_GENUINE, body=_GENUINE.body + b" "))

    assert observer.proved == []


@pytest.mark.parametrize("detail", ["x" * 2000, "a second\nline \ud800", ""])
def test_oversized_detail_does_not_prevent_quarantine(
    detail: str,
) -> None:
    shelf, endpoint = Shelf(), replace(_endpoint(), provider=_Wordy(detail=detail))

    received = _intake(shelf).receive(_GENUINE, endpoint)

    (record,) = shelf.records
    assert received.quarantined is not None
    assert Quarantined.model_validate_json(record.value).reason == "field_malformed"


@dataclass(frozen=True)
class _Wordy(BlockATM):
    """A provider of another distribution that writes too long a detail."""

    detail: str = ""

    def normalize(self, _verified: VerifiedDelivery) -> Sequence[Event]:
        """Raise NotUnderstood with a long detail."""
        raise NotUnderstood(Reason.FIELD_MALFORMED, self.detail)
