"""One gateway, one file, two questions: is it genuine, and what happened.

A provider is a module of this folder, or an entry point in the group
`payrouter.providers`, that offers `PROVIDER`. One that does not fit the
protocol, or whose name is not its module's, stops the start.

What every gateway has is `Provider`. What only some have stands beside it:
settings of their own for an endpoint (`Configurable`), public keys to verify
with (`Asymmetric`), a published list of addresses (`Published`), several
forms of one message (`Varied`), a URL for every order (`Referencing`).
"""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import entry_points
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import BaseModel, BeforeValidator, ConfigDict

from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery


@dataclass(frozen=True)
class Key:
    """One active secret of an endpoint, and the name under which it may be mentioned."""

    secret: bytes = field(repr=False)
    fingerprint: str


def endpoint_target(name: str, *, has_token: bool) -> str:
    """Write the path of an endpoint as a Delivery has it, `{token}` for the token."""
    return f"/webhooks/{name}" + ("/{token}" if has_token else "")


@dataclass(frozen=True)
class Place:
    """Where an endpoint stands: what its provider may have to know of it.

    `public_url` is what the gateway sees before the path, without a slash at
    the end. `keys` are the endpoint's secrets, which may be none.
    """

    name: str
    public_url: str | None
    token: str | None = field(repr=False)
    keys: Sequence[Key]

    def url(self, target: str) -> str:
        """Write a Delivery's target as the gateway called it: with origin and token."""
        called = target if self.token is None else target.replace("{token}", self.token, 1)
        return (self.public_url or "") + called


@dataclass(frozen=True)
class Example:
    """An endpoint's settings for evaluation, beside a random secret.

    Where `simulate` can make test money alone they hold `mode = "test"`.
    `signing_key` is the private key whose public half stands among the
    settings: it is kept apart from any configuration, for `payrouter send`.
    """

    settings: Mapping[str, object] = field(default_factory=dict)
    signing_key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Answer:
    """What the gateway takes for success."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Simulation:
    """What a simulated delivery shall say; None leaves the choice to the provider.

    `kind` is one of the provider's `kinds`; `status` a word of the contract
    ("pending", "confirmed"); `number` makes the gateway's own id, so that two
    simulations of one number are about one payment; `at` is signed; `variant`
    is one of the provider's `variants` of this `kind.status`, None for the first;
    `test` asks for money that is not real, where the gateway can say so.
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
"""How a provider's model of its options has to be configured."""

Texts = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
"""An option with one text or several."""


class NoOptions(BaseModel):
    """The options of a provider that has none."""

    model_config = OPTIONS


@runtime_checkable
class Provider(Protocol):
    """What a gateway has to offer. `docs/adding-a-provider.md` leads through one."""

    @property
    def name(self) -> str:
        """The module's name, and the word in the configuration."""

    @property
    def methods(self) -> frozenset[str]:
        """HTTP methods the gateway uses."""

    @property
    def content_types(self) -> frozenset[str]:
        """Media types of its bodies: they say how to read one, not whether to take it in."""

    @property
    def tolerance(self) -> timedelta | None:
        """Default time window, None where the gateway signs no time."""

    @property
    def answer(self) -> Answer:
        """Success in the gateway's own words."""

    @property
    def kinds(self) -> Mapping[str, Sequence[str]]:
        """What `simulate` can make: kinds of delivery and the statuses of each."""

    def verify(self, delivery: Delivery, keys: Sequence[Key]) -> VerifiedDelivery:
        """Return the delivery as verified, or raise Unauthentic.

        Looks at the bytes as received, in constant time; tries every key.
        Whether the signed time is within the window is decided by the caller.
        """

    def normalize(self, verified: VerifiedDelivery) -> Sequence[Event]:
        """Say what happened: one event or several, in order. Pure.

        `test` of an event is True where the delivery says that its money is not
        real, False where it says that it is, None where it says neither.
        A fact that decides nothing and cannot be read stops nothing: the event
        names it in `unread`.
        Raises NotUnderstood, which keeps the delivery on quarantine: its kinds
        are Unreadable, where the bytes are not what they should be, and
        NotOurs, where it is about somebody else's money. After the proof
        nothing is refused.
        """

    def simulate(self, wanted: Simulation, key: Key, target: str) -> Delivery:
        """Make a genuine delivery, for `payrouter send` and the tests."""

    def sign(self, delivery: Delivery, key: Key) -> Delivery:
        """Sign any delivery as the gateway would, at its `received_at`.

        Signature and time replace those that it has. The tests sign bodies
        with it that `simulate` never makes.
        """


@runtime_checkable
class Configurable(Protocol):
    """A provider whose endpoints have settings of their own."""

    @property
    def options(self) -> type[BaseModel]:
        """The model of those settings, with `OPTIONS` as its configuration.

        A list is `Texts`: a variable of the environment gives one text.
        """

    def configured(self, options: Any, place: Place) -> Provider:  # noqa: ANN401 - of that model
        """Return the provider as this endpoint wants it.

        Raises ConfigurationError with `KEY: what would be right`, the key as it
        stands in the endpoint's table.
        """

    def example(self) -> Example:
        """Make settings for evaluation: those without which an endpoint would not start."""


@runtime_checkable
class Asymmetric(Protocol):
    """A provider that verifies with public keys, and so may do without a secret."""

    @property
    def public_keys(self) -> Sequence[Key]:
        """The keys in force; `secret` holds the public key in DER."""


@runtime_checkable
class Published(Protocol):
    """A provider whose gateway publishes the addresses it calls from."""

    @property
    def addresses(self) -> Sequence[str]:
        """The list behind `allow_from = "published"`, addresses or networks."""


@runtime_checkable
class Varied(Protocol):
    """A provider whose gateway has several forms for one message."""

    @property
    def variants(self) -> Mapping[str, Sequence[str]]:
        """The forms of each `kind.status` that `simulate` can make, the usual one first."""


@runtime_checkable
class Referencing(Protocol):
    """A provider whose gateway calls a URL of each order's own."""

    @property
    def reserved(self) -> frozenset[str]:
        """Names that a parameter of the merchant's own in that URL must not have."""

    def order_query(self, reference: str) -> str:
        """Write the query by which a delivery to that URL is about this order.

        Raises ConfigurationError with `KEY: what would be right`.
        """


class ProviderError(Exception):
    """A provider module does not fit; the start stops."""

    exit_code = 2


def discover() -> Mapping[str, Provider]:
    """Find the providers of this folder and those of other distributions, by name."""
    found = {name: _load(__name__ + "." + name, name) for name in _builtin_names()}
    for entry in entry_points(group="payrouter.providers"):
        if entry.name in found:
            message = f"provider {entry.name} is there twice"
            raise ProviderError(message)
        found[entry.name] = _checked(entry.load(), entry.name)
    return found


def examples() -> Mapping[str, Example]:
    """Make an endpoint's settings for evaluation, for every provider there is."""
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
    if not isinstance(candidate, Provider):
        message = f"provider {name} has no PROVIDER that fits router.providers.Provider"
        raise ProviderError(message)
    if candidate.name != name:
        message = f"provider {name} calls itself {candidate.name}"
        raise ProviderError(message)
    options = getattr(candidate, "options", NoOptions)
    if issubclass(options, BaseModel) and options.model_config.get("extra") == "forbid":
        return candidate
    message = f"provider {name}: its options take any key; set model_config = OPTIONS"
    raise ProviderError(message)
