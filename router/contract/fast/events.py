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
from router.contract.fast.decoding import model_of
from router.contract.fields import MAX_TEXT, is_storable
from router.contract.identity import OPERATOR

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
    shape = _shape_of(tuple(facts), tuple(map(type, facts.values())))
    if shape is None or not _are_plain(facts, shape):
        return None
    return model_of(Event, {**_blank(), **facts}, set(facts))


@cache
def _blank() -> Mapping[str, object]:
    """Return the fields of an event in their order, without facts."""
    missing: dict[str, Any] = dict.fromkeys(_REQUIRED)
    return vars(Event.model_construct(**missing))


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
    """Return what has to be checked; None if such facts are not plainly those of an event."""
    known, typed = types_of_fields(), dict(zip(names, types, strict=True))
    if not typed.keys() >= _REQUIRED or not _is_complete(typed):
        return None
    if any(found not in known.get(name, _UNKNOWN) for name, found in typed.items()):
        return None
    texts, amounts, moments, lists = (
        tuple(name for name, found in typed.items() if issubclass(found, kind))
        for kind in (str, Decimal, datetime, tuple)
    )
    return _Shape(texts, amounts, moments, lists)


def _is_complete(typed: Mapping[str, type]) -> bool:
    """Return whether an event with facts of these types is complete, and no operator's.

    Facts recorded by an operator are rare: pydantic decides about them.
    """
    stand_ins = {name: None if found is type(None) else "-" for name, found in typed.items()}
    event = model_of(Event, {**_blank(), **stand_ins}, set(typed))
    return event.recorded is None and incompleteness(event) is None


def _are_plain(facts: Mapping[str, object], shape: _Shape) -> bool:
    values: Mapping[str, Any] = facts
    for name in shape.amounts:
        if not _is_plain_amount(name, values[name]):
            return False
    for name in shape.moments:
        if values[name].tzinfo is not UTC:
            return False
    for name in shape.lists:
        if not _is_plain_list(values[name]):
            return False
    return values["provider"] != OPERATOR and _are_plain_texts([values[t] for t in shape.texts])


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
