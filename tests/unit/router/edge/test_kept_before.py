"""Deliveries on quarantine are not written again; unwritten ones never count as stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from router.contract.event import Event
from router.contract.topics import Topics
from router.delivery import Delivery, VerifiedDelivery
from router.edge.bound import PerMinute
from router.edge.intake import Endpoint, Intake
from router.edge.kept_before import KeptBefore
from router.errors import NotDurable, NotOurs, OutsideWindow, Reason, Unauthentic
from router.providers.blockatm import PROVIDER, BlockATM
from tests.parts.edge.observed import Observed
from tests.parts.edge.receiving import Receiving, Shelf
from tests.parts.providers.blockatm_deliveries import KEY, PAYMENT, RECEIVED, body_of, signed
from tests.parts.providers.blockatm_v1 import ROW, v1_provider, v1_signed
from tests.parts.providers.blockbee_deliveries import CONFIRMED, SECRETS, bee, changed, got

_UNREADABLE = signed(b"no JSON")
_SHOP = Endpoint("blockatm-main", "shop-eu", PROVIDER, [KEY], timedelta(minutes=5), 2.5)
_BEE = Endpoint(
    "bee", "shop-eu", bee(expected_addresses=["ours"]), SECRETS, None, 2.5, has_token=True
)


def _intake(
    shelf: Shelf, *, now: datetime = RECEIVED, bound: int = 60, limit: int = 9
) -> Receiving:
    """Make an intake with a fixed clock, also for its rate limits."""
    may_keep = PerMinute(bound, lambda: 0.0)
    intake = Intake(Topics(""), lambda: now, lambda: "", may_keep, Observed(), KeptBefore(limit))
    return Receiving(intake, shelf)


def _headed(delivery: Delivery, name: str, value: str) -> Delivery:
    return replace(delivery, headers=(*delivery.headers, (name, value)))


def test_repeated_delivery_is_received_but_not_written_again() -> None:
    shelf = Shelf()
    intake = _intake(shelf)

    first = intake.receive(_UNREADABLE, _SHOP)
    again = intake.receive(replace(_UNREADABLE, received_at=RECEIVED + timedelta(seconds=1)), _SHOP)

    assert shelf.topics == ["quarantine"]
    assert first.quarantined is not None
    assert again.quarantined is not None
    assert again.quarantined.reason is first.quarantined.reason


def test_unwritten_delivery_is_written_when_it_is_sent_again() -> None:
    shelf = Shelf(full=True)
    intake = _intake(shelf)

    with pytest.raises(NotDurable):
        intake.receive(_UNREADABLE, _SHOP)
    shelf.full = False
    intake.receive(_UNREADABLE, _SHOP)

    assert shelf.topics == ["quarantine"]


def test_another_endpoint_and_another_process_write_it_again() -> None:
    shelf = Shelf()
    intake = _intake(shelf)

    intake.receive(_UNREADABLE, _SHOP)
    intake.receive(_UNREADABLE, replace(_SHOP, name="other"))
    _intake(shelf).receive(_UNREADABLE, _SHOP)

    assert shelf.topics == ["quarantine"] * 3


def test_no_more_is_remembered_than_the_limit() -> None:
    shelf = Shelf()
    intake = _intake(shelf, limit=2)
    first, *others = [signed(b"no JSON %d" % number) for number in range(3)]

    for delivery in (first, *others, *others, first):
        intake.receive(delivery, _SHOP)

    assert len(shelf.records) == 4


def test_same_body_with_other_unsigned_headers_is_written_within_the_limit() -> None:
    shelf = Shelf()
    intake = _intake(shelf, bound=2)

    for number in range(9):
        delivery = _headed(signed(body_of(PAYMENT)), "blockatm-event", f"word{number}")
        received = intake.receive(delivery, _SHOP)
        assert received.quarantined is not None

    assert len(shelf.records) == 3


def test_understood_rows_of_a_repeated_batch_are_published_each_time() -> None:
    shelf = Shelf()
    endpoint = replace(_SHOP, provider=v1_provider())
    body = b'{"txId":"0xa8","status":1,"detailList":[%b,{}]}' % _row()
    intake, delivery = _intake(shelf), v1_signed(body, "Payout")

    for _ in range(2):
        intake.receive(delivery, endpoint)

    assert shelf.topics == ["payout", "quarantine", "payout"]


def _row() -> bytes:
    members = ",".join(f'"{name}":"{value}"' for name, value in ROW.items())
    return f"{{{members}}}".encode()


def test_repeated_stale_delivery_does_not_use_up_the_limit() -> None:
    shelf = Shelf()
    intake = _intake(shelf, now=RECEIVED + timedelta(days=1), bound=2)
    late = [signed(body_of(PAYMENT, id=number), "payment") for number in range(2)]

    for delivery in (late[0], late[0], late[0], late[1]):
        with pytest.raises(OutsideWindow):
            intake.receive(delivery, _SHOP)

    assert len(shelf.records) == 2


def test_other_merchants_deliveries_are_stored_up_to_the_limit_and_refused_beyond() -> None:
    shelf = Shelf()
    intake = _intake(shelf, bound=2)
    strangers = [got(changed(CONFIRMED, uuid=f"u{number}")) for number in range(4)]

    for delivery in strangers[:2]:
        received = intake.receive(delivery, _BEE)
        assert isinstance(received.quarantined, NotOurs)
    for delivery in strangers[2:]:
        with pytest.raises(Unauthentic) as refused:
            intake.receive(delivery, _BEE)
        assert (refused.value.reason, refused.value.status) == (Reason.NOT_OURS, 401)
    # A stored delivery is answered with success again, even at the limit.
    assert (intake.receive(strangers[0], _BEE)).quarantined is not None

    assert len(shelf.records) == 2


def test_other_merchants_deliveries_do_not_use_the_limit_of_stale_ones() -> None:
    shelf = Shelf()
    intake = _intake(shelf, now=RECEIVED + timedelta(days=1), bound=1)

    intake.receive(got(CONFIRMED), replace(_BEE, name=_SHOP.name))
    with pytest.raises(OutsideWindow):
        intake.receive(signed(body_of(PAYMENT), "payment"), _SHOP)

    assert len(shelf.records) == 2


@dataclass(frozen=True)
class _Refusing(BlockATM):
    """A provider that refuses verified deliveries, as one of another distribution might."""

    def normalize(self, verified: VerifiedDelivery) -> Sequence[Event]:
        """Refuse."""
        raise Unauthentic(Reason.NOT_OURS, verified.verification.scheme)


def test_provider_that_refuses_after_verification_does_not_lose_the_delivery() -> None:
    shelf = Shelf()

    received = _intake(shelf).receive(_UNREADABLE, replace(_SHOP, provider=_Refusing()))

    assert received.quarantined is not None
    assert shelf.topics == ["quarantine"]
