"""JSON read with msgspec is JSON as the strict parser reads it, or is left to it."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.contract import strict_json
from router.contract.fast.bodies import parse_object, read_object
from router.contract.strict_json import MAX_DEPTH, StrictJsonError

_TEXT = st.text(max_size=6)
_NUMBER = st.sampled_from(
    [
        *("0", "-0", "-0.0", "-0e0", "1", "-1", "1.50", "1E+3", "1e-5", "1e400", "00", "1.", "-"),
        *("18446744073709551616", "9" * 40, "9" * 5000, "1e99999999999999999999", "NaN"),
    ]
)
_VALUE = st.recursive(
    _NUMBER
    | st.sampled_from(["true", "false", "null", "Infinity", "'a'"])
    | st.builds(json.dumps, _TEXT, ensure_ascii=st.booleans()),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda values: f"[{' ,'.join(values)}]")
        | st.lists(st.tuples(st.sampled_from("abc") | _TEXT, inner), max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{json.dumps(n)}: {v}" for n, v in pairs) + "}"
        )
    ),
    max_leaves=8,
)


def _judged(data: bytes) -> Mapping[str, object] | str:
    try:
        return strict_json.parse_object(data)
    except StrictJsonError as error:
        return str(error)


def _read(data: bytes) -> Mapping[str, object] | str:
    try:
        return parse_object(data)
    except StrictJsonError as error:
        return str(error)


def _agrees(data: bytes) -> bool:
    """Return whether the shorter way agrees with the strict parser, and digits with digits."""
    members = read_object(data)
    return members is None or repr(members) == repr(_judged(data))


@given(st.dictionaries(_TEXT, _VALUE, max_size=4))
def test_an_object_is_read_as_by_the_strict_parser(members: dict[str, str]) -> None:
    data = "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items()) + "}"

    assert _agrees(data.encode("utf-8", "surrogatepass"))
    assert repr(_read(data.encode("utf-8", "surrogatepass"))) == repr(
        _judged(data.encode("utf-8", "surrogatepass"))
    )


@given(st.binary(max_size=40))
@example(b'{"a":"\xff"}')
@example(b'{"a":"\xed\xa0\x80"}')
@example(b'{"\xc0\xaf":1}')
@example(b'\xef\xbb\xbf{"a":1}')
def test_any_bytes_are_read_as_by_the_strict_parser(data: bytes) -> None:
    assert _agrees(data)
    assert _read(data) == _judged(data)


@pytest.mark.parametrize(
    "data",
    [
        b'{"id":8210003616,"amount":"2000.00","paid":true,"none":null}',
        b'{"at":"2026-03-04T05:06:07-02:00","fee":-0.5,"list":[1,{"a":[2.50]}]}',
        '{"name":"Zoë 😀","rows":[{"a":"x"},{"a":"y"}]}'.encode(),
        b' \r\n{"a" : 123456789012345678901234567890 }\t',
        b"{}",
    ],
)
def test_a_plain_body_takes_the_shorter_way(data: bytes) -> None:
    assert repr(read_object(data)) == repr(strict_json.parse_object(data))


@pytest.mark.parametrize(
    "data",
    [
        *(b'{"a":1,"a":1}', b'{"a":1,"a":2}', b'{"a":"x","b":{"a":"","a":"y"}}'),
        *(b'{"a":[{"b":1,"b":1}]}', b'{"a":{"b":1},"a":{"b":1}}', b'{"":1,"":1}'),
        *(b'{"a":-0}', b'{"a": -0 }', b"[-0]", b'{"a":[1,-0]}', b'{"a":[\n-0]}'),
        *(b'{"\\u0061":1,"a":2}', b'{"a":"\\""}', b'{"a":"\\ud83d"}'),
        *(b'{"a":"\\n"}', b'{"a":"\\u0041"}', b'{"a":"\\/"}'),
        *(b'{"a":' + b"9" * 5000 + b"}", b'{"a":1e99999999999999999999}'),
        *(b"[]", b'"a"', b"1", b"null", b"", b"{", b'{"a":NaN}', b'{"a":1} x', b'{"a":1,}'),
    ],
)
def test_what_msgspec_might_read_otherwise_is_left_to_the_strict_parser(data: bytes) -> None:
    assert read_object(data) is None


@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 5000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_has_the_limit_of_the_strict_parser(
    depth: int, opening: bytes, closing: bytes
) -> None:
    data = b'{"a":' + opening * (depth - 1) + b"1" + closing * (depth - 1) + b"}"

    assert (read_object(data) is not None) is (depth <= MAX_DEPTH)
    assert _read(data) == _judged(data)
