"""A provider's example as an endpoint of an edge, and the gateway that plays to it.

Nothing here knows a gateway: settings come from `examples()`, deliveries from
`simulate`, and which header does what is found by leaving it out.
"""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import structlog
from structlog.testing import capture_logs

from router.configuration.modes import Mode
from router.configuration.settings import settings_from
from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery
from router.edge.endpoints import build_endpoints
from router.edge.intake import Endpoint
from router.edge.routes import Edge
from router.errors import Reason, RefusedDelivery
from router.evaluation.send import as_gateway
from router.providers import Configurable, Provider, Simulation, Varied, discover
from tests.parts.edge import asgi
from tests.parts.edge.edge_server import ONE_BROKER, HeldClock

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
"""When what is simulated here is signed."""

PUBLIC_URL = "https://pay.example.com"

PAID = frozenset({"confirmed", "underpaid", "overpaid"})
"""Statuses that are about a sum which has arrived or gone."""


SUMLESS = frozenset({("blockbee", "payout")})
"""Gateways, and what they tell of without a sum: nothing is booked of it."""


def has_sum(provider: str, kind: str, status: str) -> bool:
    """Tell whether an event of this type has to have an amount."""
    return status in PAID and kind in {"payment", "payout"} and (provider, kind) not in SUMLESS


@dataclass(frozen=True)
class Case:
    """One thing a gateway can say."""

    provider: str
    kind: str
    status: str
    variant: str | None

    def __str__(self) -> str:
        """Name it for a test."""
        form = f"-{self.variant}" if self.variant else ""
        return f"{self.provider}-{self.kind}.{self.status}{form}"


@dataclass(frozen=True)
class Side:
    """An endpoint, and the same one with the key its gateway signs with."""

    table: Mapping[str, Any]
    endpoint: Endpoint
    gateway: Endpoint

    @property
    def provider(self) -> Provider:
        """The provider as this endpoint has configured it."""
        return self.endpoint.provider

    def in_mode(self, mode: Mode) -> "Side":
        """Return the same endpoint in this mode."""
        endpoint = replace(self.endpoint, mode=mode)
        return replace(self, table={**self.table, "mode": mode}, endpoint=endpoint)

    def made(self, case: Case, *, number: int = 7, at: datetime = AT, **said: str) -> Delivery:
        """Make the genuine delivery of a case, of money of the endpoint's mode."""
        wanted = {"order": "A-1", "amount": "100.50", "currency": "USDT", **said}
        simulation = Simulation(
            kind=case.kind,
            status=case.status,
            number=number,
            at=at,
            variant=case.variant,
            order=wanted["order"],
            amount=wanted["amount"],
            currency=wanted["currency"],
            test=self.endpoint.mode == "test",
        )
        made = self.gateway.provider.simulate(
            simulation, self.gateway.keys[0], self.endpoint.target
        )
        return replace(made, endpoint=self.endpoint.name, account=self.endpoint.account)

    def verified(self, delivery: Delivery) -> VerifiedDelivery:
        """Verify with the endpoint's keys."""
        return self.provider.verify(delivery, self.endpoint.keys)

    def normalized(self, delivery: Delivery) -> tuple[Event, ...]:
        """Verify and normalize."""
        return tuple(self.provider.normalize(self.verified(delivery)))


def providers() -> list[str]:
    """Return the names of all there are."""
    return sorted(discover())


def cases(*names: str) -> list[Case]:
    """Return everything these providers can say, or all where none is named."""
    return [case for name in names or providers() for case in _cases(name)]


def _cases(name: str) -> Iterator[Case]:
    provider = side(name).provider
    for kind, statuses in provider.kinds.items():
        for status in statuses:
            named = f"{kind}.{status}"
            forms = provider.variants.get(named, ()) if isinstance(provider, Varied) else ()
            for variant in forms or (None,):
                yield Case(name, kind, status, variant)


@cache
def side(name: str, number: int = 1) -> Side:
    """Return the first or another endpoint of a provider's example, each with its own keys."""
    provider = discover()[name]
    table: dict[str, Any] = {
        "provider": name,
        "account": f"shop-{number}",
        "secrets": [secrets.token_urlsafe(32)],
    }
    signing_key = None
    if isinstance(provider, Configurable):
        example = provider.example()
        table |= example.settings
        signing_key = example.signing_key
    endpoint = build_endpoints(settings_from(values({f"shop-{number}": table})))[f"shop-{number}"]
    return Side(table, endpoint, as_gateway(endpoint, signing_key))


