"""Mapping of a gateway's fields and words to those of the contract, from the configuration.

For the providers that know only how a delivery is signed.
Paths lead through objects: `payment.id` is `id` of the object `payment`.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Context, Decimal, Inexact
from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, Field, StringConstraints, model_validator

from router.contract.event import Event, EventType, Text
from router.delivery import VerifiedDelivery
from router.errors import ConfigurationError, NotUnderstood, Reason
from router.providers import OPTIONS, Simulation, TextList
from router.providers._reading import (
    Descriptions,
    Fields,
    Path,
    currency_name,
    happening,
    network_name,
    refused,
    required,
)
from router.providers._sandbox import Sandbox
from router.providers._signing import TimeUnit, moment_reader, moment_text

Gateway = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]

_MONEY = ("amount", "expected_amount", "fee", "gas")
_T = TypeVar("_T")

# These move no money, or an unknown amount; every other status needs an amount.
_WITHOUT_MONEY = frozenset({"pending", "failed", "expired", "cancelled"})

_EXACT = Context(prec=64, traps=[Inexact])
_WHOLE = Context(prec=64)


class FieldPaths(BaseModel):
    """`[….mapping.fields]`: paths of an event's facts in the body."""

    model_config = OPTIONS

    provider_reference: Path
    reference: Path | None = None
    amount: Path | None = None
    currency: Path | None = None
    expected_amount: Path | None = None
    expected_currency: Path | None = None
    fee: Path | None = None
    fee_currency: Path | None = None
    gas: Path | None = None
    gas_currency: Path | None = None
    network: Path | None = None
    chain_id: Path | None = None
    tx_hash: Path | None = None
    from_address: Path | None = None
    to_address: Path | None = None
    customer_id: Path | None = None
    customer_email: Path | None = None
    occurred_at: Path | None = None


class Fixed(BaseModel):
    """`[….mapping.fixed]`: constant facts that the body does not contain."""

    model_config = OPTIONS

    currency: Text | None = None
    expected_currency: Text | None = None
    fee_currency: Text | None = None
    gas_currency: Text | None = None
    network: Text | None = None


class BodyMapping(BaseModel):
    """`[….mapping]`: meaning of the words and fields of one gateway.

    `gateway` is the name of the gateway in events and books. Two gateways of one
    account need two names, or their payments would be confused.
    """

    model_config = OPTIONS

    gateway: Gateway
    event: Path
    events: dict[str, EventType] = Field(min_length=1)
    status: Path | None = None
    statuses: dict[str, EventType] = Field(default_factory=dict)
    identity: TextList = ()
    minor_units: int = Field(0, ge=0, le=18)
    occurred_at_unit: TimeUnit = "iso"
    fields: FieldPaths
    fixed: Fixed = Fixed()
    test: Sandbox | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name in self.fixed.model_fields_set & self.fields.model_fields_set:
            message = f"fixed.{name}: fields.{name} is given as well"
            raise ValueError(message)
        if (self.status is None) is not (not self.statuses):
            message = "status and statuses belong together"
            raise ValueError(message)
        for word, happened in self.events.items():
            if self.statuses and happened not in self.statuses.values():
                message = f"events.{word}: no word of statuses means {happened}"
                raise ValueError(message)
        self._check_money()
        self._check_paths()
        return self

    def _check_money(self) -> None:
        for name in _MONEY:
            currency = _currency_of(name)
            named = getattr(self.fields, currency) or getattr(self.fixed, currency)
            if getattr(self.fields, name) and not named:
                message = f"fields.{name}: needs fields.{currency} or fixed.{currency}"
                raise ValueError(message)
        for word, happened in self.events.items():
            if self.fields.amount is None and happened.status not in _WITHOUT_MONEY:
                message = f"events.{word}: {happened} needs fields.amount"
                raise ValueError(message)

    def _check_paths(self) -> None:
        paths = {path for path in (*self.paths().values(), *self.identity) if path}
        paths |= {self.test.field} if self.test else set()
        for outer in paths:
            inner = next((path for path in paths if path.startswith(outer + ".")), None)
            if inner is not None:
                message = f"{outer} cannot be a field and hold {inner}"
                raise ValueError(message)

    def paths(self) -> dict[str, str]:
        """Return every path by the name of its fact."""
        named = {"event": self.event, "status": self.status, **self.fields.model_dump()}
        return {name: path for name, path in named.items() if path is not None}

    def kinds(self) -> Mapping[str, Sequence[str]]:
        """Return the kinds and statuses that `simulate` can make."""
        kinds: dict[str, list[str]] = {}
        for happened in dict.fromkeys(self.events.values()):
            kinds.setdefault(happened.family, []).append(happened.status)
        return {kind: tuple(statuses) for kind, statuses in kinds.items()}


def _currency_of(money: str) -> str:
    return {"amount": "currency", "expected_amount": "expected_currency"}.get(
        money, f"{money}_currency"
    )


def normalize(
    mapping: BodyMapping, verified: VerifiedDelivery, identity: Sequence[str] | None = None
) -> Event:
    """Return the event; without `identity`, the mapping's own fields make it."""
    fields = Fields.of(verified)
    word, happened = _happened(mapping, fields)
    facts = _facts(mapping, fields)
    if happened.status not in _WITHOUT_MONEY:
        required(mapping.fields.amount or "amount", facts["amount"])
    own = identity or _identity(mapping, fields, word)
    return happening(verified, mapping.gateway, happened, own, facts, _described(mapping, fields))


