"""The sorted form of a body, as BlockATM's sign-demo writes it: `amount=999&id=82&…`.

The rules are those of its Java code, the only runnable source of the vendor.
Different bodies can have the same form (a number and its text, null and no
member, a nested member and the same member at the top level), so
`refuse_hidden` refuses ambiguous bodies after the signature has matched.
"""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from itertools import dropwhile

from router.contract.strict_json import JsonValue, StrictJsonError, parse_as, unique_keys
from router.errors import NotUnderstood, Reason

V2_LARGEST = 32 * 1024
"""Bytes of the largest body of version 2 whose sorted form is made.

The field tables have fewer than 20 members, and the largest published body
600 bytes; 18 texts of 512 characters, the most that an event takes, are 10 KiB.
"""

V1_LARGEST = 128 * 1024
"""Bytes of the largest body of version 1 whose sorted form is made: 560 rows as published.

A batch of payouts is one transaction, and Ethereum bounds one at 16.8 million
gas (EIP-7825), which is about as many transfers of a token.
"""

_BYTES_PER_MARK = 8
_MARKS_OF_ANY = 512
"""Most marks (`:`, `,`, `{`, `[`) of a body, besides one for every 8 bytes.

A parser spends its time on marks. A genuine body has one in 11 to 21 bytes.
"""


def sorted_form(body: bytes, largest: int) -> str | None:
    """Return a JSON object in the signed order, or None if the body has no such form.

    Also returns None if the body is larger or denser than a genuine one: the form
    is made before verification, so it must not cost more than verification.
    """
    if len(body) > largest or _is_too_dense(body):
        return None
    try:
        segments = parse_as(body, _number, _object)
    except StrictJsonError:
        return None
    if not isinstance(segments, tuple):
        return None
    # The demo writes "&" only after some text: empty segments at the front vanish.
    text = "&".join(dropwhile(lambda segment: not segment, segments))
    return text if _has_utf8(text) else None


def _is_too_dense(body: bytes) -> bool:
    marks = sum(body.count(mark) for mark in (b":", b",", b"{", b"["))
    return (marks - _MARKS_OF_ANY) * _BYTES_PER_MARK > len(body)


def refuse_hidden(
    members: Mapping[str, JsonValue], known: Collection[str], rows: str | None = None
) -> None:
    """Raise NotUnderstood if another body could have the same form.

    A name or text that contains the form's separators may hide further members;
    a known member below the top level may have been moved there. Only the
    objects in the list `rows` may have known members.
    """
    for name, value in members.items():
        _refuse_separators(name)
        for inner in _texts(value):
            _refuse_separators(inner)
        below = _inner_names(value)
        if name == rows and isinstance(value, list):
            below = (deep for row in value for each in _inner(row) for deep in _inner_names(each))
        if any(inner in known for inner in below):
            raise NotUnderstood(Reason.AMBIGUOUS, "a known field is below the top level")


# While JSON is parsed, an object becomes the tuple of its segments and a number its text: the form
# does not distinguish a number from a text.
_Segments = tuple[str, ...]
_Part = _Segments | list["_Part"] | str | bool | None


def _object(pairs: list[tuple[str, _Part]]) -> _Segments:
    members = unique_keys(pairs)  # type: ignore[arg-type] # of other values
    names = sorted(members) if "".join(members).isascii() else sorted(members, key=_utf16)
    segments: list[str] = []
    for name in names:
        value = members[name]
        if isinstance(value, str):
            segments.append(f"{name}={value}")
        else:
            _append(segments, f"{name}=", value)  # type: ignore[arg-type] # as above
    return tuple(segments)


def _append(segments: list[str], prefix: str, value: _Part) -> None:
    if isinstance(value, tuple):
        segments.extend(value)
    elif isinstance(value, list):
        for element in value:
            _append(segments, "", element)
    elif isinstance(value, bool):
        segments.append(f"{prefix}{'true' if value else 'false'}")
    elif value is not None:
        segments.append(prefix + value)


def _number(text: str) -> str:
    if text.isdecimal():
        return text
    try:
        value = Decimal(text)
    except InvalidOperation:
        message = "a number's exponent is out of range"
        raise StrictJsonError(message) from None
    # Java's BigDecimal.toString and Python's str agree except for the sign of zero.
    return str(value or value.copy_abs())


def _utf16(name: str) -> bytes:
    # Java compares UTF-16 code units, which order differently from code points beyond the BMP.
    return name.encode("utf-16-be", "surrogatepass")


def _has_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_separators(text: str) -> None:
    if "&" in text or "=" in text:
        raise NotUnderstood(Reason.AMBIGUOUS, "text with & or = in a body signed in sorted form")


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from value
    for inner in _inner(value):
        yield from _texts(inner)


def _inner_names(value: JsonValue) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from value
    for inner in _inner(value):
        yield from _inner_names(inner)


def _inner(value: JsonValue) -> Collection[JsonValue]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()
