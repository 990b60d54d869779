"""Outcomes that consumers publish for the platform."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from router.contract.identity import payment_key
from router.contract.outcome import OutcomeEvent, OutcomeFacts, outcome_id
from router.contract.wire import encode_outcome

CAUSE = UUID(int=7)
POSTED = OutcomeEvent(
    id=outcome_id("ledger.posted", str(CAUSE)),
    type="ledger.posted",
    account="shop-eu",
    reference="A-1",
    event_id=CAUSE,
    at=datetime(2026, 11, 22, 10, tzinfo=UTC),
    data={"amount": "0.000000000000000001", "lines": 2, "late": False, "note": None},
)


def test_outcome_is_a_cloud_event_under_the_key_of_its_order() -> None:
    record = encode_outcome(POSTED, "ledger.outcome")
    headers = dict(record.headers)
    assert headers["ce_id"] == str(POSTED.id).encode()
    assert headers["ce_type"] == b"ledger.posted"
    assert headers["ce_source"] == b"/payrouter/ledger/shop-eu"
    assert headers["ce_dataschema"] == b"urn:payrouter:schema:outcome:1.0"
    assert record.key == payment_key("shop-eu", "A-1", "blockatm", "8210")
    assert OutcomeEvent.model_validate_json(record.value) == POSTED
    assert json.loads(record.value)["data"]["amount"] == "0.000000000000000001"


def test_outcome_id_is_derived_from_its_cause() -> None:
    assert outcome_id("ledger.posted", "a") == outcome_id("ledger.posted", "a")
    assert outcome_id("ledger.posted", "a") != outcome_id("ledger.posted", "b")
    assert outcome_id("ledger.posted", "a", "b") != outcome_id("ledger.posted", "a\0b")
    assert str(outcome_id("ledger.posted", "a")) == "c2b7017b-a60f-59e9-b9f0-a56b28a02c4d"


@pytest.mark.parametrize(
    "wrong", [{"reference": None}, {"type": "posted"}, {"data": {"amount": 1.0}}]
)
def test_outcome_needs_order_and_kind_and_refuses_floats(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OutcomeEvent.model_validate({**POSTED.model_dump(), **wrong})


_FACTS = st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.text()


@given(
    st.dictionaries(st.text(), _FACTS),
    st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.none() | st.text(min_size=1).filter(str.isprintable),
)
def test_value_of_an_outcome_is_that_of_pydantic(
    data: dict[str, str | int | bool | None], at: datetime, provider: str | None
) -> None:
    made = POSTED.model_copy(update={"data": data, "at": at, "provider": provider})
    document = made.model_dump(mode="json")
    by_pydantic = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    assert encode_outcome(made, "ledger.outcome").value == by_pydantic


@given(
    st.dictionaries(st.text(), st.none() | st.booleans() | st.integers(0, 2**40) | st.text()),
    st.none() | st.text(min_size=1).filter(str.isprintable),
)
def test_facts_of_an_outcome_are_encoded_like_the_outcome(
    data: dict[str, str | int | bool | None], reference: str | None
) -> None:
    changes = {"data": data, "reference": reference, "provider": "p", "provider_reference": "1"}
    made = POSTED.model_copy(update=changes)
    facts = OutcomeFacts(**vars(made))
    assert encode_outcome(facts, "ledger.outcome") == encode_outcome(made, "ledger.outcome")


def test_facts_of_an_outcome_have_its_fields_in_their_order() -> None:
    assert list(OutcomeFacts.__struct_fields__) == list(OutcomeEvent.model_fields)
