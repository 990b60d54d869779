"""What a mapping must fulfil as a whole. Each problem names its key and what would be right."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations
from typing import Annotated, Final

from pydantic import AfterValidator

from router.contract.event import EventType
from router.providers._mapping.conditions import exclude_each_other
from router.providers._mapping.model import BY_CURRENCY, BodyMapping
from router.providers._mapping.rows import CURRENCIES, FieldPaths, MappedEvent

WITHOUT_MONEY: Final = frozenset({"pending", "failed", "expired", "cancelled"})
"""These move no money, or an unknown amount; an event of every other status needs an amount."""

_RESERVED: Final = "operator"


def _names(mapping: BodyMapping) -> Iterator[str]:
    if mapping.gateway == _RESERVED:
        yield f"gateway: {_RESERVED} is reserved for facts that an operator records"
    if (mapping.event is None) is (mapping.event_header is None):
        yield "event: set event, a path in the body, or event_header"
    if (mapping.status is None) is not (not mapping.statuses):
        yield "status and statuses belong together"
    if (mapping.test_if is None) is not (mapping.live_if is None):
        yield "test_if and live_if belong together"
    if mapping.decimals and mapping.minor_units != BY_CURRENCY:
        yield f'decimals: needs minor_units = "{BY_CURRENCY}"'
    given = set().union(*(row.paths for row in mapping.every_meaning()))
    for name in sorted(mapping.fixed.model_fields_set & given):
        yield f"fixed.{name}: fields.{name} is given as well"


def _modes(mapping: BodyMapping) -> Iterator[str]:
    test, live = mapping.test_if, mapping.live_if
    if test and live and not exclude_each_other(test, live):
        yield "test_if and live_if can both hold: one field must tell them apart"


def _statuses(mapping: BodyMapping) -> Iterator[str]:
    if not mapping.statuses:
        return
    for row in mapping.every_meaning():
        if row.type is not None and row.type not in mapping.statuses.values():
            yield f"events.{row.name}: no word of statuses means {row.type}"


def _rows(mapping: BodyMapping) -> Iterator[str]:
    """Yield meanings of one word that do not exclude each other: none is preferred silently."""
    for rows in mapping.meanings.values():
        for one, other in combinations(rows, 2):
            if not exclude_each_other(one.only_if, other.only_if):
                yield (
                    f"events.{one.name} and events.{other.name} can both apply:"
                    " their only_if must need different words of one field"
                )


def _references(mapping: BodyMapping) -> Iterator[str]:
    for row in mapping.every_meaning():
        if row.type is not None and row.path("provider_reference") is None:
            yield f"events.{row.name}: needs fields.provider_reference"


def _money(mapping: BodyMapping) -> Iterator[str]:
    for row in mapping.every_meaning():
        if row.type is not None:
            yield from _money_of(mapping, row, row.type)


def _money_of(mapping: BodyMapping, row: MappedEvent, happened: EventType) -> Iterator[str]:
    paths = row.paths
    for amount, currency in CURRENCIES.items():
        if amount in paths and currency not in paths and getattr(mapping.fixed, currency) is None:
            yield f"fields.{amount}: needs fields.{currency} or fixed.{currency}"
    if "movement_amount" in paths and "movement" not in paths:
        yield f"events.{row.name}: movement_amount needs fields.movement"
    if happened.status not in WITHOUT_MONEY and not {"amount", "movement_amount"} & paths.keys():
        yield f"events.{row.name}: {happened} needs fields.amount or fields.movement_amount"


def _without(mapping: BodyMapping) -> Iterator[str]:
    for word, rows in mapping.events.items():
        for name in {name for row in rows for name in row.without} - FieldPaths.model_fields.keys():
            yield f"events.{word}: without: {name} is not a field"


def _paths(mapping: BodyMapping) -> Iterator[str]:
    """Yield each member of the body that would be a value and have members itself."""
    for row in mapping.every_meaning():
        paths = {*row.paths.values(), *mapping.identity, *_conditional(mapping, row)}
        paths |= {path for path in (mapping.event, mapping.status) if path}
        for outer in sorted(paths):
            inner = next((path for path in sorted(paths) if path.startswith(outer + ".")), None)
            if inner is not None:
                yield f"{outer} cannot be a field and hold {inner}"


def _conditional(mapping: BodyMapping, row: MappedEvent) -> Iterator[str]:
    """Yield the paths whose value a condition compares; `present` may ask for an object."""
    for conditions in (mapping.only_if, mapping.test_if, mapping.live_if, row.only_if):
        for path, condition in (conditions or {}).items():
            if condition.present is None:
                yield path


_CHECKS: Final[Sequence[Callable[[BodyMapping], Iterable[str]]]] = (
    _names,
    _modes,
    _statuses,
    _rows,
    _references,
    _money,
    _without,
    _paths,
)


def _checked(mapping: BodyMapping) -> BodyMapping:
    problems = dict.fromkeys(problem for check in _CHECKS for problem in check(mapping))
    if problems:
        # All in one error: the start reports each as a line.
        raise ValueError(*problems)
    return mapping


CheckedMapping = Annotated[BodyMapping, AfterValidator(_checked)]
"""A mapping without contradictions."""


def unconfirmed(mapping: BodyMapping) -> list[str]:
    """Return a problem for each pair of events that an unsigned event header could swap.

    Anyone who has seen a genuine delivery could send it again with another header, so the
    signed body must confirm the event's type.
    """
    if mapping.event_header is None or mapping.statuses:
        return []
    rows = [row for row in mapping.every_meaning() if row.type is not None]
    return [
        f"mapping.event_header: no signature covers it, so it could turn events.{one.name} into"
        f" events.{other.name}: add status and statuses, or an only_if to both"
        for one, other in combinations(rows, 2)
        if one.type is not other.type and not exclude_each_other(one.only_if, other.only_if)
    ]
