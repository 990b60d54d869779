"""Genuine deliveries as bytes on the wire, and files of them for the generator."""

import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from router.configuration.settings import Settings
from router.delivery import Delivery
from router.edge.endpoints import build_endpoints
from router.evaluation.send import SimulatedOrder, simulate
from router.providers import Key, Simulation
from router.providers.resmic import PROVIDER
from tests.benchmarks.contenders.options import PATH
from tests.parts.providers.blockatm_deliveries import KEY

SECRET = KEY.secret.decode()


def requests_of(settings: Settings, count: int, first: int = 0) -> list[bytes]:
    """Make deliveries of the orders `B-<first>` and following for the endpoint `shop`, signed now.

    Each order has a separate payment.
    """
    endpoint = build_endpoints(settings)["shop"]
    numbers = range(first, first + count)
    orders = (SimulatedOrder("payment.confirmed", f"B-{n}", "100.50", "USDT") for n in numbers)
    return [request_of(simulate(endpoint, order)) for order in orders]


def plain_requests(count: int, size: int = 0, first: int = 1) -> list[bytes]:
    """Make deliveries whose signature is an HMAC over the body and whose time is not checked.

    Any server can check them. `size` is the least size of each body in bytes. They are the payments
    `first` and following.
    """
    key = Key(SECRET.encode(), "fp:benchmark")
    return [request_of(_plain(number, size, key)) for number in range(first, first + count)]


def _plain(number: int, size: int, key: Key) -> Delivery:
    wanted = Simulation(
        kind="payment",
        status="confirmed",
        order=f"B-{number}",
        amount="100.50",
        currency="USDT",
        number=number,
        at=datetime.now(UTC),
        variant=None,
        test=False,
    )
    made = PROVIDER.simulate(wanted, key, PATH)
    if len(made.body) >= size:
        return made
    rest = size - len(made.body) - len(b',"note":""')
    body = made.body[:-1] + b',"note":"' + b"x" * max(0, rest) + b'"}'
    return PROVIDER.sign(dataclasses.replace(made, body=body, headers=made.headers[:1]), key)


def request_of(delivery: Delivery) -> bytes:
    """Return the HTTP request of a delivery."""
    lines = [f"{delivery.method} {delivery.target} HTTP/1.1", "host: localhost"]
    lines += [f"{name}: {value}" for name, value in delivery.headers]
    lines.append(f"content-length: {len(delivery.body)}")
    return "\r\n".join([*lines, "", ""]).encode() + delivery.body


def store(path: Path, requests: Sequence[bytes]) -> Path:
    """Write requests as the generator reads them."""
    path.write_text(json.dumps([one.decode("latin-1") for one in requests]), encoding="utf-8")
    return path
