"""The merchant's own parameters in a callback URL, next to those that BlockBee adds."""

import inspect
import re
from collections.abc import Mapping

import pytest

from router.errors import NotUnderstood, Reason
from router.providers.blockbee import _meaning, _money
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
def test_parameter_with_two_values_goes_to_quarantine_and_is_named(name: str) -> None:
    for delivery in (got(CONFIRMED, f"{name}=other"), got(CONFIRMED, f"{name}=a&{name}=b")):
        with pytest.raises(NotUnderstood, match=f"{name}: occurs") as refused:
            event_of(delivery)
        assert refused.value.reason is Reason.AMBIGUOUS


@pytest.mark.parametrize("name", sorted(CONFIRMED))
def test_repeated_parameter_with_equal_values_is_accepted(name: str) -> None:
    expected = event_of(got(CONFIRMED))

    assert event_of(got(CONFIRMED, f"{name}={CONFIRMED[name]}")).id == expected.id


def test_repeated_parameter_of_another_kind_is_ignored() -> None:
    event = event_of(got(CONFIRMED, "price=1&user=1&user=2&subscription_url=x&subscription_url=y"))

    assert event.id == event_of(got(CONFIRMED)).id


def test_amount_does_not_depend_on_the_order_of_parameters() -> None:
    for query in ("value_coin=9", "value_coin=9&value_coin=0.05"):
        with pytest.raises(NotUnderstood, match="value_coin"):
            event_of(got(CONFIRMED, query))


def test_form_with_a_repeated_field_is_an_event_only_if_both_agree() -> None:
    body = posted(CONFIRMED).body

    assert event_of(posted_bytes(body + b"&coin=btc")).currency == "BTC"
    with pytest.raises(NotUnderstood, match="coin: occurs 2 times"):
        event_of(posted_bytes(body + b"&coin=eth"))


def test_of_several_order_numbers_the_one_with_a_valid_hmac_is_used() -> None:
    ours = order_query(bee().endpoint, "A-1")

    for query in (f"{ours}&order_id=B-2", f"order_id=B-2&{ours}", f"{ours}&order_id_mac=x"):
        assert event_of(got(CONFIRMED, query)).reference == "A-1"
        assert event_of(posted(CONFIRMED, query)).reference == "A-1"


def test_several_order_numbers_without_hmac_are_ambiguous_in_a_signed_url() -> None:
    query = "order_id=A-1&order_id=B-2"

    with pytest.raises(NotUnderstood, match="order_id: occurs 2 times"):
        event_of(got(CONFIRMED, query))
    assert event_of(posted(CONFIRMED, query)).reference is None
    assert event_of(got(CONFIRMED, "order_id=A-1&order_id=A-1")).reference == "A-1"


def test_two_order_numbers_with_valid_hmac_are_ignored_on_post_and_ambiguous_on_get() -> None:
    query = "&".join(order_query(bee().endpoint, order) for order in ("A-1", "B-2"))

    assert event_of(posted(CONFIRMED, query)).reference is None
    with pytest.raises(NotUnderstood, match="order_id"):
        event_of(got(CONFIRMED, query))


def test_merchant_parameter_in_another_encoding_does_not_prevent_a_payment() -> None:
    for query in ("name=caf%E9", "name=caf\xe9"):
        assert event_of(got(CONFIRMED, query)).amount == event_of(got(CONFIRMED)).amount


def test_used_field_must_be_utf_8() -> None:
    for spoilt in (b"coin=%ff", b"coin=\xff"):
        body = posted(CONFIRMED).body.replace(b"coin=btc", spoilt)
        with pytest.raises(NotUnderstood, match="coin"):
            event_of(posted_bytes(body))


def test_every_blockbee_field_is_refused_as_our_parameter() -> None:
    source = "".join(inspect.getsource(module) for module in (_meaning, _money))
    read = set(re.findall(r'fields\.\w+\("(\w+)"\)', source))

    assert len(read) > 10
    assert read <= FIELDS
    assert {name for message in _MESSAGES for name in message} <= FIELDS
    assert bee().reserved >= FIELDS | {"order_id", "order_id_mac"}


@pytest.mark.parametrize("message", [CONFIRMED, CHECKOUT, DEPOSIT, SUBSCRIPTION])
def test_parameter_with_the_id_of_a_test_payout_does_not_mark_test_money(
    message: Mapping[str, object],
) -> None:
    plain = event_of(got(message))
    event = event_of(got(message, "id=00000000-0000-0000-0000-000000000000"))

    assert event.test is plain.test
    assert event.test is not True


@pytest.mark.parametrize("before", ["", " \r\n", "\ufeff", "\ufeff ", "["])
def test_pairs_within_json_text_are_not_read_as_a_form(before: str) -> None:
    pairs = "&".join(f"{name}={value}" for name, value in CONFIRMED.items())
    body = f'{before}{{"note":"&{pairs}&"}}'.encode()

    with pytest.raises(NotUnderstood) as refused:
        event_of(posted_bytes(body))
    assert refused.value.reason is Reason.CONTENT_TYPE
