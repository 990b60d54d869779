"""Gateways and the merchant's platform, played towards a running system."""

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from confluent_kafka import Producer
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from consumers.inventory.setting import stock_up
from consumers.runtime.service import Play
from router.configuration.settings import load_settings
from router.contract.order import OrderType
from router.contract.topics import Topics
from router.contract.wire import encode_order
from router.delivery import Delivery
from router.edge.endpoints import build_endpoints
from router.edge.intake import Endpoint
from router.evaluation.data_dir import DataDir
from router.evaluation.ordering import order_message
from router.evaluation.placed import ARTICLES, bought
from router.evaluation.send import TAMPERS, SimulatedOrder, as_gateway, post, simulate
from router.evaluation.stream import planned_stream
from tests.parts.monitoring.system import System

ACCOUNT: Final = "demo-shop"

_AT_ONCE: Final = 4
_TOPICS: Final = Topics()


@dataclass
class Gateways:
    """Who delivers to the edge, and who places orders."""

    url: str
    endpoints: Mapping[str, Endpoint]
    tokens: Mapping[str, str]
    producer: Producer
    refused: list[int] = field(default_factory=list)
    """Statuses of the deliveries of the stream that were not accepted; 0: no answer."""

    def send(self, endpoint: str, order: SimulatedOrder, at: datetime | None = None) -> int:
        """Deliver an order as its gateway would; return the status of the answer."""
        return self.post(simulate(self.endpoints[endpoint], order, at))

    def forge(self, endpoint: str, order: SimulatedOrder, how: str = "key") -> int:
        """Deliver a forgery; return the status of the answer."""
        return self.post(TAMPERS[how](self.endpoints[endpoint], order))

    def post(self, delivery: Delivery) -> int:
        """Post a delivery; return the status of the answer, 0 if there is none."""
        with contextlib.suppress(OSError):
            return post(self.url, delivery, self.tokens.get(delivery.endpoint)).status
        return 0

    def place(self, order: SimulatedOrder, lines: Sequence[tuple[str, int]]) -> None:
        """Place an order as the platform does."""
        facts = [{"sku": sku, "quantity": number} for sku, number in lines]
        placed = order_message(
            OrderType.PLACED,
            ACCOUNT,
            order.reference,
            lines=facts,
            total=order.amount,
            currency=order.currency,
        )
        record = encode_order(placed, _TOPICS.order)
        self.publish(_TOPICS.order, record.value, record.key, list(record.headers))

    def publish(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        **where: Any,  # noqa: ANN401 - the producer's
    ) -> None:
        """Put a record on a topic without waiting for the acknowledgement."""
        self.producer.produce(topic, value, key, headers=list(headers), **where)
        self.producer.poll(0)

    @contextlib.contextmanager
    def streaming(self, names: Sequence[str], rate: float) -> Iterator[None]:
        """Send a realistic stream while the block runs, even if deliveries are refused."""
        over = threading.Event()
        thread = threading.Thread(target=self._stream, args=(names, rate, over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _stream(self, names: Sequence[str], rate: float, over: threading.Event) -> None:
        endpoints = [self.endpoints[name] for name in names]
        due = time.monotonic()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for planned in planned_stream(endpoints, random.Random(6)):
                if planned.order.kind == "order":
                    self.place(planned.order, bought(planned.order))
                else:
                    pool.submit(self._deliver, planned.endpoint, planned.order)
                due += 1 / rate
                if over.wait(max(0.0, due - time.monotonic())):
                    break
            pool.shutdown(cancel_futures=True)

    def _deliver(self, endpoint: Endpoint, order: SimulatedOrder) -> None:
        status = self.post(simulate(endpoint, order))
        if not 200 <= status < 300:
            self.refused.append(status)


@contextlib.contextmanager
def gateways(system: System) -> Iterator[Gateways]:
    """Play the gateways of every endpoint of a system, with the shelves full."""
    settings = load_settings(system.place.folder / "payrouter.toml", {})
    data_dir = DataDir(system.place.data_dir)
    endpoints = {
        name: as_gateway(endpoint, data_dir.signing_key(name))
        for name, endpoint in build_endpoints(settings).items()
    }
    tokens = {
        name: each.token.get_secret_value()
        for name, each in settings.endpoints.items()
        if each.token is not None
    }
    asyncio.run(_stock_up(system.database_url))
    quiet = logging.getLogger("tests.parts.monitoring.quiet")
    quiet.disabled = True
    producer = Producer({"bootstrap.servers": system.kafka.bootstrap, "linger.ms": 5}, logger=quiet)
    try:
        yield Gateways(system.edge_url, endpoints, tokens, producer)
    finally:
        producer.flush(5)


async def _stock_up(database_url: str) -> None:
    engine = create_async_engine(database_url, poolclass=NullPool)
    try:
        await stock_up(engine, Play([ACCOUNT], ARTICLES), topic=_TOPICS.outcome("inventory"))
    finally:
        await engine.dispose()
