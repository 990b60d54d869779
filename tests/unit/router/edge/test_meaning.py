"""Events that cannot be published never leave the edge."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from router.contract.event import Event
from router.contract.identity import OPERATOR
from router.edge.meaning import meaning
from router.errors import NotUnderstood, Reason
from tests.parts.contract.events import event
from tests.parts.providers.blockatm_deliveries import PAYMENT, body_of, signed, verified

_GENUINE = verified(signed(body_of(PAYMENT), "payment"))
_UNNAMED = event(provider_reference=None)
_RECORDED = event(
    provider=OPERATOR, recorded={"by": "anna", "reason": "seen on chain", "provider": "blockatm"}
)


def _provider(events: Sequence[Event], problem: NotUnderstood | None = None) -> Any:  # noqa: ANN401 - a stand-in
    def normalize(_: object) -> Sequence[Event]:
        if problem is not None:
            raise problem
        return events

    return SimpleNamespace(normalize=normalize)


@pytest.mark.parametrize(
    ("bad", "reason", "detail"),
    [
        (_UNNAMED, Reason.FIELD_MISSING, "provider_reference: required in an event about money"),
        (_RECORDED, Reason.FIELD_MALFORMED, "provider: operator is reserved"),
    ],
)
def test_event_that_cannot_be_published_quarantines_its_delivery_and_no_other_event(
    bad: Event, reason: Reason, detail: str
) -> None:
    with pytest.raises(NotUnderstood) as refused:
        meaning(_provider([event(), bad]), _GENUINE)

    assert refused.value.reason is reason
    assert refused.value.detail.startswith(detail)
    assert list(refused.value.events) == [event()]


def test_event_of_a_partly_understood_delivery_is_checked_too() -> None:
    problem = NotUnderstood(Reason.FIELD_MISSING, "row 3", [_UNNAMED, event()])

    with pytest.raises(NotUnderstood) as refused:
        meaning(_provider([], problem), _GENUINE)

    assert (refused.value.detail, list(refused.value.events)) == ("row 3", [event()])


def test_subscription_without_amounts_needs_no_payment() -> None:
    renewed = event(
        type="subscription.renewed", provider_reference=None, amount=None, currency=None
    )

    assert list(meaning(_provider([renewed]), _GENUINE)) == [renewed]
