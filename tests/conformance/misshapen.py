"""Malformed bodies that a gateway may sign."""

import json
from collections.abc import Callable, Mapping

_DEEP = 100


def _first_member(body: bytes) -> tuple[bytes, bytes]:
    """Split JSON into its first name and the text after the opening brace."""
    name = next(iter(json.loads(body)))
    return json.dumps(name).encode(), body[1:]


def _doubled(body: bytes) -> bytes:
    name, rest = _first_member(body)
    return b"{" + name + b":0," + rest


JSON_SHAPES: Mapping[str, Callable[[bytes], bytes]] = {
    "byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "Latin-1 in a text": lambda body: b'{"name":"caf\xe9",' + body[1:],
    "NaN": lambda body: b'{"rate":NaN,' + body[1:],
    "duplicate key": _doubled,
    "duplicate key below the top": lambda body: b'{"x":{"a":1,"a":2},' + body[1:],
    "list at the top": lambda body: b"[" + body + b"]",
    "trailing comma": lambda body: body[:-1] + b",}",
    "deep nesting": lambda body: b'{"x":' + b"[" * _DEEP + b"]" * _DEEP + b"," + body[1:],
    "cut off": lambda body: body[:-1],
    "UTF-16": lambda body: body.decode().encode("utf-16"),
    "text": lambda _: b"paid",
    "nothing": lambda _: b"",
}
"""Ways to break a JSON object; none leaves valid JSON in the sense of the contract."""

PAIR_SHAPES: Mapping[str, Callable[[bytes], bytes]] = {
    "Latin-1 in a text": lambda pairs: pairs + b"&name=caf\xe9",
    "Latin-1 escaped": lambda pairs: pairs + b"&name=caf%E9",
    "NaN": lambda pairs: pairs + b"&rate=NaN",
    "names doubled": lambda pairs: pairs + b"&" + pairs.replace(b"=", b"=9"),
    "pairs doubled": lambda pairs: pairs + b"&" + pairs,
    "byte order mark": lambda pairs: b"\xef\xbb\xbf" + pairs,
    "escapes cut off": lambda pairs: pairs + b"&x=%&y=%4",
    "a thousand pairs": lambda pairs: pairs + b"&x=1" * 1001,
    "text": lambda _: b"paid",
}
"""Ways to break a form or a query, which may leave the gateway's fields readable."""


def shapes(words: bytes) -> Mapping[str, bytes]:
    """Return the content in every malformed shape, by the name of the shape."""
    made = JSON_SHAPES if words.startswith(b"{") else PAIR_SHAPES
    return {name: spoil(words) for name, spoil in made.items()}
