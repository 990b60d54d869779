"""What the shortcuts answer is what the general way answers, byte by byte, for every gateway."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from router.contract.fast.decoding import read_event
from router.contract.strict_json import parse_object
from router.contract.wire import encode_event
from router.delivery import VerifiedDelivery
from tests.conformance import kit
from tests.conformance.mutations import Mutations
from tests.conformance.shortcuts import TRACE, Shortcuts, exactly, validated

LONG, SHORT, QUICK = 100_000, 20_000, 2_000
"""Changed bodies of each gateway: in the long form (PAYROUTER_CHAOS_LONG), in CI, and else."""

_VARIANT = 4
"""Share of the changed bodies that a variant of a gateway gets."""

_SEED = 20260311
_SIMULATED = 20
"""Simulated deliveries of each kind of message."""

_READABLE_SHARE = 1 / 10
"""Least share of the changed bodies of which a shortcut makes the event."""

_READ_SHARE = 1 / 4
"""Least share of the changed JSON bodies that a shortcut reads."""

_SAME_SHARE = 1 / 10
"""Least share of the changed records that the shortcut reads."""

_ELSEWHERE = timezone(timedelta(hours=2))


def _simulated(name: str) -> Iterator[VerifiedDelivery]:
    own = kit.side(name)
    for case in kit.cases(name):
        for number in range(_SIMULATED):
            amount = f"{number}.{number:02}"
            made = own.made(case, number=number + 1, order=f"A-{number}", amount=amount)
            yield own.verified(made)


def _changed(name: str, count: int) -> Iterator[VerifiedDelivery]:
    chance = random.Random(_SEED)
    mutations = Mutations(chance)
    genuine = [kit.genuine(case) for case in kit.cases(name)]
    for _ in range(count):
        one = chance.choice(genuine)
        words = mutations.changed(kit.said(one.delivery))
        delivery = replace(kit.saying(one.delivery, words), received_at=_received(chance))
        yield replace(one, delivery=delivery)


def _received(chance: random.Random) -> datetime:
    at = kit.AT + timedelta(microseconds=chance.choice((0, 1, 120_000, 999_999)))
    return at.astimezone(_ELSEWHERE) if chance.random() < 1 / 20 else at


def _is_plain_json(verified: VerifiedDelivery) -> bool:
    body = verified.delivery.body
    return body.startswith(b"{") and b"\\" not in body


@pytest.mark.parametrize("name", kit.sides())
def test_simulated_deliveries_take_every_shortcut_to_the_same_records(name: str) -> None:
    endpoint, genuine = kit.side(name).endpoint, list(_simulated(name))

    with Shortcuts().watched() as shortcuts:
        for one in genuine:
            ours, general = shortcuts.outcomes(one, endpoint)
            assert ours == general

    assert shortcuts.differing == []
    assert shortcuts.taken["event"] == shortcuts.asked["event"] == len(genuine)
    assert shortcuts.taken["record"] == shortcuts.asked["record"] == len(genuine)
    assert shortcuts.taken["body"] >= sum(map(_is_plain_json, genuine))


@pytest.mark.chaos
@pytest.mark.parametrize("name", kit.sides())
def test_changed_deliveries_come_out_the_same_with_and_without_shortcuts(
    name: str, *, chaos_long: bool, wishes_ci: bool
) -> None:
    endpoint = kit.side(name).endpoint
    count = LONG if chaos_long else SHORT if wishes_ci else QUICK
    # A variant runs the code of its gateway.
    count //= _VARIANT if name not in kit.providers() else 1
    ended: Counter[tuple[str, ...]] = Counter()

    with Shortcuts().watched() as shortcuts:
        for one in _changed(name, count):
            ours, general = shortcuts.outcomes(one, endpoint)
            assert ours == general, kit.said(one.delivery)
            ended[ours.problem[:2]] += 1

    assert shortcuts.differing == []
    assert ended.total() == count
    assert shortcuts.taken["event"] >= count * _READABLE_SHARE
    assert shortcuts.taken["record"] >= count * _READABLE_SHARE
    assert shortcuts.taken["body"] >= shortcuts.asked["body"] * _READ_SHARE
    assert shortcuts.without_answer("event") > 0
    assert shortcuts.without_answer("body") > 0
    # Several reasons of quarantine, and none.
    assert len(ended) >= 4
    assert () in ended


@pytest.mark.chaos
def test_changed_records_are_read_the_same_with_and_without_the_shortcut(
    *, chaos_long: bool, wishes_ci: bool
) -> None:
    count = LONG if chaos_long else SHORT if wishes_ci else QUICK
    mutations = Mutations(random.Random(_SEED))
    written = [
        encode_event(event, "t", TRACE).value for case in kit.cases() for event in kit.events(case)
    ]
    read = Counter[bool]()

    for number in range(count):
        value = mutations.changed(written[number % len(written)])
        found = read_event(value)
        if found is not None:
            assert exactly(found) == validated(parse_object(value)), value
        read[found is not None] += 1

    assert read[True] >= count * _SAME_SHARE
    assert read[False] > 0
