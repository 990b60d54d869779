"""Handled directly or by the application, a request has the same answer, records, log and counts.

Both ways begin with the bytes of the request and end with those of the answer.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator

import pytest
import structlog

from router.delivery import Delivery
from tests.conformance import kit
from tests.conformance.kit import Side
from tests.conformance.mutations import Mutations
from tests.parts.edge.edge_server import HeldClock
from tests.parts.edge.in_memory import InMemoryEdge
from tests.parts.edge.raw_http import request

LONG, USUAL = 20_000, 1_500
"""Changed bodies of each gateway, in the long form (PAYROUTER_CHAOS_LONG) and else."""

_URL = re.compile(rb"[!-~]*")
_SEED = 20260312
_FORGED_SHARE = 1 / 10
_READABLE_SHARE = 1 / 10
"""Least share of the changed deliveries that become an event."""


def _both(name: str) -> tuple[InMemoryEdge, InMemoryEdge]:
    structlog.reset_defaults()
    own = kit.side(name)
    values = kit.values({own.endpoint.name: own.table})
    direct, general = (
        InMemoryEdge.of(values, HeldClock(kit.AT), direct=direct) for direct in (True, False)
    )
    return direct, general


def _written(own: Side, delivery: Delivery) -> bytes:
    target = delivery.target.replace("{token}", str(own.table.get("token", "")), 1)
    body = delivery.body or None if delivery.method == "GET" else delivery.body
    return request(target, delivery.headers, body, delivery.method)


def _changed(name: str, count: int) -> Iterator[Delivery]:
    own, chance = kit.side(name), random.Random(_SEED)
    mutations = Mutations(chance)
    genuine = [kit.genuine(case).delivery for case in kit.cases(name)]
    while count:
        made = chance.choice(genuine)
        words = mutations.changed(kit.said(made))
        if made.method == "GET" and _URL.fullmatch(words) is None:
            # There are no such bytes in a URL.
            continue
        count -= 1
        forged = chance.random() < _FORGED_SHARE
        yield kit.saying(made, words) if forged else kit.resigned(own, made, words)


@pytest.mark.parametrize("name", kit.sides())
async def test_a_simulated_delivery_is_handled_alike_in_both_ways(name: str) -> None:
    own, (direct, general) = kit.side(name), _both(name)
    sent = [own.made(case, number=number) for number, case in enumerate(kit.cases(name), 1)]

    for delivery in sent:
        written = _written(own, delivery)
        ours, theirs = await direct.exchange(written), await general.exchange(written)
        assert ours == theirs
        assert ours.records

    assert direct.taken == sum(delivery.method == "POST" for delivery in sent)
    assert general.taken == 0
    assert direct.counted() == general.counted()


@pytest.mark.chaos
@pytest.mark.parametrize("name", kit.sides())
async def test_a_changed_delivery_is_handled_alike_in_both_ways(
    name: str, *, chaos_long: bool
) -> None:
    own, (direct, general) = kit.side(name), _both(name)
    sent = list(_changed(name, LONG if chaos_long else USUAL))
    statuses, outcomes = Counter[bytes](), Counter[str]()

    for delivery in sent:
        written = _written(own, delivery)
        ours, theirs = await direct.exchange(written), await general.exchange(written)
        assert ours == theirs, kit.said(delivery)
        statuses[ours.answer[9:12]] += 1
        outcomes[ours.log[-1]["outcome"]] += 1

    # All of them, so that the comparison is one of both ways.
    assert direct.taken == sum(delivery.method == "POST" for delivery in sent)
    assert general.taken == 0
    assert direct.counted() == general.counted()
    assert direct.process.app.admission.held() == {}
    assert direct.process.app.places.taken == 0
    assert {b"200", b"401"} <= set(statuses)
    assert outcomes["accepted"] >= len(sent) * _READABLE_SHARE
    assert {"quarantined", "refused"} <= set(outcomes)
