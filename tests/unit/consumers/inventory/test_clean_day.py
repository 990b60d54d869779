"""A day on which everything goes well opens no case: the stream of `payrouter dev --rate`."""

from collections import Counter
from pathlib import Path

from consumers.inventory.policy import Policy
from router.contract.order import Order
from tests.parts.edge.clean_day import clean_day
from tests.parts.inventory.memory import MemoryShop


def test_simulated_traffic_of_every_gateway_opens_no_case(tmp_path: Path) -> None:
    day = clean_day(tmp_path)
    shop = MemoryShop(Policy.model_validate(day.settings.consumers.get("inventory", {})))
    told = [
        each for each in day.records if isinstance(each, Order) or each.type.family == "payment"
    ]
    for start in range(0, len(told), 100):
        shop.apply(*told[start : start + 100])
    assert [each.cases for each in shop.orders.values() if each.cases] == []
    orphans = [
        each for each in shop.payments.values() if each.shown.has_money and not each.order_id
    ]
    assert len(orphans) < 5, "only orders at the end of the day may not be placed yet"
    statuses = Counter(each.status for each in shop.orders.values())
    assert statuses["committed"] > len(shop.orders) / 2
