"""A provider's example as an endpoint of an edge, and its simulated gateway.

Nothing here is specific to a gateway: settings come from `examples()`, deliveries from `simulate`,
and the role of each header is found by leaving it out.
"""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import structlog
from structlog.testing import capture_logs

from router.configuration.endpoint_settings import Mode
from router.configuration.settings import settings_from
from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery
from router.edge.endpoints import build_endpoints
from router.edge.intake import Endpoint
from router.edge.routes import Edge
from router.errors import Reason, RefusedDelivery
from router.evaluation.send import as_gateway
from router.providers import Configurable, Provider, Simulation, Varied, discover
from tests.conformance.variants import RELAYED, VARIANTS
from tests.parts.edge import asgi
from tests.parts.edge.edge_server import ONE_BROKER, HeldClock

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
"""Time of the simulated signatures."""

PUBLIC_URL = "https://pay.example.com"

PAID = frozenset({"confirmed", "underpaid", "overpaid"})
"""Statuses about an amount that was received or paid out."""


SUMLESS = frozenset({("blockbee", "payout")})
"""By gateway, the event types that it sends without an amount: they are not booked."""


def has_sum(provider: str, kind: str, status: str) -> bool:
    """Return whether an event of this type must have an amount."""
    return status in PAID and kind in {"payment", "payout"} and (provider, kind) not in SUMLESS


@dataclass(frozen=True)
class Case:
    """One kind of message that a gateway can send."""

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
    """An endpoint, and the same one with its gateway's signing key."""

    table: Mapping[str, Any]
    endpoint: Endpoint
    gateway: Endpoint

    @property
    def provider(self) -> Provider:
        """The provider as configured by this endpoint."""
        return self.endpoint.provider

    def in_mode(self, mode: Mode) -> "Side":
        """Return the same endpoint in this mode."""
        endpoint = replace(self.endpoint, mode=mode)
        return replace(self, table={**self.table, "mode": mode}, endpoint=endpoint)

    def made(self, case: Case, *, number: int = 7, at: datetime = AT, **said: str) -> Delivery:
        """Make the genuine delivery of a case, with money of the endpoint's mode."""
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
    """Return the names of all providers."""
    return sorted(discover())


def sides() -> list[str]:
    """Return the names of all providers, and of their variants as `provider/variant`."""
    return sorted([*discover(), *VARIANTS])


def provider_of(name: str) -> Provider:
    """Return the provider, not configured, of a name from `sides`."""
    return discover()[name.partition("/")[0]]


def counts_repeated_headers_once(name: str) -> bool:
    """Return whether a header that is repeated unchanged is accepted."""
    return name.partition("/")[0] in RELAYED


def cases(*names: str) -> list[Case]:
    """Return all cases of these providers, or of all providers if none is named."""
    return [case for name in names or sides() for case in _cases(name)]


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
    provider = provider_of(name)
    table: dict[str, Any] = {
        "provider": provider.name,
        "account": f"shop-{number}",
        "secrets": [secrets.token_urlsafe(32)],
    }
    signing_key = None
    if isinstance(provider, Configurable):
        example = provider.example()
        table |= VARIANTS.get(name, example.settings)
        table |= {"secrets": example.settings.get("secrets", table["secrets"])}
        signing_key = example.signing_key
    endpoint = build_endpoints(settings_from(values({f"shop-{number}": table})))[f"shop-{number}"]
    return Side(table, endpoint, as_gateway(endpoint, signing_key))


def values(endpoints: Mapping[str, Mapping[str, Any]], prefix: str = "t.") -> dict[str, Any]:
    """Return a configuration of these endpoints."""
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
    """Answer of the edge, and the logged outcome."""

    asked: asgi.RequestResult
    reason: str
    outcome: str


async def told(app: Edge, delivery: Delivery) -> Told:
    """Send a delivery to the edge, header by header."""
    structlog.reset_defaults()
    with capture_logs() as log:
        asked = await asked_for(app, delivery)
    bad = [line for line in log if line["log_level"] in {"warning", "error", "critical"}]
    assert not bad
    (line,) = [line for line in log if line["event"] == "delivery"]
    return Told(asked, line["reason"], line["outcome"])


async def asked_for(app: Edge, delivery: Delivery) -> asgi.RequestResult:
    """Send a delivery to the edge and return its answer."""
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
    """Return the content of a delivery: the body, or the query under GET."""
    if delivery.method == "GET":
        return delivery.target.partition("?")[2].encode("latin-1")
    return delivery.body


def saying(delivery: Delivery, words: bytes) -> Delivery:
    """Change the content without a new signature."""
    if delivery.method == "GET":
        path = delivery.target.partition("?")[0]
        return replace(delivery, target=f"{path}?{words.decode('latin-1')}")
    return replace(delivery, body=words)


def resigned(own: Side, delivery: Delivery, words: bytes) -> Delivery:
    """Change the content, and sign it again."""
    changed = saying(replace(delivery, received_at=AT), words)
    return own.gateway.provider.sign(changed, own.gateway.keys[0])


def without(delivery: Delivery, name: str) -> Delivery:
    """Remove a header."""
    return replace(delivery, headers=tuple(pair for pair in delivery.headers if pair[0] != name))


def with_header(delivery: Delivery, name: str, *given: str) -> Delivery:
    """Set a header to these values, one line each."""
    rest = without(delivery, name).headers
    return replace(delivery, headers=(*rest, *((name, value) for value in given)))


def with_headers_added(delivery: Delivery, *pairs: tuple[str, str]) -> Delivery:
    """Add headers before those of the delivery."""
    return replace(delivery, headers=(*pairs, *delivery.headers))


@cache
def genuine(case: Case) -> VerifiedDelivery:
    """Return the genuine delivery of a case, verified."""
    own = side(case.provider)
    return own.verified(own.made(case))


@cache
def events(case: Case) -> tuple[Event, ...]:
    """Return the events of a delivery."""
    return tuple(side(case.provider).provider.normalize(genuine(case)))


@cache
def roles(case: Case) -> Mapping[str, Reason]:
    """Return the required headers of a delivery, by the reason of refusal if they are missing."""
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
    """Return the time window of a case's endpoint, None if no time is signed."""
    signed = genuine(case).signed_at is not None
    return side(case.provider).endpoint.tolerance if signed else None
