"""The merchant's own parameters in a callback URL, among those that BlockBee adds to it."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from router.errors import NotUnderstood, Reason
from router.providers.blockbee import _meaning
from router.providers.blockbee._options import FIELDS
from router.providers.blockbee._reference import order_query
from tests.parts.providers.blockbee_deliveries import (
    CHECKOUT,
    CONFIRMED,
    DEPOSIT,
    PAYOUT,
    PENDING,
    SUBSCRIPTION,
    bee,
    event_of,
    got,
    posted,
    posted_bytes,
)

_MESSAGES = (PENDING, CONFIRMED, CHECKOUT, DEPOSIT, SUBSCRIPTION, PAYOUT)


@pytest.mark.parametrize("name", ["coin", "uuid", "value_coin", "pending", "address_in"])
def test_a_name_with_two_values_is_kept_on_quarantine_and_named(name: str) -> None:
    for delivery in (got(CONFIRMED, f"{name}=other"), got(CONFIRMED, f"{name}=a&{name}=b")):
        with pytest.raises(NotUnderstood, match=f"{name}: stands") as refused:
            event_of(delivery)
        assert refused.value.reason is Reason.AMBIGUOUS


@pytest.mark.parametrize("name", sorted(CONFIRMED))
def test_a_name_with_one_value_twice_is_clear(name: str) -> None:
    expected = event_of(got(CONFIRMED))

    assert event_of(got(CONFIRMED, f"{name}={CONFIRMED[name]}")).id == expected.id


def test_a_name_that_this_message_does_not_have_may_stand_twice() -> None:
    event = event_of(got(CONFIRMED, "price=1&user=1&user=2&subscription_url=x&subscription_url=y"))

    assert event.id == event_of(got(CONFIRMED)).id


def test_no_order_of_the_parameters_makes_another_amount_of_it() -> None:
    for query in ("value_coin=9", "value_coin=9&value_coin=0.05"):
        with pytest.raises(NotUnderstood, match="value_coin"):
            event_of(got(CONFIRMED, query))


def test_a_form_with_a_field_twice_is_the_event_only_where_both_agree() -> None:
    body = posted(CONFIRMED).body

    assert event_of(posted_bytes(body + b"&coin=btc")).currency == "BTC"
    with pytest.raises(NotUnderstood, match="coin: stands 2 times"):
        event_of(posted_bytes(body + b"&coin=eth"))


def test_of_several_order_numbers_the_one_that_we_wrote_is_the_order_s() -> None:
    ours = order_query(bee().endpoint, "A-1")

    for query in (f"{ours}&order_id=B-2", f"order_id=B-2&{ours}", f"{ours}&order_id_mac=x"):
        assert event_of(got(CONFIRMED, query)).reference == "A-1"
        assert event_of(posted(CONFIRMED, query)).reference == "A-1"


def test_several_order_numbers_none_of_which_is_proved_are_ambiguous_where_the_url_is_signed() -> (
    None
):
    query = "order_id=A-1&order_id=B-2"

    with pytest.raises(NotUnderstood, match="order_id: stands 2 times"):
        event_of(got(CONFIRMED, query))
    assert event_of(posted(CONFIRMED, query)).reference is None
    assert event_of(got(CONFIRMED, "order_id=A-1&order_id=A-1")).reference == "A-1"


def test_two_proved_order_numbers_are_none_on_post_and_ambiguous_on_get() -> None:
    query = "&".join(order_query(bee().endpoint, order) for order in ("A-1", "B-2"))

    assert event_of(posted(CONFIRMED, query)).reference is None
    with pytest.raises(NotUnderstood, match="order_id"):
        event_of(got(CONFIRMED, query))


def test_a_parameter_of_the_merchant_s_in_another_encoding_does_not_stop_the_money() -> None:
    for query in ("name=caf%E9", "name=caf\xe9"):
        assert event_of(got(CONFIRMED, query)).amount == event_of(got(CONFIRMED)).amount


def test_a_field_that_is_read_has_to_be_utf_8() -> None:
    for spoilt in (b"coin=%ff", b"coin=\xff"):
        body = posted(CONFIRMED).body.replace(b"coin=btc", spoilt)
        with pytest.raises(NotUnderstood, match="coin"):
            event_of(posted_bytes(body))


def test_every_field_that_is_read_or_sent_is_refused_as_a_parameter_of_ours() -> None:
    source = Path(_meaning.__file__).read_text(encoding="utf-8")
    read = set(re.findall(r'fields\.\w+\("(\w+)"\)', source))

    assert len(read) > 10
    assert read <= FIELDS
    assert {name for message in _MESSAGES for name in message} <= FIELDS
    assert bee().reserved >= FIELDS | {"order_id", "order_id_mac"}


@pytest.mark.parametrize("message", [CONFIRMED, CHECKOUT, DEPOSIT, SUBSCRIPTION])
def test_a_parameter_with_the_id_of_a_test_payout_makes_no_test_of_another_message(
    message: Mapping[str, object],
) -> None:
    plain = event_of(got(message))
    event = event_of(got(message, "id=00000000-0000-0000-0000-000000000000"))

    assert event.test is plain.test
    assert event.test is not True


@pytest.mark.parametrize("before", ["", " \r\n", "\ufeff", "\ufeff ", "["])
def test_the_pairs_within_a_text_of_json_are_no_form(before: str) -> None:
    pairs = "&".join(f"{name}={value}" for name, value in CONFIRMED.items())
    body = f'{before}{{"note":"&{pairs}&"}}'.encode()

    with pytest.raises(NotUnderstood) as refused:
        event_of(posted_bytes(body))
    assert refused.value.reason is Reason.CONTENT_TYPE
