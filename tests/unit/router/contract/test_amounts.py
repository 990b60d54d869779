"""Money, exactly."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from router.contract.amounts import (
    MAX_DECIMALS,
    MAX_INTEGER_DIGITS,
    Amount,
    AmountError,
    SignedAmount,
    amount_text,
    parse_amount,
    parse_signed_amount,
    value_text,
)

_FIELD: TypeAdapter[Decimal] = TypeAdapter(Amount)
_SIGNED: TypeAdapter[Decimal] = TypeAdapter(SignedAmount)

_TEXTS = st.builds(
    lambda whole, part: f"{whole}.{part}" if part else str(whole),
    st.integers(0, 10**MAX_INTEGER_DIGITS - 1),
    st.text("0123456789", max_size=MAX_DECIMALS),
)


@given(_TEXTS)
def test_every_amount_of_the_contract_comes_back_digit_for_digit(text: str) -> None:
    assert text == amount_text(parse_amount(text))


@given(_TEXTS)
def test_amount_is_text_in_json_and_never_a_float(text: str) -> None:
    written = _FIELD.dump_json(parse_amount(text))

    assert json.loads(written) == text
    assert str(_FIELD.validate_json(written)) == str(parse_amount(text))


@given(_TEXTS, st.integers(0, 30))
def test_equal_amounts_have_equal_value_texts(text: str, zeros: int) -> None:
    longer = text + ("" if "." in text else ".") + "0" * zeros

    assert value_text(parse_amount(text)) == value_text(parse_amount(longer))
    assert Decimal(value_text(parse_amount(longer))) == Decimal(text)


@given(st.decimals() | st.text(max_size=30))
def test_anything_is_an_exact_amount_or_an_amount_error(value: Decimal | str) -> None:
    try:
        amount = parse_amount(value)
    except AmountError:
        return
    assert amount == Decimal(value)
    assert len(amount_text(amount)) <= MAX_INTEGER_DIGITS + 1 + MAX_DECIMALS


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2000.00", "2000.00"),
        ("0", "0"),
        ("0.00", "0.00"),
        ("007.50", "7.50"),
        ("1E+3", "1000"),
        ("1e-18", "0.000000000000000001"),
        ("1E+19", "1" + "0" * 19),
        ("9" * 20 + "." + "9" * 18, "9" * 20 + "." + "9" * 18),
        ("1." + "0" * 19, "1." + "0" * 18),
        ("0E-40", "0." + "0" * 18),
        ("0E+999999", "0"),
        (Decimal("13.410037"), "13.410037"),
    ],
)
def test_an_amount_is_kept_as_written_in_plain_digits(value: Decimal | str, text: str) -> None:
    assert text == amount_text(parse_amount(value))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1.5, "text or a Decimal, not float"),
        (1, "text or a Decimal, not int"),
        (True, "text or a Decimal, not bool"),
        (None, "text or a Decimal, not NoneType"),
        (b"1", "text or a Decimal, not bytes"),
        ("", "decimal digits"),
        ("one", "decimal digits"),
        ("1,5", "decimal digits"),
        ("1_000", "decimal digits"),
        (" 1", "decimal digits"),
        ("1\n", "decimal digits"),
        ("\u0661", "decimal digits"),
        ("0x10", "decimal digits"),
        ("1e99999999999999999999", "decimal digits"),
        ("NaN", "finite"),
        ("sNaN", "finite"),
        ("-Infinity", "finite"),
        (Decimal("NaN"), "finite"),
        ("-1", "must not be negative"),
        ("-0", "must not be negative"),
        (Decimal("-0.01"), "must not be negative"),
        ("1" + "0" * 20, "20 integer digits"),
        ("1E+20", "20 integer digits"),
        ("1E+999999999999999999", "20 integer digits"),
        ("0." + "0" * 18 + "1", "18 decimals"),
        ("1E-999999999999999999", "18 decimals"),
    ],
)
def test_unrepresentable_amount_is_refused_with_a_reason(value: object, said: str) -> None:
    with pytest.raises(AmountError, match=said):
        parse_amount(value)


@pytest.mark.parametrize("written", ["1.5", "1", "true", "null", '"NaN"', '"-1"'])
def test_a_field_takes_no_json_number_and_no_bad_text(written: str) -> None:
    with pytest.raises(ValidationError):
        _FIELD.validate_json(written)


@given(_TEXTS, st.booleans())
def test_a_signed_amount_keeps_its_digits_and_its_sign(text: str, below: bool) -> None:  # noqa: FBT001 - drawn
    sign = "-" if below and Decimal(text) else ""
    written = _SIGNED.dump_json(parse_signed_amount(("-" if below else "") + text))

    assert json.loads(written) == sign + text
    assert str(_SIGNED.validate_json(written)) == str(parse_signed_amount(sign + text))


@pytest.mark.parametrize(
    ("value", "said"),
    [("--1", "decimal digits"), ("-NaN", "finite"), ("-" + "1" * 21, "20 integer digits")],
)
def test_a_signed_amount_has_the_bounds_of_any_other(value: str, said: str) -> None:
    with pytest.raises(AmountError, match=said):
        parse_signed_amount(value)
