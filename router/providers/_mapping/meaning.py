"""The meaning of a verified delivery by a mapping: one event, or the reason for none."""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from router.contract.amounts import value_text
from router.contract.event import Event
from router.delivery import VerifiedDelivery
from router.errors import IgnoredEvent, NotUnderstood, Reason
from router.providers._mapping.checks import WITHOUT_MONEY
from router.providers._mapping.conditions import hold
from router.providers._mapping.model import BY_CURRENCY, BodyMapping
from router.providers._mapping.paths import fields_of, moment_at
from router.providers._mapping.rows import CURRENCIES, MappedEvent
from router.providers._reading import (
    Descriptions,
    Fields,
    happening,
    malformed,
    network_name,
    refused,
    required,
)
from router.providers._signing import moment_reader

_T = TypeVar("_T")
_WHOLE = re.compile(r"-?[0-9]{1,60}")

_SIGNED = frozenset({"fee"})
"""Amounts that may be negative."""


def event_of(
    mapping: BodyMapping, verified: VerifiedDelivery, identity: Sequence[str] | None = None
) -> Event:
    """Return the event; without `identity`, the mapping's own fields make it.

    Raises NotUnderstood, and IgnoredEvent for an event that the mapping lists to ignore.
    """
    fields = fields_of(verified)
    word = _word(mapping, verified, fields)
    row = _meaning(mapping, fields, word)
    if row.type is None:
        raise IgnoredEvent(word)
    _confirm(mapping, fields, row)
    facts = _facts(mapping, fields, row)
    own = identity or _identity(mapping, fields, (word, row.type.value), facts)
    described = _described(mapping, fields, row)
    return happening(verified, mapping.gateway, row.type, own, facts, described)


def _word(mapping: BodyMapping, verified: VerifiedDelivery, fields: Fields) -> str:
    if mapping.event is not None:
        return required(mapping.event, fields.identifier(mapping.event))
    name = mapping.header or ""
    values = set(verified.delivery.header(name))
    if len(values) > 1:
        raise refused(Reason.AMBIGUOUS, name, "the header has several values")
    return required(name, next(iter(values), None))


def _meaning(mapping: BodyMapping, fields: Fields, word: str) -> MappedEvent:
    place = mapping.event or mapping.header or "event"
    if mapping.only_if is not None and not hold(mapping.only_if, fields):
        raise refused(Reason.UNKNOWN_EVENT, "mapping.only_if", "does not hold")
    rows = mapping.meanings.get(word)
    if rows is None:
        raise refused(Reason.UNKNOWN_EVENT, place, "a word that mapping.events has not")
    row = next((row for row in rows if hold(row.only_if, fields)), None)
    if row is None:
        raise refused(Reason.UNKNOWN_STATUS, f"mapping.events.{word}", "no only_if holds")
    return row


def _confirm(mapping: BodyMapping, fields: Fields, row: MappedEvent) -> None:
    """Check that the second word, if there is one, has the same meaning."""
    if mapping.status is None:
        return
    status = required(mapping.status, fields.identifier(mapping.status))
    if status not in mapping.statuses:
        raise refused(Reason.UNKNOWN_STATUS, mapping.status, "not among mapping.statuses")
    if mapping.statuses[status] is not row.type:
        raise NotUnderstood(Reason.AMBIGUOUS, f"{mapping.status}: not that of {row.type}")


def _identity(
    mapping: BodyMapping, fields: Fields, words: Sequence[str], facts: dict[str, object]
) -> list[str]:
    if mapping.identity:
        return [required(path, fields.identifier(path)) for path in mapping.identity]
    # A status can repeat with new money: a second refund, a corrected total.
    decisive = [facts[name] for name in ("provider_reference", "movement")]
    amounts = [facts.get(name) for name in ("amount", "movement_amount")]
    texts = [value_text(each) if isinstance(each, Decimal) else "" for each in amounts]
    return [*(str(each or "") for each in decisive), *words, *texts]


def _facts(mapping: BodyMapping, fields: Fields, row: MappedEvent) -> dict[str, object]:
    payment, reference = row.path("provider_reference") or "", row.path("reference")
    movement = row.path("movement")
    facts: dict[str, object] = {
        "provider_reference": required(payment, fields.identifier(payment)),
        "reference": reference and fields.identifier(reference),
        "movement": movement and fields.identifier(movement),
        "test": _test(mapping, fields),
        **row.constants,
    }
    networks = _networks(mapping, fields, row)
    for amount in CURRENCIES:
        facts |= _money(mapping, fields, row, amount, networks)
    _require_money(row, facts)
    return facts