def values(endpoints: Mapping[str, Mapping[str, Any]], prefix: str = "t.") -> dict[str, Any]:
    """Write a configuration of these endpoints."""
    return {
        "endpoints": {name: {**table} for name, table in endpoints.items()},
        "edge": {"public_url": PUBLIC_URL, "port": 0, "management_port": 0},
        "topics": {"prefix": prefix, **ONE_BROKER},
    }


def edge(*sides: Side, clock: HeldClock | None = None) -> Edge:
    """Make an edge with these endpoints, at the time of signing."""
    tables = {one.endpoint.name: one.table for one in sides}
    return asgi.edge_of(values(tables), clock or HeldClock(AT))


@dataclass(frozen=True)
class Told:
    """What the edge answered, and the word it logged."""

    asked: asgi.Asked
    reason: str
    outcome: str


async def told(app: Edge, delivery: Delivery) -> Told:
    """Bring a delivery to the edge, header for header."""
    structlog.reset_defaults()
    with capture_logs() as log:
        asked = await asked_for(app, delivery)
    bad = [line for line in log if line["log_level"] in {"warning", "error", "critical"}]
    assert not bad
    (line,) = [line for line in log if line["event"] == "delivery"]
    return Told(asked, line["reason"], line["outcome"])


async def asked_for(app: Edge, delivery: Delivery) -> asgi.Asked:
    """Bring a delivery to the edge and take its answer."""
    target, _, query = delivery.target.partition("?")
    gate = app.gates.get(delivery.endpoint)
    token = gate.token if gate is not None else None
    path = target.replace("{token}", (token or b"").decode(), 1)
    headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in delivery.headers
    ]
    return await asgi.ask(
        app,
        delivery.method,
        path.encode("latin-1"),
        headers,
        delivery.body,
        query=query.encode("latin-1"),
    )


def said(delivery: Delivery) -> bytes:
    """Return what the gateway says in a delivery: the body, under GET the query."""
    if delivery.method == "GET":
        return delivery.target.partition("?")[2].encode("latin-1")
    return delivery.body


def saying(delivery: Delivery, words: bytes) -> Delivery:
    """Change what is said, behind the signature's back."""
    if delivery.method == "GET":
        path = delivery.target.partition("?")[0]
        return replace(delivery, target=f"{path}?{words.decode('latin-1')}")
    return replace(delivery, body=words)


def resigned(own: Side, delivery: Delivery, words: bytes) -> Delivery:
    """Have the gateway say something else in a delivery, and sign that."""
    changed = saying(replace(delivery, received_at=AT), words)
    return own.gateway.provider.sign(changed, own.gateway.keys[0])


def without(delivery: Delivery, name: str) -> Delivery:
    """Leave a header out."""
    return replace(delivery, headers=tuple(pair for pair in delivery.headers if pair[0] != name))


def with_header(delivery: Delivery, name: str, *given: str) -> Delivery:
    """Give a header these values, one line each."""
    rest = without(delivery, name).headers
    return replace(delivery, headers=(*rest, *((name, value) for value in given)))


@cache
def genuine(case: Case) -> VerifiedDelivery:
    """Return the genuine delivery of a case, verified."""
    own = side(case.provider)
    return own.verified(own.made(case))


@cache
def events(case: Case) -> tuple[Event, ...]:
    """Return what it means."""
    return tuple(side(case.provider).provider.normalize(genuine(case)))


@cache
def roles(case: Case) -> Mapping[str, Reason]:
    """Return the headers a delivery cannot do without, by the reason it is refused for."""
    own = side(case.provider)
    delivery = genuine(case).delivery
    found = {}
    for name in dict.fromkeys(name for name, _ in delivery.headers):
        try:
            own.verified(without(delivery, name))
        except RefusedDelivery as refused:
            found[name] = refused.reason
    return found


def header_of(case: Case, reason: Reason) -> str | None:
    """Return the header whose absence has this reason."""
    return next((name for name, why in roles(case).items() if why is reason), None)


def window(case: Case) -> timedelta | None:
    """Return the window of a case's endpoint, None where no time is signed."""
    signed = genuine(case).signed_at is not None
    return side(case.provider).endpoint.tolerance if signed else None
