"""What the shortcuts answer is what the general way answers, byte by byte, for every gateway."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from router.delivery import VerifiedDelivery
from tests.conformance import kit
from tests.conformance.mutations import Mutations
from tests.conformance.shortcuts import Shortcuts, general_outcome

LONG, USUAL = 100_000, 2_000
"""Changed bodies of each gateway, in the long form (PAYROUTER_CHAOS_LONG) and else."""

_SEED = 20260311
_SIMULATED = 20
"""Simulated deliveries of each kind of message."""

_READABLE_SHARE = 1 / 10
"""Least share of the changed bodies of which a shortcut makes the event."""

_READ_SHARE = 1 / 4
"""Least share of the changed JSON bodies that a shortcut reads."""

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
    endpoint, shortcuts = kit.side(name).endpoint, Shortcuts()
    genuine = list(_simulated(name))

    for one in genuine:
        assert shortcuts.outcome(one, endpoint) == general_outcome(one, endpoint)

    assert shortcuts.differing == []
    assert shortcuts.taken["event"] == shortcuts.asked["event"] == len(genuine)
    assert shortcuts.taken["record"] == shortcuts.asked["record"] == len(genuine)
    assert shortcuts.taken["body"] >= sum(map(_is_plain_json, genuine))


@pytest.mark.chaos
@pytest.mark.parametrize("name", kit.sides())
def test_changed_deliveries_come_out_the_same_with_and_without_shortcuts(
    name: str, *, chaos_long: bool
) -> None:
    endpoint, shortcuts = kit.side(name).endpoint, Shortcuts()
    count = LONG if chaos_long else USUAL
    ended = set()

    for one in _changed(name, count):
        ours, general = shortcuts.outcome(one, endpoint), general_outcome(one, endpoint)
        assert ours == general, kit.said(one.delivery)
        ended.add(ours.problem[:2])

    assert shortcuts.differing == []
    assert shortcuts.taken["event"] >= count * _READABLE_SHARE
    assert shortcuts.taken["body"] >= shortcuts.asked["body"] * _READ_SHARE
    assert shortcuts.without_answer("event") > 0
    assert shortcuts.without_answer("body") > 0
    # Several reasons of quarantine, and none.
    assert len(ended) >= 4
    assert () in ended
