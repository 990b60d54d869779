"""How long an order keeps its reservation, and what it wants when it expires."""

from typing import Any

import pytest
from msgspec.structs import replace

from consumers.inventory.policy import Policy
from router.contract.event import Event
from tests.parts.contract.orders import order
from tests.parts.inventory.memory import MemoryShop
from tests.parts.inventory.shop import paid

HOUR = 3600
POLICY = Policy(time_to_live_seconds=HOUR, hold_seconds=HOUR)
FIRST: dict[str, Any] = {"provider_reference": "P-1"}
SECOND: dict[str, Any] = {"provider_reference": "P-2"}


def shop_with(*events: Event, **facts: Any) -> MemoryShop:  # noqa: ANN401 - any field of an order
    shop = MemoryShop(POLICY)
    shop.apply(order(**facts))
    for event in events:
        shop.apply(event)
    return shop


def test_a_second_attempt_that_is_pending_keeps_the_reservation() -> None:
    shop = shop_with(paid("pending", **FIRST), paid("pending", **SECOND))
    shop.apply(paid("failed", None, **FIRST))
    assert shop.status() == "reserved"
    shop.apply(paid(**SECOND))
    assert shop.status() == "committed"


def test_a_second_attempt_after_the_first_failed_reserves_again() -> None:
    shop = shop_with(paid("failed", None, **FIRST))
    assert shop.status() == "released"
    shop.apply(paid("pending", **SECOND))
    assert shop.status() == "reserved"
    assert shop.want() == "reservation"


def test_a_named_payment_that_was_never_reported_keeps_the_reservation() -> None:
    names = [{"provider": "blockatm", "provider_reference": each} for each in ("P-1", "P-2")]
    shop = MemoryShop(POLICY)
    shop.apply(order(payments=names))
    shop.apply(paid("failed", None, **FIRST))
    assert shop.status() == "reserved"


@pytest.mark.parametrize(
    ("event", "cases"),
    [
        (paid("pending"), []),
        (paid(currency="BTC"), ["cannot-compare"]),
        (paid("underpaid", "20"), ["paid-too-little"]),
    ],
    ids=["pending", "cannot compare", "underpaid"],
)
def test_an_open_question_extends_the_reservation_once(event: Event, cases: list[str]) -> None:
    shop = shop_with(event)
    shop.pass_time(HOUR)
    assert shop.status() == "reserved"
    shop.apply(paid("pending", **SECOND))
    shop.pass_time(HOUR - 1)
    assert shop.status() == "reserved"
    shop.pass_time(1)
    assert shop.status() == "lapsed"
    assert shop.cases() == cases
    shop.apply(paid("pending", provider_reference="P-3"))
    assert shop.status() == "lapsed"


def test_without_an_open_question_the_reservation_lapses_at_its_time() -> None:
    shop = shop_with()
    shop.pass_time(HOUR)
    assert shop.status() == "lapsed"


def test_money_for_an_order_without_stock_is_a_case_when_it_expires() -> None:
    shop = shop_with(paid("underpaid", "20"))
    shop.orders = {key: replace(each, status="short") for key, each in shop.orders.items()}
    assert shop.cases() == []
    shop.pass_time(2 * HOUR)
    assert (shop.status(), shop.cases()) == ("short", ["paid-too-little"])


def test_each_lapse_has_a_separate_id() -> None:
    shop = shop_with()
    shop.pass_time(HOUR)
    shop.apply(paid("pending"))
    assert shop.status() == "reserved"
    shop.pass_time(HOUR)
    assert shop.status() == "lapsed"
    lapses = [each.cause.id for each in shop.movements if each.cause.word == "lapse"]
    assert len(set(lapses)) == len(lapses) == 2


@pytest.mark.parametrize("back", ["refunded", "reversed"])
def test_money_given_back_before_its_confirmation_sells_nothing(back: str) -> None:
    shop = shop_with(paid(back), paid())
    assert (shop.status(), shop.want()) == ("released", "nothing")


def test_a_refund_means_the_same_after_the_confirmation() -> None:
    shop = shop_with(paid(), paid("refunded"))
    # The customer has the goods.
    assert (shop.status(), shop.want()) == ("committed", "nothing")


def test_a_refund_that_failed_means_nothing() -> None:
    shop = shop_with(paid("refunded"), paid("refund_failed"), paid())
    assert (shop.status(), shop.want(), shop.cases()) == ("committed", "goods", [])


def test_an_order_paid_again_after_a_refund_wants_goods() -> None:
    shop = shop_with(paid("refunded", **FIRST), paid(**FIRST), paid(**SECOND))
    assert shop.status() == "committed"


def test_a_cancelled_order_wants_nothing_even_if_it_is_paid() -> None:
    before, after = shop_with(), shop_with()
    before.apply(paid(), order("order.cancelled"))
    after.apply(order("order.cancelled"), paid())
    assert (before.status(), after.status()) == ("committed", "cancelled")
    assert before.want() == after.want() == "nothing"
    assert before.cases() == after.cases() == ["cancelled-with-money"]


def test_a_case_closes_with_the_facts_that_settle_it() -> None:
    shop = shop_with(paid(amount="29"))
    assert shop.cases() == ["paid-too-little"]
    shop.apply(paid("overpaid", "30"))
    assert shop.cases() == []
    assert shop.notes[-2:] == ["committed", "case closed"]
