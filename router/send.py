"""`payrouter send`: the gateway, played. Makes genuine deliveries and posts them."""

import hashlib
import http.client
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from router.delivery import Delivery
from router.errors import ConfigurationError
from router.intake import Endpoint
from router.providers import Key, Simulation

TIMEOUT_SECONDS = 35.0
"""Longer than any endpoint's deadline: the answer is wanted, not a guess."""


@dataclass(frozen=True)
class Answered:
    """What the edge said to one delivery."""

    status: int
    body: bytes

    @property
    def kept(self) -> bool:
        """Whether it was a success, which means that it is durable."""
        return 200 <= self.status < 300  # noqa: PLR2004 - what HTTP calls success


@dataclass(frozen=True)
class Order:
    """What `send` is asked for: one simulated payment or payout."""

    type: str
    reference: str
    amount: str
    currency: str

    @property
    def number(self) -> int:
        """The gateway's own id: the same order and family is the same payment."""
        digest = hashlib.sha256(f"{self.kind}\0{self.reference}".encode()).digest()
        return int.from_bytes(digest[:5], "big")

    @property
    def kind(self) -> str:
        """The family: `payment` or `payout`."""
        return self.type.partition(".")[0]

    @property
    def status(self) -> str:
        """The status in it, `confirmed` where none is said."""
        return self.type.partition(".")[2] or "confirmed"


def simulate(endpoint: Endpoint, order: Order, at: datetime | None = None) -> Delivery:
    """Make the genuine delivery a gateway would send, or say what it cannot say."""
    provider = endpoint.provider
    if order.status not in provider.kinds.get(order.kind, ()):
        known = sorted(f"{kind}.{s}" for kind, words in provider.kinds.items() for s in words)
        message = f"--type: {provider.name} sends {', '.join(known)}"
        raise ConfigurationError(message)
    wanted = Simulation(
        kind=order.kind,
        status=order.status,
        order=order.reference,
        amount=order.amount,
        currency=order.currency,
        number=order.number,
        at=at or datetime.now(UTC),
    )
    made = provider.simulate(wanted, endpoint.keys[0], f"/webhooks/{endpoint.name}")
    return replace(made, endpoint=endpoint.name, account=endpoint.account)


def post(base_url: str, delivery: Delivery, token: str | None = None) -> Answered:
    """Post a delivery to an edge, header for header; raises OSError where nobody answers."""
    url = urlsplit(base_url)
    secure = url.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = connect(url.hostname or "", url.port, timeout=TIMEOUT_SECONDS)
    target = delivery.target + (f"/{token}" if token else "")
    try:
        connection.putrequest(delivery.method, target, skip_accept_encoding=True)
        for name, value in delivery.headers:
            connection.putheader(name, value)
        connection.putheader("content-length", str(len(delivery.body)))
        connection.endheaders(delivery.body)
        response = connection.getresponse()
        return Answered(response.status, response.read())
    except http.client.HTTPException as error:
        raise OSError(type(error).__name__) from error
    finally:
        connection.close()


Tamper = Callable[[Endpoint, Order], Delivery]


def _flipped_body(endpoint: Endpoint, order: Order) -> Delivery:
    made = simulate(endpoint, order)
    at = len(made.body) // 2
    return replace(made, body=made.body[:at] + bytes([made.body[at] ^ 1]) + made.body[at + 1 :])


def _other_key(endpoint: Endpoint, order: Order) -> Delivery:
    stranger = Key(endpoint.keys[0].secret + b"x", "fp:000000")
    return simulate(replace(endpoint, keys=[stranger]), order)


def _no_headers(endpoint: Endpoint, order: Order) -> Delivery:
    made = simulate(endpoint, order)
    kept = tuple(pair for pair in made.headers if pair[0].lower() == "content-type")
    return replace(made, headers=kept)


def _old(endpoint: Endpoint, order: Order) -> Delivery:
    return simulate(endpoint, order, datetime.now(UTC) - timedelta(days=30))


TAMPERS: dict[str, Tamper] = {
    "body": _flipped_body,
    "key": _other_key,
    "headers": _no_headers,
    "time": _old,
}
"""Ways in which `send --tamper` spoils a delivery; the edge has to refuse each."""


def orders(first: Order, count: int) -> Sequence[Order]:
    """Return `count` orders, told apart by a number behind the reference."""
    if count == 1:
        return [first]
    return [replace(first, reference=f"{first.reference}-{n}") for n in range(1, count + 1)]
