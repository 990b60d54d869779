"""Orders of the simulated platform."""

from router.edge.intake import Endpoint
from router.evaluation.placed import ARTICLES, bought, placed_order
from router.evaluation.send import SimulatedOrder
from router.providers import Key, discover

KEY = Key(b"a-secret-of-32-characters-0123456", "fp:test")


def _endpoint(provider: str) -> Endpoint:
    return Endpoint(provider, "shop-eu", discover()[provider], [KEY], None, 2.5)


def _order(number: int = 1) -> SimulatedOrder:
    return SimulatedOrder("order.placed", f"ORD-{number}", "30.00", "USDT")


def test_articles_are_derived_from_the_order() -> None:
    orders = [_order(number) for number in range(500)]
    lines = [line for order in orders for line in bought(order)]
    assert {sku for sku, _ in lines} == set(ARTICLES)
    assert {quantity for _, quantity in lines} == {1, 2, 3}
    assert bought(orders[0]) == bought(orders[0])


def test_an_order_costs_what_is_paid_and_is_recognized_by_its_number() -> None:
    shop = _endpoint("blockatm")
    placed = placed_order(shop, shop, _order())
    assert (placed.account, placed.reference) == ("shop-eu", "ORD-1")
    assert (str(placed.total), placed.currency) == ("30.00", "USDT")
    assert placed.payments == ()


def test_an_order_names_the_payment_of_a_gateway_that_names_no_order() -> None:
    shop = _endpoint("resmic")
    (payment,) = placed_order(shop, shop, _order()).payments
    (again,) = placed_order(shop, shop, _order()).payments
    assert payment.provider == "resmic"
    assert payment.provider_reference == again.provider_reference is not None
