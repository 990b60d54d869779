"""Simulates gateways for `payrouter send`: makes genuine deliveries and posts them."""

import hashlib
import http.client
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import SplitResult, urlsplit

from router.contract.amounts import AmountError, parse_amount
from router.delivery import Delivery
from router.edge.intake import Endpoint
from router.errors import ConfigurationError
from router.providers import Configurable, Key, Provider, Simulation, Varied

TIMEOUT_SECONDS = 35.0
"""Time-out of a delivery, longer than any endpoint's deadline, so that the edge answers first."""


@dataclass(frozen=True)
class Answered:
    """Answer of the edge to one delivery."""

    status: int
    body: bytes

    @property
    def kept(self) -> bool:
        """Whether the answer was a success: the delivery is durable."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's range of success


@dataclass(frozen=True)
class SimulatedOrder:
    """Options of `send`: one simulated payment or payout."""

    type: str
    reference: str
    amount: str
    currency: str
    variant: str | None = None

    @property
    def number(self) -> int:
        """The gateway's own id: the same for every delivery of this order and family."""
        digest = hashlib.sha256(f"{self.kind}\0{self.reference}".encode()).digest()
        return int.from_bytes(digest[:5], "big")

    @property
    def kind(self) -> str:
        """The family: `payment` or `payout`."""
        return self.type.partition(".")[0]

    @property
    def status(self) -> str:
        """The status in the type, `confirmed` if it has none."""
        return self.type.partition(".")[2] or "confirmed"


@dataclass(frozen=True)
class Sent:
    """A sent delivery, possibly tampered with, and its answer."""

    order: SimulatedOrder
    endpoint: str
    tamper: str | None
    answered: Answered

    @property
    def as_expected(self) -> bool:
        """Whether a genuine delivery was accepted, or a tampered one refused."""
        return self.answered.kept is (self.tamper is None)

    @property
    def answer(self) -> str:
        """The text of the edge's answer."""
        return self.answered.body.decode("utf-8", "replace").strip()

    def as_json(self) -> dict[str, object]:
        """Return the delivery as a JSON object."""
        return {
            "endpoint": self.endpoint,
            "type": f"{self.order.kind}.{self.order.status}",
            "order": self.order.reference,
            "amount": self.order.amount,
            "currency": self.order.currency,
            "tamper": self.tamper,
            "status": self.answered.status,
            "answer": self.answer,
        }

    def __str__(self) -> str:
        """Return the delivery as text."""
        order = self.order
        what = f"{order.kind}.{order.status} {order.reference} {order.amount} {order.currency}"
        tampered = f" with tampered {self.tamper}" if self.tamper else ""
        answer = f"answered {self.answered.status} {self.answer}"
        verdict = ""
        if self.tamper:
            verdict = ": refused, as expected" if self.as_expected else ": NOT REFUSED"
        return f"sent {what}{tampered} to {self.endpoint}, {answer}{verdict}"


def check_amount(amount: str) -> None:
    """Raise ConfigurationError for an amount that no gateway could send."""
    try:
        parse_amount(amount)
    except AmountError as error:
        message = f"--amount: {error}, such as 100.50"
        raise ConfigurationError(message) from None


def as_gateway(endpoint: Endpoint, signing_key: bytes | None) -> Endpoint:
    """Return the endpoint with the key that its gateway signs with: its secret or a private key."""
    if signing_key is None:
        return endpoint
    return replace(endpoint, keys=[Key(signing_key, "fp:private")])


def simulate(endpoint: Endpoint, order: SimulatedOrder, at: datetime | None = None) -> Delivery:
    """Make the genuine delivery that a gateway would send, or raise ConfigurationError."""
    provider = endpoint.provider
    if not endpoint.keys:
        message = f"send: this endpoint has no key with which {provider.name} can be simulated"
        raise ConfigurationError(message)
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
        variant=_variant(provider, order),
        test=endpoint.mode == "test",
    )
    made = provider.simulate(wanted, endpoint.keys[0], endpoint.target)
    return replace(made, endpoint=endpoint.name, account=endpoint.account)


def _variant(provider: Provider, order: SimulatedOrder) -> str | None:
    variants = provider.variants if isinstance(provider, Varied) else {}
    known = variants.get(f"{order.kind}.{order.status}", ())
    if order.variant is not None and order.variant not in known:
        forms = ", ".join(known) or "one form only"
        message = f"--variant: {provider.name} sends {order.kind}.{order.status} as {forms}"
        raise ConfigurationError(message)
    return order.variant


def post(base_url: str, delivery: Delivery, token: str | None = None) -> Answered:
    """Post a delivery to an edge with exactly its headers. Raises OSError if there is no answer."""
    url = _base(base_url)
    secure = url.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = connect(url.hostname or "", url.port, timeout=TIMEOUT_SECONDS)
    target = delivery.target.replace("{token}", token or "", 1)
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


def _base(base_url: str) -> SplitResult:
    url = urlsplit(base_url)
    try:
        usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable:
        message = f"--url: expected http://host:port, not {base_url}"
        raise ConfigurationError(message)
    return url


Tamper = Callable[[Endpoint, SimulatedOrder], Delivery]


def _flipped_body(endpoint: Endpoint, order: SimulatedOrder) -> Delivery:
    made = simulate(endpoint, order)
    if not made.body:
        # The content is in the query: change one character of the last value.
        last = chr(ord(made.target[-1]) ^ 1)
        return replace(made, target=made.target[:-1] + last)
    at = len(made.body) // 2
    return replace(made, body=made.body[:at] + bytes([made.body[at] ^ 1]) + made.body[at + 1 :])


def _other_key(endpoint: Endpoint, order: SimulatedOrder) -> Delivery:
    provider = endpoint.provider
    private = provider.example().signing_key if isinstance(provider, Configurable) else None
    stranger = Key(private or endpoint.keys[0].secret + b"x", "fp:000000")
    return simulate(replace(endpoint, keys=[stranger]), order)


def _no_headers(endpoint: Endpoint, order: SimulatedOrder) -> Delivery:
    made = simulate(endpoint, order)
    kept = tuple(pair for pair in made.headers if pair[0].lower() == "content-type")
    return replace(made, headers=kept)


def _old(endpoint: Endpoint, order: SimulatedOrder) -> Delivery:
    if endpoint.provider.tolerance is None:
        name = endpoint.provider.name
        message = f"--tamper: {name} signs no time; its event ids identify a replay"
        raise ConfigurationError(message)
    return simulate(endpoint, order, datetime.now(UTC) - timedelta(days=30))


TAMPERS: dict[str, Tamper] = {
    "body": _flipped_body,
    "key": _other_key,
    "headers": _no_headers,
    "time": _old,
}
"""Ways in which `send --tamper` alters a delivery; the edge must refuse each."""


def orders(first: SimulatedOrder, count: int) -> Sequence[SimulatedOrder]:
    """Return `count` orders, distinguished by a number after the reference."""
    if count == 1:
        return [first]
    return [replace(first, reference=f"{first.reference}-{n}") for n in range(1, count + 1)]
