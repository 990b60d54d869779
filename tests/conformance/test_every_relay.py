"""A header that a relay repeated: unchanged it counts once, if the provider allows it at all."""

import pytest

from router.contract.wire import decode_event
from tests.conformance import kit
from tests.conformance.kit import Case


@pytest.mark.parametrize("case", kit.cases(), ids=str)
async def test_header_repeated_unchanged_is_the_same_event_or_refused(case: Case) -> None:
    own = kit.side(case.provider)
    edge, genuine = kit.edge(own), own.made(case)

    for name in kit.roles(case):
        (value,) = genuine.header(name)
        for repeated in ([value, value], [value, value, value]):
            told = await kit.told(edge, kit.with_header(genuine, name, *repeated))

            if kit.counts_repeated_headers_once(case.provider):
                events = [decode_event(one.value, one.headers) for one in told.asked.published]
                assert [event.id for event in events] == [one.id for one in kit.events(case)]
                assert events[0].raw == kit.events(case)[0].raw
            else:
                assert (told.asked.status, told.asked.published) == (401, ())
                assert told.reason.endswith("_duplicated")


@pytest.mark.parametrize("case", kit.cases(), ids=str)
async def test_headers_that_a_relay_adds_change_nothing(case: Case) -> None:
    own = kit.side(case.provider)
    genuine = own.made(case)
    added = ("x-forwarded-for", "192.0.2.1"), ("via", "1.1 relay"), ("x-request-id", "1")

    told = await kit.told(kit.edge(own), kit.with_headers_added(genuine, *added))

    events = [decode_event(one.value, one.headers) for one in told.asked.published]
    assert [event.id for event in events] == [one.id for one in kit.events(case)]