def _require_money(row: MappedEvent, facts: dict[str, object]) -> None:
    total, part = facts.get("amount"), facts.get("movement_amount")
    if part is not None:
        required(row.path("movement") or "movement", facts["movement"])
    elif total is None and row.type is not None and row.type.status not in WITHOUT_MONEY:
        place = row.path("amount") or row.path("movement_amount") or "amount"
        raise refused(Reason.FIELD_MISSING, place, "required")


def _test(mapping: BodyMapping, fields: Fields) -> bool | None:
    """Return whether the body marks its money as test money, None if it has no mark.

    Raises NotUnderstood for any other word, since the money might be real.
    """
    test, live = mapping.test_if, mapping.live_if
    if test is None or live is None:
        return None
    if hold(test, fields):
        return True
    if hold(live, fields):
        return False
    if all(fields.value(path) is None for path in (*test, *live)):
        return None
    raise malformed(next(iter(test)), "neither test_if nor live_if holds")


def _money(
    mapping: BodyMapping,
    fields: Fields,
    row: MappedEvent,
    name: str,
    networks: Sequence[str] | None,
) -> dict[str, object]:
    path, currency = row.path(name), CURRENCIES[name]
    place = row.path(currency)
    code = mapping.currency(getattr(mapping.fixed, currency) or (place and fields.text(place)))
    facts: dict[str, object] = {} if code is None else {currency: code}
    if path is None or not fields.has(path):
        return facts
    known = required(place or currency, code)
    digits = _digits(mapping, place or f"fixed.{currency}", known, networks)
    if mapping.minor_units == BY_CURRENCY and not _is_whole(fields.value(path)):
        raise malformed(path, "expected a whole number of minor units")
    read = fields.fee if name in _SIGNED else fields.amount
    return {**facts, name: read(path, digits)}


def _digits(mapping: BodyMapping, place: str, currency: str, networks: Sequence[str] | None) -> int:
    if isinstance(mapping.minor_units, int):
        return mapping.minor_units
    digits = mapping.decimals_table.find(currency, networks)
    if digits is None:
        where = "" if networks is None else " on this network"
        wanted = f"a currency{where} whose decimals are known; see mapping.decimals"
        raise refused(Reason.AMOUNT_UNREPRESENTABLE, place, wanted)
    return digits


def _is_whole(value: object) -> bool:
    # A currency without decimals has a minor unit too, which cannot be divided.
    return isinstance(value, str | Decimal) and _WHOLE.fullmatch(str(value)) is not None


def _networks(mapping: BodyMapping, fields: Fields, row: MappedEvent) -> Sequence[str] | None:
    """Return names and chain ids of the network; None if the mapping has no field for it.

    Only tokens need them, and one that cannot be read is the same as an unknown one.
    """
    if mapping.fixed.network is not None:
        return (mapping.fixed.network,)
    paths = [path for path in map(row.path, ("network", "chain_id")) if path]
    if not paths:
        return None
    found = (_quietly(fields.identifier, path) for path in paths)
    return tuple(name for name in found if name is not None)


def _quietly(read: Callable[[str], str | None], path: str) -> str | None:
    try:
        return read(path)
    except NotUnderstood:
        return None


def _described(mapping: BodyMapping, fields: Fields, row: MappedEvent) -> Descriptions:
    fixed, moment = mapping.fixed.network, moment_reader(mapping.occurred_at_unit)

    def at(fact: str, read: Callable[[str], _T | None]) -> Callable[[], _T | None]:
        path = row.path(fact)
        return lambda: None if path is None else read(path)

    network = at("network", fields.text)
    return {
        "network": lambda: network_name(fixed or network()),
        "chain_id": at("chain_id", fields.identifier),
        "tx_hash": at("tx_hash", fields.text),
        "from_address": at("from_address", fields.text),
        "to_address": at("to_address", fields.text),
        "customer.id": at("customer_id", fields.identifier),
        "customer.email": at("customer_email", fields.text),
        "occurred_at": at("occurred_at", lambda path: moment_at(fields, path, moment)),
    }
