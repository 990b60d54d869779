"""A day on which everything goes well opens no case in the books: the stream of `dev --rate`."""

from collections import defaultdict
from pathlib import Path
from uuid import UUID

from consumers.ledger.facts.position import new_position
from router.contract.event import Event
from tests.parts.edge.clean_day import clean_day
from tests.parts.ledger.told import found


def test_simulated_traffic_of_every_gateway_opens_no_case(tmp_path: Path) -> None:
    positions = defaultdict[UUID, list[Event]](list)
    for each in clean_day(tmp_path).records:
        if isinstance(each, Event) and each.type.family in {"payment", "payout"}:
            positions[new_position(each).id].append(each)
    families = {events[0].type.family for events in positions.values()}
    cases = {(events[0].provider, *found(events)) for events in positions.values()}
    assert [each for each in cases if len(each) > 1] == []
    assert families == {"payment", "payout"}
