"""What is genuine is taken in, means what was said, and is one event however often it comes."""

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
from router.errors import NotUnderstood, RefusedDelivery
from router.providers import Provider, discover
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


@pytest.mark.parametrize("name", kit.providers())
def test_a_provider_has_what_the_protocol_asks_for(name: str) -> None:
    provider = discover()[name]

    assert isinstance(provider, Provider)
    assert provider.methods <= {"GET", "POST"}
    assert all(kind == kind.lower() for kind in provider.content_types)
    assert provider.tolerance is None or provider.tolerance >= timedelta(minutes=1)


@pytest.mark.parametrize("name", kit.providers())
def test_a_provider_can_play_its_gateway(name: str) -> None:
    families = {"payment", "payout", "subscription"}

    assert {case.kind for case in kit.cases(name)} <= families
    assert any(case.status == "confirmed" for case in kit.cases(name))


@pytest.mark.parametrize("case", kit.cases(), ids=str)
async def test_a_genuine_delivery_is_answered_in_the_gateways_words_and_published(
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
def test_an_event_says_what_was_said(case: Case) -> None:
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
def test_what_is_kept_of_a_delivery_verifies_again(case: Case) -> None:
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
def test_normalize_says_the_same_twice_and_changes_nothing(case: Case) -> None:
    own = _own(case)
    verified = own.verified(own.made(case))
    before = copy.deepcopy(verified)

    first, second = own.provider.normalize(verified), own.provider.normalize(verified)

    assert list(first) == list(second)
    assert verified == before


@pytest.mark.parametrize("case", kit.cases(), ids=str)
def test_no_float_is_anywhere_near_an_event(case: Case) -> None:
    for event in _own(case).normalized(_own(case).made(case)):
        held = {name: getattr(event, name) for name in Event.model_fields}
        assert not list(_floats(held))
        assert not list(_floats(event.model_dump()))
        assert not list(_floats(event.model_dump(mode="json")))


@pytest.mark.parametrize("case", kit.cases(), ids=str)
def test_a_redelivery_is_the_same_event_though_signed_at_another_time(case: Case) -> None:
    # Where no time is signed, a redelivery is the same delivery, byte for byte.
    later_at = AT if kit.window(case) is None else _LATER
    first, again, later = (
        _own(case).normalized(_own(case).made(case, at=at)) for at in (AT, AT, later_at)
    )

    assert [event.id for event in first] == [event.id for event in again]
    assert [event.id for event in first] == [event.id for event in later]
    assert [event.fingerprint for event in first] == [event.fingerprint for event in later]
    assert [event.key for event in first] == [event.key for event in later]
    assert len({event.id for event in first}) == len(first)


@pytest.mark.parametrize("name", kit.providers())
def test_every_change_of_state_and_every_payment_is_another_event(name: str) -> None:
    own = kit.side(name)
    told: dict[Any, tuple[str, str, int]] = {}

    for case in kit.cases(name):
        for number in (7, 8):
            made = own.made(case, number=number, order=f"A-{number}")
            for event in own.normalized(made):
                said = (case.kind, case.status, number)
                # Another form of a message may tell the same change again.
                assert told.setdefault(event.id, said) == said
    assert len(told) >= len({(c.kind, c.status) for c in kit.cases(name)}) * 2


@pytest.mark.parametrize("name", kit.providers())
def test_the_states_of_one_payment_are_about_one_payment(name: str) -> None:
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
def test_another_account_has_other_events(case: Case) -> None:
    mine, theirs = kit.side(case.provider), kit.side(case.provider, 2)

    first, second = mine.normalized(mine.made(case)), theirs.normalized(theirs.made(case))

    assert not {event.id for event in first} & {event.id for event in second}


def _both_open(event: Event, expected: Event) -> bool:
    """Tell whether both are about a payment that is not yet what was asked for."""
    return {event.type.status, expected.type.status} <= {"pending", "underpaid"}


@pytest.mark.parametrize("case", kit.cases(), ids=str)
def test_a_word_nobody_knows_never_makes_another_event_of_it(case: Case) -> None:
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


@pytest.mark.parametrize("name", kit.providers())
async def test_what_is_not_understood_is_answered_with_success_and_kept_whole(name: str) -> None:
    own = kit.side(name)
    edge = kit.edge(own)
    case = next(case for case in kit.cases(name) if case.status == "confirmed")
    told = [await kit.told(edge, made) for made in _not_understood(own, case)]

    assert told
    for one in told:
        assert (one.asked.status, one.asked.body) == (200, own.provider.answer.body)
        assert one.outcome == "quarantined"
        (record,) = [r for r in one.asked.published if r.topic == "t.quarantine"]
        assert parse_object(record.value)["provider"] == name


def _not_understood(own: kit.Side, case: Case) -> Iterator[Any]:
    # An amount with a digit too many, and one that is none: genuine, and not representable.
    for amount in ("1" * 21, "0." + "1" * 19):
        yield own.made(case, amount=amount)
