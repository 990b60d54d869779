"""Reading of the inventory's outcomes."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from consumers.notifications.outcomes import OUTCOMES, OrderOutcome, read_outcome
from consumers.runtime.records import Decoded, Partition, Record, TooNew, Undecodable, decode
from router.contract.outcome import OutcomeEvent
from router.contract.topics import Topics
from router.contract.wire import encode_outcome

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
COMMITTED = OutcomeEvent(
    id=uuid4(), type="inventory.committed", account="shop-eu", reference="A-1", at=NOW
)


def decoded(outcome: OutcomeEvent, **headers: bytes) -> Decoded | Undecodable | TooNew:
    out = encode_outcome(outcome, OUTCOMES)
    said = {**dict(out.headers), **headers}
    record = Record(Partition(OUTCOMES, 0), 7, 0, out.key, out.value, list(said.items()))
    return decode(record, read_outcome)


def test_an_outcome_is_read_as_the_inventory_publishes_it() -> None:
    found = decoded(COMMITTED)
    assert isinstance(found, Decoded)
    assert found.event == OrderOutcome(COMMITTED.id, "shop-eu", "A-1", "committed", NOW)
    assert found.event.fingerprint == '["1","committed","shop-eu","A-1"]'


def test_the_topic_has_the_name_that_the_inventory_uses() -> None:
    for names in (Topics(), Topics("eu."), Topics("eu.", (("payment", "money"),))):
        assert names.name(OUTCOMES) == names.outcome("inventory")


def test_a_later_major_version_halts_and_anything_else_is_undecodable() -> None:
    later = decoded(COMMITTED, ce_dataschema=b"urn:payrouter:schema:outcome:2.0")
    assert isinstance(later, TooNew)
    record = Record(Partition(OUTCOMES, 0), 7, 0, None, b"{}", [])
    assert isinstance(decode(record, read_outcome), Undecodable)


@pytest.mark.parametrize("value", [None, b"", b"[]", b"\xff"])
def test_a_record_without_a_json_object_is_undecodable(value: bytes | None) -> None:
    record = Record(Partition(OUTCOMES, 0), 7, 0, None, value, [])
    assert isinstance(decode(record, read_outcome), Undecodable)
