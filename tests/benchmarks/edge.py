"""The edge against a bare application on the same server: what the promises cost."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from router.configuration.settings import Settings
from router.delivery import Delivery
from router.edge.endpoints import build_endpoints
from router.evaluation.send import SimulatedOrder, simulate
from router.telemetry.management import listen, serving
from tests.benchmarks.load import requests_per_second
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import ready_edge

DELIVERIES = 4000


async def measure(broker: Broker, prefix: str) -> dict[str, float]:
    """Return deliveries a second: bare, and verified, published and acknowledged."""
    async with ready_edge(broker.bootstrap, prefix) as edge:
        # One line per delivery as in production, but into nothing.
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        edge.clock.now = datetime.now(UTC)
        requests = requests_of(edge.settings, DELIVERIES * 2)
        await requests_per_second(edge.port, requests[:DELIVERIES], b"HTTP/1.1 200")
        kept = await requests_per_second(edge.port, requests[DELIVERIES:], b"HTTP/1.1 200")
    listener = listen("127.0.0.1", 0)
    async with serving(_bare, listener, lifespan="off"):
        port = listener.getsockname()[1]
        bare = await requests_per_second(port, requests[:DELIVERIES], b"HTTP/1.1 200")
    return {"bare": bare, "edge": kept}


async def _bare(
    _scope: Any,  # noqa: ANN401 - ASGI
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"OK"})


def requests_of(settings: Settings, count: int) -> list[bytes]:
    """Make deliveries of as many orders, signed now."""
    endpoint = build_endpoints(settings)["shop"]
    orders = (SimulatedOrder("payment.confirmed", f"B-{n}", "100.50", "USDT") for n in range(count))
    return [_request(simulate(endpoint, order)) for order in orders]


def _request(delivery: Delivery) -> bytes:
    lines = [f"POST {delivery.target} HTTP/1.1", "host: localhost"]
    lines += [f"{name}: {value}" for name, value in delivery.headers]
    lines.append(f"content-length: {len(delivery.body)}")
    return "\r\n".join([*lines, "", ""]).encode() + delivery.body
