"""Customers, gateways and the merchant's platform, towards a deployment behind a proxy."""

import asyncio
import http.client
import itertools
import logging
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from confluent_kafka import Producer
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from consumers.inventory.setting import stock_up
from consumers.runtime.service import Play
from router.configuration.settings import load_settings
from router.contract.topics import Topics
from router.contract.wire import encode_order
from router.delivery import Delivery
from router.edge.endpoints import build_endpoints
from router.edge.intake import Endpoint
from router.evaluation.data_dir import DataDir
from router.evaluation.placed import ARTICLES, bought, placed_order
from router.evaluation.send import TAMPERS, SimulatedOrder, as_gateway, post, simulate

ACCOUNT: Final = "demo-shop"
CUSTOMER: Final = "127.0.0.2"
"""The source of a forgery: another address than the proxy's."""

_AGAIN_SECONDS: Final = 0.5
_GIVE_UP_SECONDS: Final = 120.0


@dataclass
class Shop:
    """What is sold, and who delivers it."""

    url: str
    endpoints: Mapping[str, Endpoint]
    gateways: Mapping[str, Endpoint]
    tokens: Mapping[str, str]
    topics: Topics
    producer: Producer
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    events: int = 0
    """Different events that were accepted."""
    paid: Decimal = Decimal()
    orders: int = 0
    sold: Counter[str] = field(default_factory=Counter)
    again: int = 0
    """Deliveries that were refused and sent again, as a gateway does."""

    def sell(self, gateway: str) -> str:
        """Place an order and deliver its payment twice, as its gateway might."""
        order = self._order(f"{gateway}-{next(self.numbers)}")
        self._place(gateway, order)
        if "pending" in self.endpoints[gateway].provider.kinds["payment"]:
            self._deliver(gateway, _as(order, "payment.pending"))
        paid = simulate(self.gateways[gateway], order)
        for delivery in (paid, paid):
            self._post(delivery)
        self.events += 1
        self.orders += 1
        self.paid += Decimal(order.amount)
        self.sold.update(dict(bought(order)))
        return order.reference

    def pay_out(self, gateway: str) -> None:
        """Deliver a payout as its gateway would."""
        self._deliver(gateway, _as(self._order(f"out-{next(self.numbers)}"), "payout.confirmed"))

    def forge(self, gateway: str) -> int:
        """Deliver a forgery from another address, and return the status of the answer."""
        made = TAMPERS["key"](self.gateways[gateway], self._order("forged"))
        url = urlsplit(self.url)
        line = http.client.HTTPConnection(
            str(url.hostname), url.port, timeout=30, source_address=(CUSTOMER, 0)
        )
        line.request(made.method, made.target, made.body, dict(made.headers))
        status = line.getresponse().status
        line.close()
        return status

    def _order(self, name: str) -> SimulatedOrder:
        amount = f"{random.Random(name).randrange(500, 50_000) / 100:.2f}"
        return SimulatedOrder("payment.confirmed", name, amount, "USDT")

    def _deliver(self, gateway: str, order: SimulatedOrder) -> None:
        self._post(simulate(self.gateways[gateway], order))
        self.events += 1

    def _post(self, delivery: Delivery) -> None:
        deadline = time.monotonic() + _GIVE_UP_SECONDS
        while not self._accepted(delivery):
            assert time.monotonic() < deadline, f"{delivery.endpoint} is not accepted"
            self.again += 1
            time.sleep(_AGAIN_SECONDS)

    def _accepted(self, delivery: Delivery) -> bool:
        try:
            return post(self.url, delivery, self.tokens.get(delivery.endpoint)).kept
        except OSError:
            return False

    def _place(self, gateway: str, order: SimulatedOrder) -> None:
        placed = placed_order(self.endpoints[gateway], self.gateways[gateway], order)
        record = encode_order(placed, self.topics.order)
        self.producer.produce(record.topic, record.value, record.key, headers=list(record.headers))
        self.producer.flush(30)


def _as(order: SimulatedOrder, kind: str) -> SimulatedOrder:
    return SimulatedOrder(kind, order.reference, order.amount, order.currency)


def opened(
    url: str, configuration: Path, gateways: DataDir, environ: Mapping[str, str], bootstrap: str
) -> Shop:
    """Return a shop for the endpoints of a configuration; the broker is without passwords."""
    settings = load_settings(configuration, environ)
    endpoints = build_endpoints(settings)
    tokens = {
        name: each.token.get_secret_value()
        for name, each in settings.endpoints.items()
        if each.token is not None
    }
    signing = {n: as_gateway(each, gateways.signing_key(n)) for n, each in endpoints.items()}
    quiet = logging.getLogger("tests.parts.platform.quiet")
    quiet.disabled = True
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5}, logger=quiet)
    return Shop(url, endpoints, signing, tokens, settings.topics.topics(), producer)


async def stocked(database_url: str, topic: str) -> None:
    """Fill the shelves."""
    engine = create_async_engine(database_url, poolclass=NullPool)
    try:
        await stock_up(engine, Play([ACCOUNT], ARTICLES), topic=topic)
    finally:
        await engine.dispose()


def fill(database_url: str, topics: Topics) -> None:
    """Fill the shelves, from a thread without an event loop."""
    asyncio.run(stocked(database_url, topics.outcome("inventory")))
