"""Verification takes a few passes over the body; a forged body is not parsed or sorted."""

import pytest

from tests.conformance import kit
from tests.conformance.costs import RUNAWAY, forged, ratio, refusing
from tests.conformance.kit import Case


def _forms(name: str) -> list[Case]:
    """Return a case of each method and content type of a gateway."""
    found: dict[tuple[str, ...], Case] = {}
    for case in kit.cases(name):
        made = kit.side(name).made(case)
        found.setdefault((made.method, *made.header("content-type")), case)
    return list(found.values())


@pytest.mark.parametrize("name", kit.sides())
def test_refusing_a_forged_body_costs_at_most_a_few_hashes(name: str) -> None:
    own = kit.side(name)
    costs = {
        what: ratio(refusing(own, delivery))
        for case in _forms(name)
        for what, delivery in forged(own, case)
    }

    runaways = {what: round(cost, 1) for what, cost in costs.items() if cost > RUNAWAY}
    assert runaways == {}
    assert len(costs) >= 12
