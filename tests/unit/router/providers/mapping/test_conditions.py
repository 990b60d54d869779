"""Conditions: which meaning of a word applies, and what is ignored."""

import pytest

from router.contract.event import EventType
from router.errors import ConfigurationError, IgnoredEvent, NotUnderstood, Reason
from tests.parts.providers.deliveries import Gateway
from tests.parts.providers.mapped import acme, event_of, sent

_UPDATED = {
    "updated": [
        {"type": "payment.confirmed", "only_if": {"state": ["DONE", 1]}},
        {"type": "payment.pending", "only_if": {"state": "OPEN"}},
        {"type": "payment.failed", "only_if": {"state": "FAILED", "final": True}},
        {"type": "ignore", "only_if": {"state": "DRAFT"}},
    ],
    "created": "ignore",
}


def _refusal(own: Gateway, **changes: object) -> NotUnderstood:
    with pytest.raises(NotUnderstood) as refused:
        event_of(own, **changes)
    return refused.value


@pytest.mark.parametrize(
    ("state", "happened"),
    [
        ("DONE", EventType.PAYMENT_CONFIRMED),
        ("1", EventType.PAYMENT_CONFIRMED),
        (1, EventType.PAYMENT_CONFIRMED),
        ("OPEN", EventType.PAYMENT_PENDING),
    ],
)
def test_condition_chooses_the_meaning_of_a_word(state: object, happened: EventType) -> None:
    own = acme(events=_UPDATED)

    assert event_of(own, what="updated", state=state).type is happened


@pytest.mark.parametrize("final", [True, "true"])
def test_all_conditions_of_an_event_must_hold(final: object) -> None:
    own = acme(events=_UPDATED)

    assert event_of(own, what="updated", state="FAILED", final=final).type.status == "failed"
    for other in (False, "yes", None, ...):
        refused = _refusal(own, what="updated", state="FAILED", final=other)
        assert refused.reason is Reason.UNKNOWN_STATUS
        assert refused.detail == "mapping.events.updated: no only_if holds"


@pytest.mark.parametrize("state", ["CLOSED", "done", "", None, ..., 1.0, {}, [], True])
def test_word_without_a_fulfilled_condition_is_not_understood(state: object) -> None:
    assert _refusal(acme(events=_UPDATED), what="updated", state=state).reason is (
        Reason.UNKNOWN_STATUS
    )


@pytest.mark.parametrize("changes", [{"what": "created"}, {"what": "updated", "state": "DRAFT"}])
def test_listed_event_is_ignored_by_its_word(changes: dict[str, object]) -> None:
    own = acme(events={**_UPDATED, "paid": "payment.confirmed"})

    with pytest.raises(IgnoredEvent) as ignored:
        event_of(own, id=..., sum=..., **changes)

    assert ignored.value.word == changes["what"]
    assert "created" in own.provider.ignored  # type: ignore[attr-defined]


def test_event_that_is_not_listed_is_never_ignored() -> None:
    refused = _refusal(acme(events=_UPDATED), what="deleted")

    assert (refused.reason, refused.detail) == (
        Reason.UNKNOWN_EVENT,
        "what: a word that mapping.events has not",
    )


@pytest.mark.parametrize(("present", "value"), [(True, {"id": 1}), (False, None), (False, "")])
def test_condition_may_ask_whether_a_field_is_present(*, present: bool, value: object) -> None:
    events = {
        "paid": [
            {"type": "payment.refunded", "only_if": {"refund": {"present": True}}},
            {"type": "payment.confirmed", "only_if": {"refund": {"present": False}}},
        ]
    }

    happened = event_of(acme(events=events), refund=value).type

    assert happened.status == ("refunded" if present else "confirmed")


def test_mapping_applies_only_to_the_deliveries_of_its_condition() -> None:
    own = acme(only_if={"merchant": ["m1", "m2"]})

    assert event_of(own, merchant="m2").amount is not None
    for merchant in ("m3", None, ...):
        refused = _refusal(own, merchant=merchant)
        assert (refused.reason, refused.detail) == (
            Reason.UNKNOWN_EVENT,
            "mapping.only_if: does not hold",
        )


