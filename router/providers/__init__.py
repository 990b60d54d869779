"""Gateways, one module each: verifies deliveries and turns them into events.

A provider is a module of this folder, or an entry point in the group
`payrouter.providers`, that defines `PROVIDER`. The start fails if one does not
fit the protocol, or if its name differs from its module's.

Every gateway implements `Provider`. Further protocols are for some gateways
only: settings for each endpoint (`Configurable`), public keys to verify with
(`Asymmetric`), a published list of addresses (`Published`), several forms of
one message (`Varied`), a URL for every order (`Referencing`), events to ignore
(`Ignoring`).
"""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import BaseModel, BeforeValidator, ConfigDict

from router.contract.event import Event
from router.contract.identity import gateway_name
from router.delivery import Delivery, VerifiedDelivery


@dataclass(frozen=True)
class Key:
    """One active secret of an endpoint, and the fingerprint by which it may be named."""

    secret: bytes = field(repr=False)
    fingerprint: str


def endpoint_target(name: str, *, has_token: bool) -> str:
    """Return the path of an endpoint as in a Delivery, with `{token}` for the token."""
    return f"/webhooks/{name}" + ("/{token}" if has_token else "")


@dataclass(frozen=True)
class EndpointContext:
    """The facts about an endpoint that its provider may need.

    `public_url` is the part of the URL before the path, as the gateway sees
    it, without a slash at the end. `keys` are the endpoint's secrets, if any.
    """

    name: str
    public_url: str | None
    token: str | None = field(repr=False)
    keys: Sequence[Key]

    def url(self, target: str) -> str:
        """Return the URL that the gateway called, given a Delivery's target."""
        called = target if self.token is None else target.replace("{token}", self.token, 1)
        return (self.public_url or "") + called


@dataclass(frozen=True)
class Example:
    """An endpoint's settings for evaluation, in addition to a random secret.

    They contain `mode = "test"` if `simulate` can only make test money.
    `signing_key` is the private key of the public key in the settings: it is
    stored outside any configuration, for `payrouter send`.
    """

    settings: Mapping[str, object] = field(default_factory=dict)
    signing_key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Answer:
    """The HTTP answer that the gateway accepts as success."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Simulation:
    """Content of a simulated delivery; None leaves the choice to the provider.

    `kind` is one of the provider's `kinds`; `status` a word of the contract
    ("pending", "confirmed"); `number` determines the gateway's own id, so that two
    simulations with one number are about one payment; `at` is the signed time;
    `variant` is one of the provider's `variants` of this `kind.status`, None for
    the first; `test` requests test money, if the gateway can mark it.
    """

    kind: str
    status: str
    order: str
    amount: str
    currency: str
    number: int
    at: datetime
    variant: str | None = None
    test: bool = False


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


OPTIONS = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
"""Required `model_config` of a provider's model of its options."""

TextList = Annotated[
    tuple[str, ...], BeforeValidator(_as_tuple, json_schema_input_type=str | tuple[str, ...])
]
"""An option with one text or several."""


class NoOptions(BaseModel):
    """Options of a provider without options."""

    model_config = OPTIONS


@runtime_checkable
class Provider(Protocol):
    """Interface of a gateway. `docs/adding-a-provider.md` shows how to write one."""

    @property
    def name(self) -> str:
        """The name of the module, used in the configuration."""

    @property
    def methods(self) -> frozenset[str]:
        """HTTP methods that the gateway uses."""

    @property
    def content_types(self) -> frozenset[str]:
        """Media types of its bodies: they decide how to read one, not whether to accept it."""

    @property
    def tolerance(self) -> timedelta | None:
        """Default time window, None if the gateway signs no time."""

    @property
    def answer(self) -> Answer:
        """The success answer that the gateway expects."""

    @property
    def kinds(self) -> Mapping[str, Sequence[str]]:
        """Kinds of delivery that `simulate` can make, and the statuses of each."""

    def verify(self, delivery: Delivery, keys: Sequence[Key]) -> VerifiedDelivery:
        """Return the delivery as verified, or raise Unauthentic.

        Checks the bytes as received, in constant time; tries every key. The
        caller checks whether the signed time is within the window.
        """

    def normalize(self, verified: VerifiedDelivery) -> Sequence[Event]:
        """Return the events of a delivery, one or several, in order. Pure.

        An event's `test` is True if the delivery marks its money as test money,
        False if it marks it as real, None if it does neither. A descriptive
        fact that cannot be read does not prevent the event, which names it in
        `unread`.

        Raises NotUnderstood, which sends the delivery to quarantine; its
        subclasses are Unreadable, for malformed bytes, and NotOurs, for another
        merchant's money. Raises IgnoredEvent for an event that the endpoint's
        configuration ignores by name. A verified delivery is never refused.
        """

    def simulate(self, wanted: Simulation, key: Key, target: str) -> Delivery:
        """Make a genuine delivery, for `payrouter send` and the tests."""

    def sign(self, delivery: Delivery, key: Key) -> Delivery:
        """Sign any delivery as the gateway would, at its `received_at`.

        Replaces its signature and time, if it has any. The tests use it to
        sign bodies that `simulate` never makes.
        """