def _happened(mapping: BodyMapping, fields: Fields) -> tuple[str, EventType]:
    word = required(mapping.event, fields.identifier(mapping.event))
    happened = mapping.events.get(word)
    if happened is None:
        raise refused(Reason.UNKNOWN_EVENT, mapping.event, "a word that mapping.events has not")
    if mapping.status is None:
        return word, happened
    status = required(mapping.status, fields.identifier(mapping.status))
    if status not in mapping.statuses:
        raise refused(Reason.UNKNOWN_STATUS, mapping.status, "not among mapping.statuses")
    if mapping.statuses[status] is not happened:
        raise NotUnderstood(Reason.AMBIGUOUS, f"{mapping.status}: not that of {happened}")
    return word, happened


def _identity(mapping: BodyMapping, fields: Fields, word: str) -> list[str]:
    payment = mapping.fields.provider_reference
    if not mapping.identity:
        return [required(payment, fields.identifier(payment)), word]
    return [required(path, fields.identifier(path)) for path in mapping.identity]


def _facts(mapping: BodyMapping, fields: Fields) -> dict[str, object]:
    paths = mapping.fields
    payment = paths.provider_reference
    facts: dict[str, object] = {
        "provider_reference": required(payment, fields.identifier(payment)),
        "reference": paths.reference and fields.identifier(paths.reference),
        "test": mapping.test and mapping.test.read(fields),
    }
    for name in _MONEY:
        facts |= _money(mapping, fields, name)
    return facts


def _described(mapping: BodyMapping, fields: Fields) -> Descriptions:
    paths, fixed = mapping.fields, mapping.fixed
    moment = moment_reader(mapping.occurred_at_unit)
    return {
        "network": lambda: network_name(fixed.network or _at(paths.network, fields.text)),
        "chain_id": lambda: _at(paths.chain_id, fields.identifier),
        "tx_hash": lambda: _at(paths.tx_hash, fields.text),
        "from_address": lambda: _at(paths.from_address, fields.text),
        "to_address": lambda: _at(paths.to_address, fields.text),
        "customer.id": lambda: _at(paths.customer_id, fields.identifier),
        "customer.email": lambda: _at(paths.customer_email, fields.text),
        "occurred_at": lambda: _at(paths.occurred_at, lambda path: fields.moment(path, moment)),
    }


def _at(path: str | None, read: Callable[[str], _T | None]) -> _T | None:
    return None if path is None else read(path)


def _money(mapping: BodyMapping, fields: Fields, name: str) -> dict[str, object]:
    path, currency = getattr(mapping.fields, name), _currency_of(name)
    read = fields.fee if name == "fee" else fields.amount
    amount = None if path is None else read(path, mapping.minor_units)
    place = getattr(mapping.fields, currency)
    code = getattr(mapping.fixed, currency) or (place and fields.text(place))
    if amount is not None:
        required(place or currency, code)
    return {name: amount, currency: currency_name(code)}


def simulated(mapping: BodyMapping, wanted: Simulation) -> dict[str, object]:
    """Make the members of a simulated body. Raises KeyError if no word has this meaning."""
    happened = _wanted(mapping, wanted)
    digest = hashlib.sha256(f"{mapping.gateway} {wanted.kind} {wanted.number}".encode()).hexdigest()
    told: dict[str, object] = {
        "event": _word(mapping.events, happened),
        "provider_reference": f"{wanted.kind}_{digest[:24]}",
        "reference": wanted.order,
        "amount": _written(mapping, wanted.amount),
        "expected_amount": _written(mapping, wanted.amount),
        "currency": wanted.currency,
        "expected_currency": wanted.currency,
        "network": "Ethereum",
        "tx_hash": f"0x{digest}",
        "occurred_at": told_moment(wanted.at, mapping.occurred_at_unit),
    }
    if mapping.statuses:
        told["status"] = _word(mapping.statuses, happened)
    paths = mapping.paths()
    members: dict[str, object] = {}
    for path in mapping.identity:
        put(members, path, f"{digest[:24]}-{wanted.status}")
    for name, value in told.items():
        if name in paths:
            put(members, paths[name], value)
    return members


def told_moment(moment: datetime, unit: TimeUnit) -> str | int:
    """Write a time as the body contains it: a number for Unix time."""
    text = moment_text(moment, unit)
    return text if unit == "iso" else int(text)


def put(members: dict[str, object], path: str, value: object) -> None:
    """Write a member by its path."""
    *outer, last = path.split(".")
    for name in outer:
        inner = members.setdefault(name, {})
        assert isinstance(inner, dict)  # noqa: S101 - the mapping has been checked
        members = inner
    members[last] = value


def _wanted(mapping: BodyMapping, wanted: Simulation) -> EventType:
    if wanted.status not in mapping.kinds()[wanted.kind]:
        raise KeyError(wanted.status)
    return EventType(f"{wanted.kind}.{wanted.status}")


def _word(words: Mapping[str, EventType], happened: EventType) -> str:
    return next(word for word, meaning in words.items() if meaning is happened)


def _written(mapping: BodyMapping, amount: str) -> str | int:
    if not mapping.minor_units:
        return amount
    minor = Decimal(amount).scaleb(mapping.minor_units, _EXACT)
    if minor != minor.to_integral_value(context=_WHOLE):
        message = f"--amount: this gateway counts {mapping.minor_units} decimals"
        raise ConfigurationError(message)
    return int(minor)
