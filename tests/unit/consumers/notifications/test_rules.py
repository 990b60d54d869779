"""Recipients of a change: rules, wildcards, at most one message per channel."""

from itertools import chain
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from consumers.notifications.rules import (
    CALLED_OFF,
    KINDS,
    ORDER_PAID,
    Intent,
    Rule,
    idempotency_key,
    intents,
    message_id,
)
from tests.parts.notifications.desk import rule

EVENT = UUID("5cb2d56f-233b-5534-95af-5f0a6c5c475f")


def rules(*written: dict[str, object]) -> list[Rule]:
    return [Rule.model_validate(each) for each in written]


def test_a_rule_matches_the_kinds_it_names() -> None:
    (one,) = rules(rule("payout.failed", "on-call", "hook"))
    assert intents([one], ["payout.failed"]) == [Intent("hook", "on-call", "payout.failed")]
    assert intents([one], ["payout.confirmed"]) == []


def test_a_family_matches_all_of_its_kinds_and_no_other() -> None:
    (one,) = rules(rule("payment.*", "on-call", "hook"))
    about = [kind for kind in KINDS if intents([one], [kind])]
    assert about == [kind for kind in KINDS if kind.startswith("payment.")]


def test_two_rules_for_the_same_channel_and_recipient_create_one_message() -> None:
    both = rules(rule("payment.*", "a", "x", "y"), rule("payment.confirmed", "a", "y", "z"))
    found = intents(both, ["payment.confirmed"])
    assert [each.channel for each in found] == ["x", "y", "z"]


def test_two_recipients_of_one_channel_get_a_message_each() -> None:
    both = rules(rule("payment.confirmed", "customer", "x"), rule("payment.*", "a", "x"))
    assert [each.recipient for each in intents(both, ["payment.confirmed"])] == ["customer", "a"]


def test_every_status_change_can_be_mailed_by_one_rule() -> None:
    (one,) = rules(rule(["payment.*", "payout.*", "subscription.*"], "a", "x"))
    told = [kind for kind in KINDS if intents([one], [kind])]
    assert told == [kind for kind in KINDS if kind not in {ORDER_PAID, CALLED_OFF}]


def test_the_most_important_kind_of_an_event_wins() -> None:
    (both,) = rules(rule([ORDER_PAID, "payment.confirmed"], "customer", "x"))
    (one,) = rules(rule("payment.*", "on-call", "x"))
    found = intents([both, one], [ORDER_PAID, "payment.confirmed"])
    assert found == [
        Intent("x", "customer", ORDER_PAID),
        Intent("x", "on-call", "payment.confirmed"),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        rule("payment.paid", "a", "x"),
        rule("*", "a", "x"),
        rule("refund.*", "a", "x"),
        rule([], "a", "x"),
        rule("payment.*", "a"),
        rule(CALLED_OFF, "customer", "x"),
        rule("alert.*", "customer", "x"),
        {**rule("payment.*", "a", "x"), "unless": "b"},
    ],
)
def test_an_invalid_rule_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate(wrong)


_RULES = st.builds(
    Rule,
    on=st.lists(st.sampled_from([*KINDS[:16], "payment.*", "payout.*"]), min_size=1).map(tuple),
    to=st.sampled_from(["customer", "a", "b"]),
    channels=st.lists(st.sampled_from(["x", "y", "z"]), min_size=1).map(tuple),
)


@given(st.lists(_RULES, max_size=8), st.lists(st.sampled_from(KINDS), max_size=2))
def test_no_rules_create_two_messages_for_one_channel_and_recipient(
    some: list[Rule], kinds: list[str]
) -> None:
    found = intents(some, kinds)
    keys = [(each.channel, each.recipient) for each in found]
    assert len(keys) == len(set(keys))
    meant = chain.from_iterable(
        [(channel, one.to) for channel in one.channels]
        for one in some
        if any(one.is_about(kind) for kind in kinds)
    )
    assert set(keys) == set(meant)


def test_message_ids_never_change() -> None:
    """Receivers detect repeats by message id: a changed id would be a new message."""
    assert str(message_id(EVENT, "mail", "customer")) == "ef2f4449-31af-5474-8b2e-808f4d83f70e"
    assert message_id(EVENT, "mail", "on-call") != message_id(EVENT, "mail", "customer")


def test_only_a_resent_message_gets_a_new_key() -> None:
    first = idempotency_key(EVENT, 0)
    assert first == str(EVENT)
    assert len({first, idempotency_key(EVENT, 1), idempotency_key(EVENT, 2)}) == 3
