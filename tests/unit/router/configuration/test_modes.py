"""Sandbox and live."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from router.configuration.endpoint_settings import Mode, of_mode
from router.contract.event import Event, EventType, Verification
from router.errors import NotUnderstood, Reason


def _event(*, test: bool | None) -> Event:
    return Event(
        id=UUID(int=1),
        type=EventType.PAYMENT_PENDING,
        provider="acme",
        endpoint="shop",
        account="shop",
        provider_reference="P-1",
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
        verification=Verification(scheme="none", key="fp:none"),
        test=test,
    )


@pytest.mark.parametrize("told", [False, None])
def test_a_live_endpoint_leaves_an_event_as_it_is(told: bool | None) -> None:  # noqa: FBT001
    event = _event(test=told)

    assert of_mode([event], "live") == [event]


@pytest.mark.parametrize("told", [True, None])
def test_a_test_endpoint_marks_every_event_as_test(told: bool | None) -> None:  # noqa: FBT001
    event = _event(test=told)
    (marked,) = of_mode([event], "test")

    assert marked.test is True
    assert (marked.id, marked.fingerprint, marked.key) == (event.id, event.fingerprint, event.key)


@pytest.mark.parametrize(
    ("mode", "wrong", "reason"),
    [("live", True, Reason.TEST_MONEY), ("test", False, Reason.LIVE_MONEY)],
)
def test_one_contradiction_stops_the_whole_delivery(
    mode: Mode,
    wrong: bool,  # noqa: FBT001
    reason: Reason,
) -> None:
    with pytest.raises(NotUnderstood) as refused:
        of_mode([_event(test=None), _event(test=wrong)], mode)

    assert (refused.value.reason, refused.value.events) == (reason, ())
