"""A gateway's message, JSON or a form, with one word at a time replaced or removed."""

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

from router.contract.strict_json import StrictJsonError, parse_object

# Not a word of any gateway; excludes numbers and truth values, which some gateways use.
UNKNOWN: tuple[object, ...] = ("no-such-word", "CONFIRMED?", "", None, 77, 1.5, [], {})


def reworded(said: bytes) -> Iterator[bytes]:
    """Yield the message with each member in turn replaced by an unknown word, and removed."""
    try:
        parse_object(said)
    except StrictJsonError:
        yield from _form(said)
        return
    yield from _document(json.loads(said))


def _document(document: Any) -> Iterator[bytes]:  # noqa: ANN401 - JSON
    for path in list(_paths(document)):
        for value in UNKNOWN:
            yield _changed(document, path, [value])
        yield _changed(document, path, [])


def _changed(document: Any, path: tuple[Any, ...], value: list[object]) -> bytes:  # noqa: ANN401
    whole = copy.deepcopy(document)
    place = whole
    for name in path[:-1]:
        place = place[name]
    if value:
        place[path[-1]] = value[0]
    else:
        del place[path[-1]]
    return json.dumps(whole).encode()


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    names: Any = value if isinstance(value, dict) else ()
    for name in range(len(value)) if isinstance(value, list) else names:
        yield (*path, name)
        yield from _paths(value[name], (*path, name))


def _form(said: bytes) -> Iterator[bytes]:
    pairs = parse_qsl(said.decode("latin-1"), keep_blank_values=True)
    for place, (name, _) in enumerate(pairs):
        rest = [*pairs[:place], *pairs[place + 1 :]]
        yield urlencode(rest).encode()
        for value in UNKNOWN:
            changed = [*pairs[:place], (name, str(value)), *pairs[place + 1 :]]
            yield urlencode(changed).encode()
