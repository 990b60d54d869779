"""What is on quarantine is not written again, and what is not there never counts as kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from router.contract.event import Event
from router.contract.topics import Topics
from router.contract.wire import OutgoingRecord
from router.delivery import Delivery, VerifiedDelivery
from router.edge.bound import PerMinute
from router.edge.intake import Endpoint, Intake
from router.edge.kept_before import KeptBefore
from router.errors import NotDurable, NotOurs, OutsideWindow, Reason, Unauthentic
from router.providers.blockatm import PROVIDER, BlockATM
from tests.parts.edge.observed import Observed
from tests.parts.providers.blockatm_deliveries import KEY, PAYMENT, RECEIVED, body_of, signed
from tests.parts.providers.blockatm_v1 import ROW, v1_provider, v1_signed
from tests.parts.providers.blockbee_deliveries import CONFIRMED, SECRETS, bee, changed, got

_UNREADABLE = signed(b"no JSON")
_SHOP = Endpoint("blockatm-main", "shop-eu", PROVIDER, [KEY], timedelta(minutes=5), 2.5)
_BEE = Endpoint(
    "bee", "shop-eu", bee(expected_addresses=["ours"]), SECRETS, None, 2.5, has_token=True
)


@dataclass
class _Shelf:
    """A publisher that keeps records, or says that it could not."""

    records: list[OutgoingRecord] = field(default_factory=list)
    full: bool = False

    async def __call__(self, records: Sequence[OutgoingRecord]) -> None:
        """Publish."""
        assert records
        if self.full:
            raise NotDurable(Reason.NOT_DURABLE, "full")
        self.records.extend(records)

    @property
    def topics(self) -> list[str]:
        """Where the records went."""
        return [record.topic for record in self.records]


def _intake(shelf: _Shelf, *, now: datetime = RECEIVED, bound: int = 60, limit: int = 9) -> Intake:
    """Make an intake whose clock stands still, that of its bounds too."""
    may_keep = PerMinute(bound, lambda: 0.0)
    return Intake(
        shelf, Topics(""), lambda: now, lambda: "", may_keep, Observed(), KeptBefore(limit)
    )


def _headed(delivery: Delivery, name: str, value: str) -> Delivery:
    return replace(delivery, headers=(*delivery.headers, (name, value)))


async def test_a_delivery_that_comes_again_is_received_and_not_written_again() -> None:
    shelf = _Shelf()
    intake = _intake(shelf)

    first = await intake.receive(_UNREADABLE, _SHOP)
    again = await intake.receive(
        replace(_UNREADABLE, received_at=RECEIVED + timedelta(seconds=1)), _SHOP
    )

    assert shelf.topics == ["quarantine"]
    assert first.quarantined is not None
    assert again.quarantined is not None
    assert again.quarantined.reason is first.quarantined.reason


async def test_what_could_not_be_written_is_written_when_it_comes_again() -> None:
    shelf = _Shelf(full=True)
    intake = _intake(shelf)

    with pytest.raises(NotDurable):
        await intake.receive(_UNREADABLE, _SHOP)
    shelf.full = False
    await intake.receive(_UNREADABLE, _SHOP)

    assert shelf.topics == ["quarantine"]


async def test_another_endpoint_and_another_process_write_it_again() -> None:
    shelf = _Shelf()
    intake = _intake(shelf)

    await intake.receive(_UNREADABLE, _SHOP)
    await intake.receive(_UNREADABLE, replace(_SHOP, name="other"))
    await _intake(shelf).receive(_UNREADABLE, _SHOP)

    assert shelf.topics == ["quarantine"] * 3


async def test_no_more_is_remembered_than_the_limit() -> None:
    shelf = _Shelf()
    intake = _intake(shelf, limit=2)
    first, *others = [signed(b"no JSON %d" % number) for number in range(3)]

    for delivery in (first, *others, *others, first):
        await intake.receive(delivery, _SHOP)

    assert len(shelf.records) == 4


async def test_the_same_body_under_other_unsigned_headers_is_written_within_the_bound() -> None:
    shelf = _Shelf()
    intake = _intake(shelf, bound=2)

    for number in range(9):
        delivery = _headed(signed(body_of(PAYMENT)), "blockatm-event", f"word{number}")
        received = await intake.receive(delivery, _SHOP)
        assert received.quarantined is not None

    assert len(shelf.records) == 3


async def test_the_understood_rows_of_a_batch_go_on_each_time_it_comes() -> None:
    shelf = _Shelf()
    endpoint = replace(_SHOP, provider=v1_provider())
    body = b'{"txId":"0xa8","status":1,"detailList":[%b,{}]}' % _row()
    intake, delivery = _intake(shelf), v1_signed(body, "Payout")

    for _ in range(2):
        await intake.receive(delivery, endpoint)

    assert shelf.topics == ["payout", "quarantine", "payout"]


def _row() -> bytes:
    members = ",".join(f'"{name}":"{value}"' for name, value in ROW.items())
    return f"{{{members}}}".encode()


async def test_a_stale_delivery_replayed_takes_no_room_from_others() -> None:
    shelf = _Shelf()
    intake = _intake(shelf, now=RECEIVED + timedelta(days=1), bound=2)
    late = [signed(body_of(PAYMENT, id=number), "payment") for number in range(2)]

    for delivery in (late[0], late[0], late[0], late[1]):
        with pytest.raises(OutsideWindow):
            await intake.receive(delivery, _SHOP)

    assert len(shelf.records) == 2


async def test_what_is_about_others_is_kept_up_to_the_bound_and_refused_beyond() -> None:
    shelf = _Shelf()
    intake = _intake(shelf, bound=2)
    strangers = [got(changed(CONFIRMED, uuid=f"u{number}")) for number in range(4)]

    for delivery in strangers[:2]:
        received = await intake.receive(delivery, _BEE)
        assert isinstance(received.quarantined, NotOurs)
    for delivery in strangers[2:]:
        with pytest.raises(Unauthentic) as refused:
            await intake.receive(delivery, _BEE)
        assert (refused.value.reason, refused.value.status) == (Reason.NOT_OURS, 401)
    # What is kept is answered with success again, room or none.
    assert (await intake.receive(strangers[0], _BEE)).quarantined is not None

    assert len(shelf.records) == 2


async def test_what_is_about_others_leaves_the_room_of_stale_deliveries_alone() -> None:
    shelf = _Shelf()
    intake = _intake(shelf, now=RECEIVED + timedelta(days=1), bound=1)

    await intake.receive(got(CONFIRMED), replace(_BEE, name=_SHOP.name))
    with pytest.raises(OutsideWindow):
        await intake.receive(signed(body_of(PAYMENT), "payment"), _SHOP)

    assert len(shelf.records) == 2


@dataclass(frozen=True)
class _Refusing(BlockATM):
    """A provider that refuses what it has proved, as one of another distribution might."""

    def normalize(self, verified: VerifiedDelivery) -> Sequence[Event]:
        """Refuse."""
        raise Unauthentic(Reason.NOT_OURS, verified.verification.scheme)


async def test_a_provider_that_refuses_after_the_proof_does_not_lose_the_delivery() -> None:
    shelf = _Shelf()

    received = await _intake(shelf).receive(_UNREADABLE, replace(_SHOP, provider=_Refusing()))

    assert received.quarantined is not None
    assert shelf.topics == ["quarantine"]