def test_event_may_be_named_in_a_header_that_the_body_confirms() -> None:
    own = acme(
        event=...,
        event_header="X-Topic",
        events={
            "orders/paid": {"type": "payment.confirmed", "only_if": {"state": "paid"}},
            "orders/refund": {"type": "payment.refunded", "only_if": {"state": "refunded"}},
            "orders/updated": "ignore",
        },
    )
    members = {"id": 1, "sum": "5", "coin": "EUR", "state": "paid"}

    event = own.normalized(sent(members, ("x-topic", "orders/paid")))
    assert event.type is EventType.PAYMENT_CONFIRMED
    assert event.raw is not None
    assert event.raw.headers["x-topic"] == "orders/paid"
    again = own.normalized(sent(members, *[("x-topic", "orders/paid")] * 2))
    assert again.id == event.id

    for headers, reason in (
        ([], Reason.FIELD_MISSING),
        ([("x-topic", "orders/deleted")], Reason.UNKNOWN_EVENT),
        ([("x-topic", "orders/refund")], Reason.UNKNOWN_STATUS),
        ([("x-topic", "orders/paid"), ("x-topic", "orders/refund")], Reason.AMBIGUOUS),
    ):
        with pytest.raises(NotUnderstood) as refused:
            own.normalized(sent(members, *headers))
        assert refused.value.reason is reason


_TWO = {"a": "payment.confirmed", "b": "payment.refunded"}
_DONE = {"type": "payment.confirmed", "only_if": {"state": "DONE"}}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"event": ..., "event_header": "X-Topic", "events": _TWO},
            ".mapping.event_header: no signature covers it, so it could turn events.a into",
        ),
        ({"event_header": "X-Topic"}, ".mapping: event: set event, a path in the body, or"),
        ({"event": ...}, ".mapping: event: set event, a path in the body, or event_header"),
        (
            {"events": {"a": [_DONE, {"type": "payment.pending"}]}},
            ".mapping: events.a[0] and events.a[1] can both apply",
        ),
        (
            {"events": {"a": [_DONE, {**_DONE, "only_if": {"state": ["OPEN", "DONE"]}}]}},
            ".mapping: events.a[0] and events.a[1] can both apply",
        ),
        (
            {"events": {"a": [_DONE, {**_DONE, "only_if": {"other": "OPEN"}}]}},
            ".mapping: events.a[0] and events.a[1] can both apply",
        ),
        ({"events": {"a": []}}, ".mapping.events.a: "),
        ({"events": {"a": "ignored"}}, ".mapping.events.a: "),
        ({"events": {"a": {"type": "ignored"}}}, ".mapping.events.a.type"),
        ({"events": {"a": {"only_if": {"x": 1}}}}, ".mapping.events.a.type: Field required"),
        ({"events": {"a": {**_DONE, "onlyif": {}}}}, ".mapping.events.a.onlyif: unknown key"),
        ({"events": {"a": {**_DONE, "only_if": {}}}}, ".mapping.events.a.only_if: "),
        (
            {"events": {"a": {**_DONE, "only_if": {"x": []}}}},
            ".mapping.events.a.only_if.x: expected a word, a list of words, or { present = true }",
        ),
        ({"events": {"a": {**_DONE, "only_if": {"x": 1.5}}}}, ".mapping.events.a.only_if.x: "),
        ({"events": {"a": {**_DONE, "only_if": {"x": {"is": 1}}}}}, ".mapping.events.a.only_if.x"),
        ({"only_if": {"x": {"present": 1}}}, ".mapping.only_if.x: expected { present = true } or"),
        ({"gateway": "operator"}, ".mapping: gateway: operator is reserved"),
        (
            {"events": {"a": {**_DONE, "without": ["sum"]}}},
            ".mapping: events.a: without: sum is not a field",
        ),
    ],
)
def test_contradictory_conditions_fail_the_start(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        acme(**changes)

    assert str(refused.value).startswith(f"endpoints.shop{problem}")


_BOTH = (
    "events.b[0] and events.b[1] can both apply: their only_if must need different words of one"
    " field"
)


def test_all_problems_of_a_mapping_are_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        acme(
            gateway="operator",
            events={"a": "payment.confirmed", "b": [_DONE, {"type": "ignore"}]},
            fields={"amount": "sum"},
            test_if={"live": False},
            decimals={"EUR": 2},
        )

    assert refused.value.problems == tuple(
        f"endpoints.shop.mapping: {problem}"
        for problem in (
            "gateway: operator is reserved for facts that an operator records",
            "test_if and live_if belong together",
            'decimals: needs minor_units = "by currency"',
            _BOTH,
            "events.a: needs fields.provider_reference",
            "events.b[0]: needs fields.provider_reference",
            "fields.amount: needs fields.currency or fixed.currency",
        )
    )
