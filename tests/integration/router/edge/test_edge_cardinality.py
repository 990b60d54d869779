"""Ten thousand orders add no series to `/metrics`."""

from tests.parts.brokers import Broker
from tests.parts.edge.any_requests import ORDERS, counting_edge, kept, orders


async def test_ten_thousand_orders_add_not_one_series(broker: Broker, topics_prefix: str) -> None:
    async with counting_edge(broker, topics_prefix) as edge:
        statuses = await kept(edge, orders())
        counted = await edge.counted()

    assert set(statuses) <= {200, 204}
    assert sum(n for (_, outcome), n in counted.items() if outcome == "accepted") >= ORDERS