@runtime_checkable
class Configurable(Protocol):
    """A provider with settings for each endpoint."""

    @property
    def options(self) -> type[BaseModel]:
        """The model of those settings, with `OPTIONS` as its configuration.

        Use `TextList` for a list: an environment variable holds a single text.
        """

    def configured(self, options: Any, context: EndpointContext) -> Provider:  # noqa: ANN401 - of that model
        """Return the provider configured for one endpoint.

        Raises ConfigurationError with `KEY: what is expected`; the key is one of
        the endpoint's table.
        """

    def example(self) -> Example:
        """Make the settings that an endpoint needs to start, for evaluation."""


@runtime_checkable
class Asymmetric(Protocol):
    """A provider that verifies with public keys, and so may need no secret."""

    @property
    def public_keys(self) -> Sequence[Key]:
        """The active keys; `secret` holds the public key in DER."""


@runtime_checkable
class Published(Protocol):
    """A provider whose gateway publishes the addresses that it calls from."""

    @property
    def addresses(self) -> Sequence[str]:
        """The addresses or networks allowed by `allow_from = "published"`."""


@runtime_checkable
class Varied(Protocol):
    """A provider whose gateway has several forms for one message."""

    @property
    def variants(self) -> Mapping[str, Sequence[str]]:
        """The forms of each `kind.status` that `simulate` can make, the usual one first."""


@runtime_checkable
class Ignoring(Protocol):
    """A provider whose endpoints may be configured to ignore some events."""

    @property
    def ignored(self) -> Sequence[str]:
        """The gateway's words for events to ignore."""


@runtime_checkable
class Referencing(Protocol):
    """A provider whose gateway calls a separate URL for each order."""

    @property
    def reserved(self) -> frozenset[str]:
        """Names that the merchant's own parameters in that URL must not have."""

    def order_query(self, reference: str) -> str:
        """Return the query that ties a delivery to that URL to this order.

        Raises ConfigurationError with `KEY: what is expected`.
        """


class ProviderError(Exception):
    """A provider module does not fit the protocol; the start fails."""

    exit_code = 2


@cache
def discover() -> Mapping[str, Provider]:
    """Find the providers of this folder and those of other distributions, by name.

    Searches once in a process, because it reads the metadata of every installed distribution.
    """
    found = {name: _load(__name__ + "." + name, name) for name in _builtin_names()}
    for entry in entry_points(group="payrouter.providers"):
        if entry.name in found:
            message = f"provider {entry.name} is defined twice"
            raise ProviderError(message)
        found[entry.name] = _checked(entry.load(), entry.name)
    return MappingProxyType(found)


def examples() -> Mapping[str, Example]:
    """Make an endpoint's settings for evaluation, for every provider."""
    return {
        name: provider.example() if isinstance(provider, Configurable) else Example()
        for name, provider in discover().items()
    }


def _builtin_names() -> list[str]:
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted(name for name in names if not name.startswith("_"))


def _load(module: str, name: str) -> Provider:
    return _checked(getattr(importlib.import_module(module), "PROVIDER", None), name)


def _checked(candidate: object, name: str) -> Provider:
    try:
        gateway_name(name)
    except ValueError as error:
        message = f"provider {name}: choose another name, {error}"
        raise ProviderError(message) from None
    if not isinstance(candidate, Provider):
        message = f"provider {name} has no PROVIDER that fits router.providers.Provider"
        raise ProviderError(message)
    if candidate.name != name:
        message = f"provider {name} has another name, {candidate.name}"
        raise ProviderError(message)
    options = getattr(candidate, "options", NoOptions)
    if issubclass(options, BaseModel) and options.model_config.get("extra") == "forbid":
        return candidate
    message = f"provider {name}: its options accept any key; set model_config = OPTIONS"
    raise ProviderError(message)
