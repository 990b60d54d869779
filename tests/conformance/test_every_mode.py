"""Sandbox and live: an endpoint only accepts money of its own mode."""

import json

import pytest

from router.configuration.endpoint_settings import Mode
from tests.conformance import kit
from tests.conformance.kit import Case

_MODES: dict[Mode, Mode] = {"live": "test", "test": "live"}
_OTHER_MONEY = {"live": "test_money", "test": "live_money"}


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("case", kit.cases(), ids=str)
async def test_endpoint_accepts_money_of_its_mode(case: Case, mode: Mode) -> None:
    own = kit.side(case.provider).in_mode(mode)

    told = await kit.told(kit.edge(own), own.made(case))

    assert (told.outcome, told.reason) == ("accepted", "none")
    for record in told.asked.published:
        assert (json.loads(record.value)["test"] is True) is (mode == "test")


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("case", kit.cases(), ids=str)
async def test_only_deliveries_of_the_other_mode_are_quarantined(case: Case, mode: Mode) -> None:
    here, there = (kit.side(case.provider).in_mode(each) for each in (mode, _MODES[mode]))
    delivery = there.made(case)
    said = {event.test for event in there.normalized(delivery)}

    told = await kit.told(kit.edge(here), delivery)

    if said == {mode == "live"}:
        assert (told.outcome, told.reason) == ("quarantined", _OTHER_MONEY[mode])
        assert [record.topic for record in told.asked.published] == ["t.quarantine"]
    else:
        assert said == {None}
        assert (told.outcome, told.reason) == ("accepted", "none")
