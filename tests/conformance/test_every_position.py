"""An event about money names its payment, for every provider."""

import dataclasses
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from router.contract.event import Event
from router.edge.intake import events_of
from router.errors import NotUnderstood, Reason, RefusedDelivery
from tests.conformance import kit
from tests.conformance.kit import Case
from tests.conformance.members import changed, members


def _answering(case: Case, events: Sequence[Event]) -> Any:  # noqa: ANN401 - a stand-in provider
    """Return the case's endpoint, with a provider that returns these events."""
    provider: Any = SimpleNamespace(normalize=lambda _: events)
    return dataclasses.replace(kit.side(case.provider).endpoint, provider=provider)


@pytest.mark.parametrize("case", kit.cases(), ids=str)
def test_event_about_money_names_its_payment(case: Case) -> None:
    for event in kit.events(case):
        assert event.about_money or event.type.family == "subscription"
        assert event.provider_reference


@pytest.mark.parametrize("case", kit.cases(), ids=str)
def test_no_missing_field_leads_to_money_without_a_payment(case: Case) -> None:
    genuine = kit.genuine(case)
    words = kit.said(genuine.delivery)
    provider = kit.side(case.provider).provider

    for member in members(words):
        without = kit.saying(genuine.delivery, changed(words, member, ""))
        try:
            events = provider.normalize(dataclasses.replace(genuine, delivery=without))
        except (NotUnderstood, RefusedDelivery):
            continue
        for event in events:
            assert event.provider_reference or not event.about_money, str(member)


@pytest.mark.parametrize(
    "case", [case for case in kit.cases() if kit.events(case)[0].about_money], ids=str
)
def test_money_without_a_payment_goes_to_quarantine(case: Case) -> None:
    whole = kit.events(case)
    unnamed = whole[0].model_copy(update={"reference": "A-1", "provider_reference": None})

    with pytest.raises(NotUnderstood, match="provider_reference: required") as refused:
        events_of(kit.genuine(case), _answering(case, [unnamed, *whole]))

    assert refused.value.reason is Reason.FIELD_MISSING
    # The other events of the delivery are published.
    assert list(refused.value.events) == list(whole)
