"""One gateway, one file, two questions: is it genuine, and what happened.

A provider is a module of this folder, or an entry point in the group
`payrouter.providers`, that offers `PROVIDER`. One that does not fit the
protocol, or whose name is not its module's, stops the start.
"""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery


@dataclass(frozen=True)
class Key:
    """One active secret of an endpoint, and the name under which it may be mentioned."""

    secret: bytes = field(repr=False)
    fingerprint: str


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
    simulations of one number are about one payment; `at` is signed.
    """

    kind: str
    status: str
    order: str
    amount: str
    currency: str
    number: int
    at: datetime


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
        """Media types of its bodies."""

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

        Raises Unreadable where the body is not what it claims to be and
        NotUnderstood for what leads to quarantine.
        """

    def simulate(self, wanted: Simulation, key: Key, target: str) -> Delivery:
        """Make a genuine delivery, for `payrouter send` and the tests."""


class ProviderError(Exception):
    """A provider module does not fit; the start stops."""


def discover() -> Mapping[str, Provider]:
    """Find the providers of this folder and those of other distributions, by name."""
    found = {name: _load(__name__ + "." + name, name) for name in _builtin_names()}
    for entry in entry_points(group="payrouter.providers"):
        if entry.name in found:
            message = f"provider {entry.name} is there twice"
            raise ProviderError(message)
        found[entry.name] = _checked(entry.load(), entry.name)
    return found


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
    return candidate
