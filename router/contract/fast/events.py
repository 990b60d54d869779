"""Makes an event without pydantic's validation if each of its facts is plainly valid."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import AwareDatetime

from router.contract.amounts import MAX_DECIMALS, MAX_INTEGER_DIGITS, amount_text
from router.contract.event import Event, incompleteness
from router.contract.fields import MAX_TEXT, is_storable

_REQUIRED: Final = frozenset(name for name, one in Event.model_fields.items() if one.is_required())
_SIGNED: Final = frozenset({"fee"})
"""Amounts that may be negative."""

_UNKNOWN: Final = frozenset[type]()

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


def _are_plain(facts: Mapping[str, object]) -> bool:
    types = types_of_fields()
    texts: list[str] = []
    for name, fact in facts.items():
        if type(fact) not in types.get(name, _UNKNOWN):
            return False
        if isinstance(fact, str):
            texts.append(fact)
        elif not _is_plain(name, fact):
            return False
    return _are_plain_texts(texts)


def _is_plain(name: str, fact: object) -> bool:
    """Return whether a fact other than a text is valid as it is, given that its type is."""
    if isinstance(fact, Decimal):
        return _is_plain_amount(name, fact)
    if isinstance(fact, tuple):
        return all(type(text) is str for text in fact) and _are_plain_texts(fact)
    return not isinstance(fact, datetime) or fact.tzinfo is UTC


def _are_plain_texts(texts: Sequence[str]) -> bool:
    lengths = map(len, texts)
    return all(0 < length <= MAX_TEXT for length in lengths) and is_storable("".join(texts))


def _is_plain_amount(name: str, amount: Decimal) -> bool:
    """Return whether the contract can represent the amount as it is, with all its digits."""
    size = amount.copy_abs() if name in _SIGNED and amount else amount
    # An exponent far outside would be written out as a text of many digits.
    if not -MAX_DECIMALS <= size.adjusted() < MAX_INTEGER_DIGITS:
        return False
    return _AMOUNT.fullmatch(amount_text(size)) is not None
