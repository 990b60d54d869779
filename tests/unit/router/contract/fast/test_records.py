"""Events without pydantic: the same events and the same records, or none."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime, ValidationError, computed_field

from router.contract import wire
from router.contract.amounts import Amount, SignedAmount, amount_text
from router.contract.event import (
    EVENT_NAMESPACE,
    MONEY,
    Customer,
    Event,
    EventType,
    Raw,
    Verification,
    event_id,
)
from router.contract.fast.decoding import model_of
from router.contract.fast.events import plain_event
from router.contract.fast.records import encode_event, encoded
from router.contract.fields import MAX_TEXT, Text
from router.contract.identity import canonical
from tests.parts.contract.events import ID, event

_TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
_AT = datetime(2026, 11, 22, 10, 0, 0, 120000, tzinfo=UTC)
_ELSEWHERE = timezone(timedelta(hours=2, minutes=30))

_TEXTS = st.sampled_from(
    [
        *("A-1", "x", "", "Zoë 😀", 'q"\\/', "x" * MAX_TEXT, "x" * (MAX_TEXT + 1), "\u2028", " "),
        *("line\n", "\x00", "\x7f", "\x85", "\ud83d"),
    ]
)
_AMOUNTS = st.sampled_from(
    [
        *map(
            Decimal,
            (
                *("0", "-0", "0.00", "-0.0", "1", "-1", "-0.10", "100.50", "0.000001", "0.0000001"),
                *("0E-18", "0E-19", "0E+3", "0E+40", "1E+3", "1E+19", "1E+20", "1E-18", "1E-19"),
                *("9" * 20, "9" * 21, "0." + "1" * 18, "1." + "0" * 20, "NaN", "-NaN", "sNaN"),
                *("Infinity", "1E+999999", "1E-999999", "0E+999999", "0E-999999"),
            ),
        ),
        *("1", "1.50", "", 1, 1.5, True),
    ]
)
_MOMENTS = st.sampled_from(
    [
        *(_AT, _AT.replace(microsecond=0), _AT.replace(microsecond=1), _AT.astimezone(_ELSEWHERE)),
        *(_AT.replace(tzinfo=None), datetime(1, 1, 1, tzinfo=UTC), "2026-11-22T10:00:00Z", 1),
    ]
)
_RAW = Raw(
    method="POST",
    target="/webhooks/a?b=é",
    headers={"b": "x", "a": '"'},
    body='{"a":"\\n"}\x00é😀',
    body_encoding="utf-8",
)
_FLAGS = st.sampled_from([True, False, 1, "true"])
_IDS = st.sampled_from([ID, str(ID), "A-1"])
_OTHERS: Mapping[str, st.SearchStrategy[object]] = {
    "id": _IDS,
    "raw_event": _IDS,
    "type": st.sampled_from([*EventType, "payment.confirmed", "payment.unknown"]),
    "customer": st.sampled_from([Customer(), Customer(id="é"), {"id": "x"}, {"id": ""}]),
    "unread": st.sampled_from([(), [], ("a",), ["a"], ("a", ""), ("a", 1), "a"]),
    "verification": st.sampled_from([event().verification, {"scheme": "x", "key": "y"}, "x"]),
    "raw": st.sampled_from([_RAW, _RAW.model_dump(), {}]),
    **dict.fromkeys(("amount_claimed", "price_met", "test"), _FLAGS),
    **dict.fromkeys(("occurred_at", "received_at"), _MOMENTS),
    **dict.fromkeys((amount for amount, _ in MONEY), _AMOUNTS),
    "no_field": st.just("x"),
}
_GOOD: Mapping[str, Any] = {
    "id": ID,
    "type": EventType.PAYMENT_CONFIRMED,
    "provider": "blockatm",
    "endpoint": "blockatm-main",
    "account": "shop é",
    "reference": "A-1",
    "amount": Decimal("0.0000001"),
    "currency": "BTC",
    "received_at": _AT,
    "unread": ("tx_hash",),
    "verification": Verification(scheme="x", key="fp:1"),
    "raw": _RAW,
}
_CHANGE = st.sampled_from([*Event.model_fields, "no_field"]).flatmap(
    lambda name: st.tuples(st.just(name), st.none() | _OTHERS.get(name, _TEXTS))
)


def _facts(changes: list[tuple[str, object]], left_out: set[str]) -> dict[str, object]:
    facts = {**_GOOD, **dict(changes)}
    return {name: fact for name, fact in facts.items() if name not in left_out}


def _is_the_same(first: Event, second: Event) -> bool:
    return repr(first) == repr(second) and first.model_fields_set == second.model_fields_set


_KNOWN_RULES: Sequence[object] = (
    *(UUID, EventType, Text, Amount, bool, Customer, AwareDatetime, tuple[Text, ...]),
    *(Verification, Raw),
)


def _rule(hint: Any) -> object:  # noqa: ANN401 - a type with its rules
    """Return what a field accepts, without its description and null."""
    accepted, *rules = get_args(hint)
    if rules[:-1]:
        return Annotated[accepted, *rules[:-1]]
    if get_origin(accepted) not in {UnionType, Union}:
        return accepted
    (one,) = [each for each in get_args(accepted) if each is not type(None)]
    return one


def test_every_field_of_an_event_has_a_rule_that_the_shorter_way_knows() -> None:
    rules = {
        name: _rule(hint) for name, hint in Event.__annotations__.items() if name != "model_config"
    }

    assert rules.keys() == Event.model_fields.keys()
    assert {name for name, rule in rules.items() if rule == SignedAmount} == {"fee"}
    unknown = {name: rule for name, rule in rules.items() if rule not in _KNOWN_RULES}
    # An event that an operator recorded takes the general way.
    assert unknown.keys() == {"fee", "recorded"}


@given(st.lists(_CHANGE, max_size=4), st.sets(st.sampled_from(list(_GOOD)), max_size=1))
def test_an_event_made_without_pydantic_is_the_one_that_pydantic_makes(
    changes: list[tuple[str, object]], left_out: set[str]
) -> None:
    facts = _facts(changes, left_out)

    made = plain_event(facts)

    if made is not None:
        judged = Event.model_validate(facts)
        assert _is_the_same(made, judged)
        record = encode_event(made, "t.payment", _TRACE)
        assert record == wire.encode_event(judged, "t.payment", _TRACE)


def test_plain_facts_take_the_shorter_way() -> None:
    made = plain_event(_GOOD)

    assert made is not None
    assert _is_the_same(made, Event.model_validate(_GOOD))
    assert encoded(made) == wire.encode_event(made, "t", _TRACE).value


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        *(("reference", None), ("currency", None), ("movement_amount", Decimal(1))),
        *(("gas", Decimal(1)), ("fee", Decimal(1)), ("fee_returned", Decimal(1))),
        *(("expected_amount", Decimal(1)), ("converted", Decimal(1))),
        *(("provider", None), ("received_at", None), ("id", None), ("verification", None)),
        *(("amount", Decimal(-1)), ("amount", Decimal("NaN")), ("amount", Decimal("1E-19"))),
        *(("account", ""), ("account", "\n"), ("account", "x" * (MAX_TEXT + 1)), ("account", 1)),
        *(("unread", ("",)), ("unread", ("\x7f",)), ("type", "payment.unknown")),
        ("occurred_at", _AT.replace(tzinfo=None)),
    ],
)
def test_an_invalid_fact_is_left_to_pydantic(name: str, fact: object) -> None:
    facts = {**_GOOD, name: fact}

    assert plain_event(facts) is None
    with pytest.raises(ValidationError):
        Event.model_validate(facts)


@pytest.mark.parametrize("name", sorted(name for name in _GOOD if name not in {"amount", "raw"}))
def test_no_fact_of_one_event_gets_into_another(name: str) -> None:
    assert plain_event(_GOOD) is not None

    made = plain_event({each: fact for each, fact in _GOOD.items() if each != name})

    assert made is None or getattr(made, name) in {None, ()}


class _Extended(Event):
    """An event of a provider outside this project."""

    shop: str = "eu"


class _Computed(Event):
    """An event of a provider outside this project, with a member that is not stored."""

    @computed_field  # type: ignore[prop-decorator] # documented by pydantic
    @property
    def shop(self) -> str:
        """The shop."""
        return "eu"


@pytest.mark.parametrize(
    "given_event",
    [
        _Extended.model_validate({**event().model_dump(), "received_at": _AT}),
        _Computed.model_validate({**event().model_dump(), "received_at": _AT}),
        event(received_at=_AT.astimezone(_ELSEWHERE)),
        event(occurred_at="2026-11-22T10:00:00Z"),
    ],
    ids=["subclass", "computed", "another zone", "zone of pydantic"],
)
def test_an_event_that_only_pydantic_can_write_is_written_by_pydantic(given_event: Event) -> None:
    assert encoded(given_event) is None
    record = encode_event(given_event, "t", _TRACE)
    assert record == wire.encode_event(given_event, "t", _TRACE)


@pytest.mark.parametrize(
    "update", [{"price_met": 1.0}, {"unread": ["a"]}, {"customer": {}}, {"amount": "1.00"}]
)
def test_a_copy_with_facts_of_another_type_is_left_to_pydantic(update: dict[str, object]) -> None:
    copied = event(received_at=_AT).model_copy(update=update)

    assert encoded(copied) is None


def test_fields_in_another_order_are_left_to_pydantic() -> None:
    made = event(received_at=_AT)
    turned = model_of(Event, dict(reversed(vars(made).items())), made.model_fields_set)

    assert turned == made
    assert encoded(turned) is None


def test_an_event_of_an_operator_is_left_to_pydantic() -> None:
    assert plain_event({**_GOOD, "provider": "operator"}) is None


def test_an_event_of_another_provider_has_the_same_record() -> None:
    facts = {**event().model_dump(), "received_at": _AT, "raw": _RAW, "fee": "-0.10"}
    theirs = Event.model_validate({**facts, "fee_currency": "USDT", "movement": "m"})

    assert encoded(theirs) is not None
    assert encode_event(theirs, "t", _TRACE) == wire.encode_event(theirs, "t", _TRACE)


def test_a_text_that_utf_8_cannot_encode_fails_as_before() -> None:
    raw = _RAW.model_copy(update={"body": "\ud83d"})
    broken = event(received_at=_AT).model_copy(update={"raw": raw})

    with pytest.raises(UnicodeEncodeError):
        encode_event(broken, "t", _TRACE)


def test_every_character_is_written_as_before() -> None:
    text = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))

    assert (
        canonical([text, None])
        == json.dumps([text, None], ensure_ascii=False, separators=(",", ":")).encode()
    )


@given(st.lists(_TEXTS.filter(lambda text: "\ud83d" not in text), min_size=1, max_size=4))
def test_an_event_id_is_a_uuid_of_version_5(identity: list[str]) -> None:
    name = json.dumps(["p", "a", *identity], ensure_ascii=False, separators=(",", ":"))

    assert event_id("p", "a", *identity) == uuid5(EVENT_NAMESPACE, name)


def test_a_huge_exponent_is_not_written_out() -> None:
    assert plain_event({**_GOOD, "amount": Decimal("1E+999999999")}) is None
    assert len(amount_text(Decimal("1E+19"))) == 20
