"""The gateways' clocks, as far as they can be known."""

from collections.abc import Mapping

import pytest

from consumers.doctor.gateways import judge_skews, query_skews
from router.configuration.settings import EdgeSettings
from tests.parts.ports import free_port


def judged(skews: Mapping[str, float] | None) -> list[tuple[str, str, str]]:
    found = judge_skews(EdgeSettings(), skews)
    return [(each.state.value, each.what, each.found) for each in found]


@pytest.mark.parametrize(
    ("skew", "state", "found"),
    [
        (60.0, "ok", "signed within 60 s of its arrival"),
        (61.0, "warn", "its last delivery was signed 61 s before its arrival"),
        (-90.0, "warn", "its last delivery was signed 90 s after its arrival"),
    ],
)
def test_a_gateway_whose_clock_differs_is_named(skew: float, state: str, found: str) -> None:
    assert judged({"shop": skew}) == [(state, "clock: gateway of shop", found)]


def test_what_cannot_be_known_is_named() -> None:
    nothing = "not known: no delivery with a signed time since its start"
    assert judged({}) == [("ok", "clock: gateways", nothing)]
    ((state, _, found),) = judged(None)
    assert (state, found) == ("ok", "not known: no edge answers at http://127.0.0.1:9080/metrics")


def test_without_an_edge_nothing_is_known() -> None:
    assert query_skews(EdgeSettings(management_port=free_port())) is None
