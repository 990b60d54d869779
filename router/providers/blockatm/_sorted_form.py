"""A body as BlockATM's sign-demo writes it before signing: `amount=999&id=82&…`.

The rules are those of its Java, the only one of the vendor's texts that runs.
The form is not injective (a number and its text, null and nothing, an outer
name and none read the same), so `refuse_hidden` says what may not be believed
after it has matched.
"""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from itertools import dropwhile

from router.contract.strict_json import JsonValue, StrictJsonError, parse_object
from router.errors import NotUnderstood, Reason


def sorted_form(body: bytes) -> str | None:
    """Write a JSON object in the signed order, or None where the body has no such form."""
    try:
        segments = list(_members(parse_object(body)))
    except StrictJsonError:
        return None
    # The demo writes "&" only behind something: empty segments at the front leave no trace.
    text = "&".join(dropwhile(lambda segment: not segment, segments))
    return text if _has_utf8(text) else None


def refuse_hidden(
    members: Mapping[str, JsonValue], known: Collection[str], rows: str | None = None
) -> None:
    """Raise NotUnderstood where the same form could be that of another body.

    A name or text with the form's own separators may hold further members; a
    known member below the top has been moved there, or was never a member.
    Only the objects in the list `rows` hold known members of their own.
    """
    for name, value in members.items():
        _refuse_separators(name)
        for inner in _texts(value):
            _refuse_separators(inner)
        below = _inner_names(value)
        if name == rows and isinstance(value, list):
            below = (deep for row in value for each in _inner(row) for deep in _inner_names(each))
        if any(inner in known for inner in below):
            raise NotUnderstood(Reason.AMBIGUOUS, "a known field stands below the top level")


def _members(members: Mapping[str, JsonValue]) -> Iterator[str]:
    for name in sorted(members, key=_utf16):
        yield from _segments(f"{name}=", members[name])


def _segments(prefix: str, value: JsonValue) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _members(value)
    elif isinstance(value, list):
        for element in value:
            yield from _segments("", element)
    elif value is not None:
        yield prefix + _scalar(value)


def _scalar(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        # Java's BigDecimal.toString and Python's str agree but for the sign of zero.
        return str(value or value.copy_abs())
    return str(value)


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
        raise NotUnderstood(Reason.AMBIGUOUS, "text with & or = under the sorted signature")


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
