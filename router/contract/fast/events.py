"""Makes an event without pydantic's validation if each of its facts is plainly valid."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import AwareDatetime

from router.contract.amounts import MAX_DECIMALS, MAX_INTEGER_DIGITS, amount_text
from router.contract.event import Event, incompleteness
from router.contract.fields import MAX_TEXT, is_storable

_REQUIRED: Final = frozenset(name for name, one in Event.model_fields.items() if one.is_required())
_SIGNED: Final = frozenset({"fee"})
"""Amounts that may be negative."""

_UNKNOWN: Final = frozenset[type]()

_SHAPES: Final = 1024
"""Shapes of events that are remembered. One gateway's events have a few dozen."""

# As in the published schema.
_AMOUNT = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,18})?")


def plain_event(facts: Mapping[str, object]) -> Event | None:
    """Return the event with these facts, by the names of its fields.

    It is the one that `Event.model_validate` makes. Returns None if a fact is not plainly valid,
    which does not mean that it is invalid: pydantic decides, and its error has the reason.
    """
    if not facts.keys() >= _REQUIRED or not _are_plain(facts):
        return None
    event = _blank().model_copy(update=facts)
    return event if incompleteness(event) is None else None


@cache
def _blank() -> Event:
    """Return an event without facts, whose required fields have yet to be given."""
    missing: dict[str, Any] = dict.fromkeys(_REQUIRED)
    return Event.model_construct(**missing)


@cache
def types_of_fields() -> Mapping[str, frozenset[type]]:
    """Return the types that the fields of a valid event may have."""
    return {name: frozenset(_types(one.annotation)) for name, one in Event.model_fields.items()}


def _types(hint: Any) -> Iterator[type]:  # noqa: ANN401 - a type, or several
    if hint is AwareDatetime:
        yield datetime
    elif get_origin(hint) is Annotated:
        yield from _types(get_args(hint)[0])
    elif isinstance(hint, type) and get_origin(hint) is None:
        yield hint
    elif get_origin(hint) is tuple:
        yield tuple
    else:
        for each in get_args(hint):
            yield from _types(each)


@dataclass(frozen=True)
class _Shape:
    """The facts whose values have to be checked, in events with the same names and types."""

    texts: tuple[str, ...]
    amounts: tuple[str, ...]
    moments: tuple[str, ...]
    lists: tuple[str, ...]


@lru_cache(maxsize=_SHAPES)
def _shape_of(names: tuple[str, ...], types: tuple[type, ...]) -> _Shape | None:
    """Return what has to be checked; None if a fact does not have a type of its field."""
    known, typed = types_of_fields(), dict(zip(names, types, strict=True))
    if any(found not in known.get(name, _UNKNOWN) for name, found in typed.items()):
        return None
    texts, amounts, moments, lists = (
        tuple(name for name, found in typed.items() if issubclass(found, kind))
        for kind in (str, Decimal, datetime, tuple)
    )
    return _Shape(texts, amounts, moments, lists)


def _are_plain(facts: Mapping[str, object]) -> bool:
    values: Mapping[str, Any] = facts
    shape = _shape_of(tuple(facts), tuple(map(type, facts.values())))
    return (
        shape is not None
        and _are_plain_texts([values[name] for name in shape.texts])
        and all(_is_plain_amount(name, values[name]) for name in shape.amounts)
        and all(values[name].tzinfo is UTC for name in shape.moments)
        and all(_is_plain_list(values[name]) for name in shape.lists)
    )


def _is_plain_list(texts: Sequence[object]) -> bool:
    found = [text for text in texts if type(text) is str]
    return not texts or (len(found) == len(texts) and _are_plain_texts(found))


def _are_plain_texts(texts: Sequence[str]) -> bool:
    lengths = [len(text) for text in texts]
    return not texts or (
        min(lengths) > 0 and max(lengths) <= MAX_TEXT and is_storable("".join(texts))
    )


def _is_plain_amount(name: str, amount: Decimal) -> bool:
    """Return whether the contract can represent the amount as it is, with all its digits."""
    if _AMOUNT.fullmatch(str(amount)) is not None:
        return True
    size = amount.copy_abs() if name in _SIGNED and amount else amount
    # An exponent far outside would be written out as a text of many digits.
    if not -MAX_DECIMALS <= size.adjusted() < MAX_INTEGER_DIGITS:
        return False
    return _AMOUNT.fullmatch(amount_text(size)) is not None
