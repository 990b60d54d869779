"""Makes the body of a simulated delivery: the mapping reads the requested facts from it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal, Inexact
from typing import Any

from router.contract.event import EventType
from router.errors import ConfigurationError
from router.providers import Simulation
from router.providers._mapping.conditions import Condition
from router.providers._mapping.minor_units import home_network
from router.providers._mapping.model import BodyMapping
from router.providers._mapping.paths import put
from router.providers._mapping.rows import CURRENCIES, MappedEvent
from router.providers._signing import TimeUnit, moment_text

_EXACT = Context(prec=64, traps=[Inexact])
_WHOLE = Context(prec=64)
_AMOUNTS = ("amount", "movement_amount", "expected_amount", "converted")


@dataclass(frozen=True)
class SimulatedBody:
    """The members of a body, and the word for the event, which may be in a header."""

    members: dict[str, Any]
    word: str


def simulated(mapping: BodyMapping, wanted: Simulation) -> SimulatedBody:
    """Make the members of a simulated body. Raises KeyError if no word has this meaning."""
    word, row = _found(mapping, EventType(f"{wanted.kind}.{wanted.status}"))
    facts = _facts(mapping, row, wanted)
    members: dict[str, Any] = {}
    for path in mapping.identity:
        put(members, path, f"{_digest(mapping, wanted)[:24]}-{wanted.status}")
    for fact, path in row.paths.items():
        if fact in facts:
            put(members, path, facts[fact])
    if mapping.event is not None:
        put(members, mapping.event, word)
    if mapping.status is not None:
        put(members, mapping.status, _status(mapping, row))
    mode = mapping.test_if if wanted.test else mapping.live_if
    for conditions in (mapping.only_if, row.only_if, mode):
        _fulfil(members, conditions or {})
    return SimulatedBody(members, word)


def _found(mapping: BodyMapping, happened: EventType) -> tuple[str, MappedEvent]:
    for word, rows in mapping.meanings.items():
        for row in rows:
            if row.type is happened:
                return word, row
    raise KeyError(happened.status)


def _status(mapping: BodyMapping, row: MappedEvent) -> str:
    return next(word for word, meaning in mapping.statuses.items() if meaning is row.type)


def _fulfil(members: dict[str, Any], conditions: Mapping[str, Condition]) -> None:
    for path, condition in conditions.items():
        if condition.words:
            put(members, path, condition.words[0])
        elif condition.present and not _has(members, path):
            put(members, path, "present")


def _has(members: dict[str, Any], path: str) -> bool:
    value: Any = members
    for segment in path.split("."):
        value = value.get(segment) if isinstance(value, dict) else None
    return value is not None


def _digest(mapping: BodyMapping, wanted: Simulation) -> str:
    text = f"{mapping.gateway} {wanted.kind} {wanted.number}"
    return hashlib.sha256(text.encode()).hexdigest()


def _facts(mapping: BodyMapping, row: MappedEvent, wanted: Simulation) -> dict[str, object]:
    digest = _digest(mapping, wanted)
    network = mapping.fixed.network or home_network(wanted.currency)
    facts: dict[str, object] = {
        "provider_reference": f"{wanted.kind}_{digest[:24]}",
        "reference": wanted.order,
        "movement": f"{wanted.status}_{digest[24:48]}",
        "network": network,
        "tx_hash": f"0x{digest}",
        "occurred_at": told_moment(wanted.at, mapping.occurred_at_unit),
    }
    for amount in _AMOUNTS:
        currency = CURRENCIES[amount]
        if row.path(amount) is not None:
            code = getattr(mapping.fixed, currency) or wanted.currency
            facts[currency] = code
            facts[amount] = _written(mapping, wanted.amount, code, network)
    if row.path("currency") is not None:
        facts["currency"] = wanted.currency
    return facts


def told_moment(moment: datetime, unit: TimeUnit) -> str | int:
    """Write a time as the body contains it: a number for Unix time."""
    text = moment_text(moment, unit)
    return int(text) if text.isdigit() else text


def _written(mapping: BodyMapping, amount: str, currency: str, network: str) -> str | int:
    digits = mapping.minor_units
    if digits == 0:
        return amount
    if not isinstance(digits, int):
        digits = _decimals(mapping, currency, network)
    minor = Decimal(amount).scaleb(digits, _EXACT)
    if minor != minor.to_integral_value(context=_WHOLE):
        message = f"--amount: this gateway counts {digits} decimals"
        raise ConfigurationError(message)
    return int(minor)


def _decimals(mapping: BodyMapping, currency: str, network: str) -> int:
    digits = mapping.decimals_table.find(currency, (network,))
    if digits is None:
        message = f"--currency: the decimals of {currency} are unknown; see mapping.decimals"
        raise ConfigurationError(message)
    return digits
