"""Genuine deliveries are accepted and understood; redeliveries are the same event."""

import contextlib
import copy
import dataclasses
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from router.contract.event import Event
from router.contract.strict_json import parse_object
from router.contract.wire import decode_event
from router.errors import ConfigurationError, NotUnderstood, RefusedDelivery
from router.providers import Provider
from tests.conformance import kit
from tests.conformance.kit import AT, Case
from tests.conformance.rewording import reworded

_LATER = AT + timedelta(hours=1, seconds=1)


def _floats(value: object) -> Iterator[object]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _floats(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _floats(inner)


def _own(case: Case) -> kit.Side:
    return kit.side(case.provider)


@pytest.mark.parametrize("name", kit.sides())
def test_provider_implements_the_protocol(name: str) -> None:
    provider = kit.provider_of(name)

    assert isinstance(provider, Provider)
    assert provider.methods <= {"GET", "POST"}
    assert all(kind == kind.lower() for kind in provider.content_types)
    assert provider.tolerance is None or provider.tolerance >= timedelta(minutes=1)


@pytest.mark.parametrize("name", kit.sides())
def test_provider_can_simulate_its_gateway(name: str) -> None:
    families = {"payment", "payout", "subscription"}

    assert {case.kind for case in kit.cases(name)} <= families
    assert any(case.status == "confirmed" for case in kit.cases(name))


@pytest.mark.parametrize("case", kit.cases(), ids=str)
async def test_genuine_delivery_is_published_and_answered_as_the_gateway_expects(
    case: Case,
) -> None:
    own, edge = _own(case), kit.edge(_own(case))
    answer = own.provider.answer

    told = await kit.told(edge, own.made(case))

    headers = dict(told.asked.headers)
    assert (told.asked.status, told.asked.body) == (answer.status, answer.body)
    assert headers[b"content-type"] == answer.content_type.encode()
    assert headers[b"content-length"] == str(len(answer.body)).encode()
    assert 200 <= answer.status < 300
    assert (told.outcome, told.reason) == ("accepted", "none")
    assert {record.topic for record in told.asked.published} == {f"t.{case.kind}"}
    for record in told.asked.published:
        event = decode_event(record.value, record.headers)
        assert str(event.type) == f"{case.kind}.{case.status}"
        assert (event.account, event.endpoint) == ("shop-1", "shop-1")


@pytest.mark.parametrize("case", kit.cases(), ids=str)
def test_event_has_the_facts_of_the_delivery(case: Case) -> None:
    delivery = _own(case).made(case)

    for event in _own(case).normalized(delivery):
        assert (event.type.family, event.type.status) == (case.kind, case.status)
        assert event.provider_reference
        assert event.reference in {"A-1", None}
        assert event.verification.key == _own(case).verified(delivery).verification.key
        if event.amount is not None:
            assert event.amount in {Decimal("100.5"), Decimal(0)}
            assert event.currency == "USDT"
        if kit.has_sum(case.provider, case.kind, case.status):
            assert (event.amount, event.currency) == (Decimal("100.5"), "USDT")


@pytest.mark.parametrize("case", kit.cases(), ids=str)
def test_stored_delivery_can_be_verified_again(case: Case) -> None:
    delivery = _own(case).made(case)
    first, *others = _own(case).normalized(delivery)

    assert first.raw is not None
    again = dataclasses.replace(
        delivery,
        headers=tuple(first.raw.headers.items()),
        target=first.raw.target,
        body=first.raw.body.encode(),
    )
    assert _own(case).verified(again).verification == first.verification
    assert [other.raw for other in others] == [None] * len(others)


@pytest.mark.parametrize("case", kit.cases(), ids=str)
def test_normalize_is_repeatable_and_changes_nothing(case: Case) -> None:
    own = _own(case)
    verified = own.verified(own.made(case))
    before = copy.deepcopy(verified)

    first, second = own.provider.normalize(verified), own.provider.normalize(verified)

    assert list(first) == list(second)
    assert verified == before


@pytest.mark.parametrize("case", kit.cases(), ids=str)
def test_no_float_is_used_for_an_event(case: Case) -> None:
    for event in _own(case).normalized(_own(case).made(case)):
        held = {name: getattr(event, name) for name in Event.model_fields}
        assert not list(_floats(held))
        assert not list(_floats(event.model_dump()))
        assert not list(_floats(event.model_dump(mode="json")))


@pytest.mark.parametrize("case", kit.cases(), ids=str)
def test_redelivery_signed_later_is_the_same_event(case: Case) -> None:
    # If no time is signed, a redelivery has identical bytes.
    later_at = AT if kit.window(case) is None else _LATER
    first, again, later = (
        _own(case).normalized(_own(case).made(case, at=at)) for at in (AT, AT, later_at)
    )

    assert [event.id for event in first] == [event.id for event in again]
    assert [event.id for event in first] == [event.id for event in later]
    assert [event.fingerprint for event in first] == [event.fingerprint for event in later]
    assert [event.key for event in first] == [event.key for event in later]
    assert len({event.id for event in first}) == len(first)


@pytest.mark.parametrize("name", kit.sides())
def test_every_status_and_every_payment_is_a_separate_event(name: str) -> None:
    own = kit.side(name)
    told: dict[Any, tuple[str, str, int]] = {}

    for case in kit.cases(name):
        for number in (7, 8):
            made = own.made(case, number=number, order=f"A-{number}")
            for event in own.normalized(made):
                said = (case.kind, case.status, number)
                # Another form of a message may report the same change again.
                assert told.setdefault(event.id, said) == said
    assert len(told) >= len({(c.kind, c.status) for c in kit.cases(name)}) * 2


@pytest.mark.parametrize("name", kit.sides())
def test_all_statuses_of_a_payment_name_the_same_payment(name: str) -> None:
    own = kit.side(name)
    for kind in own.provider.kinds:
        named = {
            (event.provider_reference, event.key)
            for case in kit.cases(name)
            if case.kind == kind and case.variant == kit.cases(name)[0].variant
            for event in own.normalized(own.made(case))
        }
        assert len(named) <= 1


@pytest.mark.parametrize("case", kit.cases(), ids=str)
def test_events_of_another_account_have_other_ids(case: Case) -> None:
    mine, theirs = kit.side(case.provider), kit.side(case.provider, 2)

    first, second = mine.normalized(mine.made(case)), theirs.normalized(theirs.made(case))

    assert not {event.id for event in first} & {event.id for event in second}


def _both_open(event: Event, expected: Event) -> bool:
    """Return whether both are about a payment that is not complete yet."""
    return {event.type.status, expected.type.status} <= {"pending", "underpaid"}


@pytest.mark.parametrize("case", kit.cases(), ids=str)
def test_unknown_word_never_results_in_another_event(case: Case) -> None:
    own, verified = _own(case), kit.genuine(case)
    expected, *_ = kit.events(case)
    not_understood = 0

    for words in reworded(kit.said(verified.delivery)):
        changed = dataclasses.replace(verified, delivery=kit.saying(verified.delivery, words))
        try:
            events = own.provider.normalize(changed)
        except NotUnderstood:
            not_understood += 1
        except RefusedDelivery:
            continue
        else:
            for event in events:
                assert event.type is expected.type or _both_open(event, expected), words
                if kit.has_sum(case.provider, event.type.family, event.type.status):
                    assert event.amount is not None

    assert not_understood > 0


@pytest.mark.parametrize("name", kit.sides())
async def test_delivery_that_is_not_understood_is_acknowledged_and_stored(
    name: str,
) -> None:
    own = kit.side(name)
    edge = kit.edge(own)
    case = next(case for case in kit.cases(name) if case.status == "confirmed")
    told = [await kit.told(edge, made) for made in _not_understood(own, case)]

    assert told
    for one in told:
        assert (one.asked.status, one.asked.body) == (200, own.provider.answer.body)
        assert one.outcome == "quarantined"
        (record,) = [r for r in one.asked.published if r.topic == "t.quarantine"]
        assert parse_object(record.value)["provider"] == own.provider.name


def _not_understood(own: kit.Side, case: Case) -> Iterator[Any]:
    # An amount with one digit too many, and a text: genuine, but not representable.
    for amount in ("1" * 21, "0." + "1" * 19):
        # A gateway that counts minor units cannot write a fraction of one.
        with contextlib.suppress(ConfigurationError):
            yield own.made(case, amount=amount)
