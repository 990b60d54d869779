"""An unreadable descriptive fact becomes null and is named, and stops nothing."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime

import pytest

from router.contract.event import DESCRIPTIVE, Event
from router.errors import NotUnderstood, Reason, RefusedDelivery
from tests.conformance import kit
from tests.conformance.kit import Case
from tests.conformance.members import Member, another, changed, members, odd_values

_NOT_DECIDING = {"raw", "raw_event", "unread", "test", "customer", *DESCRIPTIVE}


def _decided(event: Event) -> Mapping[str, object]:
    return event.model_dump(exclude=_NOT_DECIDING)


def _described(event: Event) -> Mapping[str, object]:
    found = {}
    for name in DESCRIPTIVE:
        holder, _, field = name.rpartition(".")
        found[name] = getattr(getattr(event, holder) if holder else event, field)
    return found


def _normalized(case: Case, words: bytes) -> Sequence[Event]:
    genuine = kit.genuine(case)
    delivery = kit.saying(genuine.delivery, words)
    verified = dataclasses.replace(genuine, delivery=delivery)
    return kit.side(case.provider).provider.normalize(verified)


def _undecided(case: Case, member: Member) -> bool:
    """Return whether this member is only descriptive.

    Then another value changes nothing else, or its absence changes nothing but a description.
    (A member that only repeats a deciding one also decides, and may be absent without effect.)
    """
    if _is_signed_time(case, member):
        return False
    if _with(case, member, another(member)) is not None:
        return True
    without = _with(case, member, "")
    return without is not None and any(map(_lost, kit.events(case), without))


def _with(case: Case, member: Member, value: object) -> Sequence[Event] | None:
    """Return the events with another value, None if a deciding fact changed."""
    words = kit.said(kit.genuine(case).delivery)
    try:
        events = _normalized(case, changed(words, member, value))
    except (NotUnderstood, RefusedDelivery):
        return None
    same = [_decided(event) for event in events] == [_decided(e) for e in kit.events(case)]
    return events if same and not any(map(_other_mode, events, kit.events(case))) else None


def _other_mode(event: Event, whole: Event) -> bool:
    """Return whether the member marks test money, which decides too."""
    return {event.test, whole.test} == {True, False}


def _is_signed_time(case: Case, member: Member) -> bool:
    """Return whether this is the signed time, if no header has it."""
    at = kit.genuine(case).signed_at
    if at is None or kit.header_of(case, Reason.TIME_MISSING) is not None:
        return False
    return str(member.value) in _written(at)


def _written(at: datetime) -> set[str]:
    seconds = int(at.timestamp())
    return {str(seconds), str(seconds * 1000), at.isoformat(), at.strftime("%Y-%m-%dT%H:%M:%SZ")}


@pytest.mark.parametrize("case", kit.cases(), ids=str)
def test_invalid_description_is_null_and_named_and_changes_nothing_else(case: Case) -> None:
    words = kit.said(kit.genuine(case).delivery)

    for member in members(words):
        if not _undecided(case, member):
            continue
        for odd in odd_values(words):
            events = _normalized(case, changed(words, member, odd))
            for event, whole in zip(events, kit.events(case), strict=True):
                assert _decided(event) == _decided(whole), (str(member), odd)
                assert event.fingerprint == whole.fingerprint
                assert event.test in {whole.test, None}
                lost = _lost(whole, event)
                if member.value == "":
                    # It was missing, and is present now.
                    lost |= set(event.unread)
                assert lost == set(event.unread), (str(member), odd)
                assert not any(_described(event)[name] for name in event.unread)


def _lost(whole: Event, event: Event) -> set[str]:
    after = _described(event)
    return {name for name, fact in _described(whole).items() if fact and after[name] is None}


@pytest.mark.parametrize("name", kit.sides())
def test_every_gateway_has_a_description_that_can_be_invalid(name: str) -> None:
    unread = set()
    for case in kit.cases(name):
        words = kit.said(kit.genuine(case).delivery)
        for member in members(words):
            if _undecided(case, member):
                for odd in odd_values(words):
                    for event in _normalized(case, changed(words, member, odd)):
                        unread |= set(event.unread)

    described = {
        field for case in kit.cases(name) for event in kit.events(case) for field in _given(event)
    }
    assert unread <= described
    # A network may be part of a currency's name, which decides.
    assert unread or described <= {"network"}


def _given(event: Event) -> Sequence[str]:
    return [name for name, fact in _described(event).items() if fact]


@pytest.mark.parametrize("case", kit.cases(), ids=str)
async def test_event_with_unread_fields_can_be_decoded_again(
    case: Case,
) -> None:
    words = kit.said(kit.genuine(case).delivery)

    for member in members(words):
        if _undecided(case, member):
            for event in _normalized(case, changed(words, member, "line\nfeed")):
                again = Event.model_validate_json(event.model_dump_json())
                assert (again, again.unread) == (event, event.unread)
