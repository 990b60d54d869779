"""No forged delivery of any gateway is accepted."""

from dataclasses import replace
from datetime import timedelta

import pytest

from router.errors import Reason
from tests.conformance import kit
from tests.conformance.forgeries import FORGERIES
from tests.conformance.kit import AT, Case
from tests.parts.edge.edge_server import HeldClock

_SECOND = timedelta(seconds=1)


def _everyday(name: str) -> list[Case]:
    """Return a case of each form that a gateway's message can have."""
    found: dict[tuple[str, str | None], Case] = {}
    for case in kit.cases(name):
        found.setdefault((case.kind, case.variant), case)
    return list(found.values())


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("name", kit.sides())
async def test_forged_delivery_is_refused_with_its_reason_and_publishes_nothing(
    name: str, forgery: str
) -> None:
    edge = kit.edge(kit.side(name))
    wanted = FORGERIES[forgery]

    for case in _everyday(name):
        for forged in wanted.forge(case):
            told = await kit.told(edge, forged)

            assert (told.asked.status, told.asked.body) == (401, b"unauthorized\n"), forged
            assert (told.outcome, told.asked.published) == ("refused", ())
            assert Reason(told.reason) in wanted.reasons, forged


@pytest.mark.parametrize("name", kit.sides())
def test_at_least_twelve_ways_to_forge_were_tried(name: str) -> None:
    for case in _everyday(name):
        tried = [name for name, forgery in FORGERIES.items() if next(forgery.forge(case), None)]
        assert len(tried) >= 12, tried


@pytest.mark.parametrize("case", kit.cases(), ids=str)
async def test_a_delivery_of_another_endpoint_is_refused(case: Case) -> None:
    mine, theirs = kit.side(case.provider), kit.side(case.provider, 2)
    edge = kit.edge(mine, theirs)
    genuine = theirs.made(case)
    moved = replace(
        genuine, endpoint="shop-1", target=genuine.target.replace("/shop-2", "/shop-1", 1)
    )

    assert (await kit.told(edge, genuine)).asked.status == 200
    told = await kit.told(edge, moved)

    assert (told.asked.status, told.asked.published) == (401, ())


@pytest.mark.parametrize("case", kit.cases(), ids=str)
async def test_other_methods_are_refused(case: Case) -> None:
    own = kit.side(case.provider)
    edge, genuine = kit.edge(own), own.made(case)

    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "post"} - {genuine.method}:
        asked = await kit.asked_for(edge, replace(genuine, method=method))

        wanted = {401} if method in own.provider.methods else {405}
        assert asked.status in wanted
        assert asked.published == ()


@pytest.mark.parametrize("case", kit.cases(), ids=str)
async def test_signed_time_is_accepted_only_within_the_window(case: Case) -> None:
    own, clock = kit.side(case.provider), HeldClock(AT)
    edge, genuine = kit.edge(own, clock=clock), own.made(case)
    window = kit.window(case)
    if window is None:
        clock.now = AT + timedelta(days=3650)
        assert (await kit.told(edge, genuine)).asked.status == 200
        return

    for distance, status, reason in (
        (window, 200, "none"),
        (-window, 200, "none"),
        (window + _SECOND, 401, "stale"),
        (-window - _SECOND, 401, "future"),
    ):
        clock.now = AT + distance
        told = await kit.told(edge, genuine)

        assert (told.asked.status, told.reason) == (status, reason)
        topics = {record.topic for record in told.asked.published}
        assert topics == ({f"t.{case.kind}"} if status == 200 else {"t.quarantine"})


@pytest.mark.parametrize("case", kit.cases(), ids=str)
async def test_both_keys_are_accepted_during_rotation_and_then_only_the_new_one(
    case: Case,
) -> None:
    old, new = kit.side(case.provider), kit.side(case.provider, 2)
    # The same endpoint with the keys of both; settings that are not lists of keys are unchanged.
    both = {
        name: [*value, *new.table[name]]
        if isinstance(value, list | tuple) and value != new.table[name]
        else value
        for name, value in old.table.items()
    }
    only_new = {
        **old.table,
        **{name: new.table[name] for name in both if both[name] != old.table[name]},
    }
    told = []
    for table in (both, only_new):
        edge = kit.edge(replace(old, table=table))
        for gateway in (old, new):
            sender = replace(old, gateway=replace(old.gateway, keys=gateway.gateway.keys))
            told.append(await kit.told(edge, sender.made(case)))

    assert [one.asked.status for one in told] == [200, 200, 401, 200]
    assert told[2].reason == "signature_wrong"
