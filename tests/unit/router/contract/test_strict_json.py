"""JSON without loss."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.contract.strict_json import (
    MAX_DEPTH,
    JsonValue,
    StrictJsonError,
    parse,
    parse_object,
    type_name,
)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner | st.text(), max_size=4)
    ),
    max_leaves=20,
)


def _scalars(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, dict):
        return [scalar for inner in value.values() for scalar in _scalars(inner)]
    if isinstance(value, list):
        return [scalar for inner in value for scalar in _scalars(inner)]
    return [value]


def _exact(value: object) -> object:
    if isinstance(value, dict):
        return {name: _exact(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(repr(value)) if number else value


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "1.10",
        "-0.00",
        "0.000001000000000000",
        "99999999999999999999.999999999999999999",
        "1E+3",
        "0.1",
    ],
)
def test_number_keeps_its_digits(text: str) -> None:
    value = parse(text.encode())

    assert isinstance(value, Decimal)
    assert text == str(value)


@given(st.integers(0, 10**20 - 1), st.integers(0, 10**18 - 1))
def test_twenty_digits_and_eighteen_decimals_are_read_exactly(whole: int, part: int) -> None:
    text = f"{whole}.{part:018}"

    assert text == format(Decimal(str(parse_object(f'{{"a":{text}}}'.encode())["a"])), "f")


@given(_JSON)
def test_written_json_is_read_back_without_floats(value: object) -> None:
    parsed = parse(json.dumps(value).encode())

    assert {type(scalar) for scalar in _scalars(parsed)} <= {Decimal, str, bool, type(None)}
    assert _exact(value) == parsed


@given(st.binary())
def test_any_bytes_are_json_or_a_strict_json_error(data: bytes) -> None:
    try:
        parse(data)
    except StrictJsonError as error:
        assert str(error)  # noqa: PT017 - both outcomes are right


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b'{"a":01}', "not JSON"),
        (b'{"a":1} x', "not JSON"),
        (b'{"a":"\n"}', "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b'\xed\xa0\x80"', "not UTF-8"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":Infinity}', "Infinity is not JSON"),
        (b'{"a":-Infinity}', "-Infinity is not JSON"),
        (b'{"a":1,"a":1}', "duplicate key"),
        (b'{"a":1,"\\u0061":2}', "duplicate key"),
        (b'{"x":[{"a":1,"a":2}]}', "duplicate key"),
        (b'{"a":1e99999999999999999999}', "out of range"),
        (b'{"a":1e-99999999999999999999}', "out of range"),
    ],
)
def test_invalid_json_is_refused_with_a_reason(data: bytes, said: str) -> None:
    with pytest.raises(StrictJsonError, match=said):
        parse_object(data)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"[]", "array"),
        (b'"a"', "string"),
        (b"1", "number"),
        (b"true", "boolean"),
        (b"null", "null"),
    ],
)
def test_top_level_must_be_an_object(data: bytes, name: str) -> None:
    with pytest.raises(StrictJsonError, match=f"got {name}"):
        parse_object(data)


def test_a_refusal_does_not_repeat_the_text() -> None:
    with pytest.raises(StrictJsonError) as refused:
        parse(b'{"secret": hush}')

    assert "hush" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_accepted_up_to_the_limit(opening: str, closing: str) -> None:
    def nested(depth: int) -> bytes:
        return (opening * depth + "1" + closing * depth).encode()

    parse(nested(MAX_DEPTH))
    with pytest.raises(StrictJsonError, match="nested deeper"):
        parse(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize("data", [b"[" * 200_000, b'{"a":' * 50_000, b'"' * 100_001, b'["\\' * 999])
def test_endless_nesting_only_raises_an_error(data: bytes) -> None:
    with pytest.raises(StrictJsonError):
        parse(data)


def test_brackets_within_text_do_not_nest() -> None:
    text = "[{" * 100 + '"\\'

    assert parse(json.dumps([text]).encode()) == [text]


def test_many_brackets_side_by_side_do_not_nest() -> None:
    assert parse(b"[" + b"[]," * 500 + b"[]]") == [[]] * 501


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({}, "object"),
        ([], "array"),
        ("", "string"),
        (Decimal(1), "number"),
        (False, "boolean"),
        (None, "null"),
    ],
)
def test_every_type_has_its_json_name(value: JsonValue, name: str) -> None:
    assert name == type_name(value)
