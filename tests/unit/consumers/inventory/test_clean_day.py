"""A day on which everything goes well opens no case: the stream of `payrouter dev --rate`."""

import random
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from consumers.inventory.policy import Policy
from router.configuration.settings import load_settings
from router.contract.event import Event
from router.contract.order import Order
from router.edge.endpoints import build_endpoints
from router.edge.intake import Endpoint, events_of
from router.evaluation.data_dir import DataDir
from router.evaluation.send import as_gateway, simulate
from router.evaluation.stream import PlannedDelivery, bought, planned_stream
from router.providers import examples
from tests.parts.contract.orders import order
from tests.parts.inventory.memory import MemoryShop

DELIVERIES = 1500


def messages(planned: PlannedDelivery, endpoint: Endpoint) -> list[Event | Order]:
    """Return the records that a planned delivery becomes."""
    account, simulated = planned.endpoint.account, planned.order
    if simulated.kind == "order":
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in bought(simulated)]
        facts = {"reference": simulated.reference, "total": simulated.amount}
        return [order(account=account, lines=lines, currency=simulated.currency, **facts)]
    delivery = simulate(planned.endpoint, simulated, datetime.now(UTC))
    verified = endpoint.provider.verify(delivery, endpoint.keys)
    return [each for each in events_of(verified, endpoint) if each.type.family == "payment"]


def test_simulated_traffic_of_every_gateway_opens_no_case(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path)
    address = {"PAYROUTER_EDGE__PUBLIC_URL": "https://pay.example.com"}
    settings = load_settings(data_dir.generate(examples()), address)
    endpoints = build_endpoints(settings)
    gateways = [as_gateway(each, data_dir.signing_key(n)) for n, each in endpoints.items()]
    shop = MemoryShop(Policy.model_validate(settings.consumers.get("inventory", {})))
    stream = islice(planned_stream(gateways, random.Random(3)), DELIVERIES)
    told = [each for one in stream for each in messages(one, endpoints[one.endpoint.name])]
    for start in range(0, len(told), 100):
        shop.apply(*told[start : start + 100])
    assert [each.cases for each in shop.orders.values() if each.cases] == []
    statuses = Counter(each.status for each in shop.orders.values())
    assert statuses["committed"] > len(shop.orders) / 2
