"""Every signed body becomes an event, a quarantined delivery, or unreadable; amounts are exact."""

import dataclasses
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.contract.amounts import parse_amount, value_text
from router.contract.event import Event
from router.delivery import VerifiedDelivery
from router.errors import IgnoredEvent, NotUnderstood, RefusedDelivery
from tests.conformance import kit
from tests.conformance.kit import PAID, Case
from tests.parts.examples import examples

_EXAMPLES = examples(60)

_TEXTS = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="0123456789.eE+-", max_size=40),
    st.sampled_from(["payment.confirmed", "SUCCESS", "confirmed", "1", "0", "\u0000", "9" * 400]),
)
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_TEXTS, inner, max_size=3)
    ),
    max_leaves=8,
)
_WHOLE = st.integers(min_value=0, max_value=9 * 10**19)
_AMOUNTS = st.one_of(
    _WHOLE.map(str),
    st.builds(
        lambda whole, digits: f"{whole}.{digits}",
        _WHOLE,
        st.text(alphabet="0123456789", min_size=1, max_size=18),
    ),
    st.sampled_from(
        ["0.000000000000000001", str(2**64), str(2**64 + 1), "18446744073709551617.1", "1.10"]
    ),
)


def _confirmed() -> list[Case]:
    return [case for case in kit.cases() if case.status in PAID]


def _everyday() -> list[Case]:
    found: dict[tuple[str, str, str | None], Case] = {}
    for case in kit.cases():
        found.setdefault((case.provider, case.kind, case.variant), case)
    return list(found.values())


def _as_if_signed(case: Case, words: bytes) -> VerifiedDelivery:
    verified = kit.genuine(case)
    return dataclasses.replace(verified, delivery=kit.saying(verified.delivery, words))


def _outcome(case: Case, words: bytes) -> None:
    """Normalize, and check the guarantees of an event; any other exception is a bug."""
    own = kit.side(case.provider)
    try:
        events = own.provider.normalize(_as_if_signed(case, words))
    except (NotUnderstood, RefusedDelivery, IgnoredEvent):
        return
    for event in events:
        assert Event.model_validate_json(event.model_dump_json()).id == event.id
        if kit.has_sum(case.provider, event.type.family, event.type.status):
            assert event.amount is not None
            assert event.currency is not None


@pytest.mark.parametrize("case", _everyday(), ids=str)
@_EXAMPLES
@given(words=st.binary(max_size=400))
def test_any_signed_bytes_are_handled(case: Case, words: bytes) -> None:
    _outcome(case, words)


@pytest.mark.parametrize("case", _everyday(), ids=str)
@_EXAMPLES
@given(data=st.data())
def test_any_member_of_a_genuine_body_may_be_anything(case: Case, data: st.DataObject) -> None:
    genuine = kit.said(kit.genuine(case).delivery)
    try:
        members: Any = json.loads(genuine)
    except ValueError:
        # A form: any pair of it may be anything.
        pairs = genuine.split(b"&")
        which = data.draw(st.integers(0, len(pairs) - 1))
        pairs[which] = pairs[which].partition(b"=")[0] + b"=" + data.draw(st.binary(max_size=30))
        _outcome(case, b"&".join(pairs))
        return
    place = members
    while True:
        name = data.draw(st.sampled_from(sorted(place)))
        inner = place[name]
        if not isinstance(inner, dict) or not data.draw(st.booleans()):
            break
        place = inner
    place[name] = data.draw(_JSON)
    _outcome(case, json.dumps(members).encode())


@pytest.mark.parametrize("case", _confirmed(), ids=str)
@_EXAMPLES
@given(amount=_AMOUNTS)
def test_amount_keeps_all_its_digits(case: Case, amount: str) -> None:
    own = kit.side(case.provider)

    for event in own.normalized(own.made(case, amount=amount)):
        if event.amount is None:
            assert not kit.has_sum(case.provider, event.type.family, event.type.status)
            continue
        assert event.amount is not None
        assert event.amount == Decimal(amount) == parse_amount(amount)
        written = json.loads(event.model_dump_json())["amount"]
        assert isinstance(written, str)
        assert Decimal(written) == Decimal(amount)
        assert value_text(Decimal(written)) == value_text(Decimal(amount))
