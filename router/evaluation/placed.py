"""The order of the simulated platform: what it costs, its articles, and how it is recognized."""

import zlib
from collections.abc import Sequence
from dataclasses import replace

from router.contract.order import Order, OrderType
from router.edge.intake import Endpoint, events_of
from router.evaluation.ordering import order_message
from router.evaluation.send import SimulatedOrder, simulate

ARTICLES = ("coffee", "mug", "saucer", "teapot")
"""Articles of the simulated orders; not `tea`, whose stock is set by those who try the commands."""


def placed_order(endpoint: Endpoint, gateway: Endpoint, order: SimulatedOrder) -> Order:
    """Return the message that places an order, which costs the amount of its payment.

    `gateway` is the endpoint with the keys that its gateway signs with. If its payments name no
    order, the order names its payment, as a shop does that opens a session at the gateway.
    """
    facts = {
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in bought(order)],
        "total": order.amount,
        "currency": order.currency,
        "payments": _recognized_by(endpoint, gateway, order),
    }
    return order_message(OrderType.PLACED, endpoint.account, order.reference, **facts)


def bought(order: SimulatedOrder) -> Sequence[tuple[str, int]]:
    """Return the articles of a simulated order and the quantity of each."""
    number = zlib.crc32(order.reference.encode())
    articles = {ARTICLES[number % 4], ARTICLES[number // 4 % 4]}
    return [(sku, 1 + number // 16 % 3) for sku in sorted(articles)]


def _recognized_by(
    endpoint: Endpoint, gateway: Endpoint, order: SimulatedOrder
) -> Sequence[dict[str, str | None]]:
    delivery = simulate(gateway, replace(order, type="payment.confirmed"))
    event = events_of(endpoint.provider.verify(delivery, endpoint.keys), endpoint)[0]
    if event.reference is not None:
        return ()
    return [{"provider": event.provider, "provider_reference": event.provider_reference}]
