"""Verification of deliveries, common to all gateways."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.delivery import Delivery
from router.errors import Reason, Unauthentic
from router.providers import Key
from router.providers._signing import (
    Scheme,
    Signed,
    fingerprint,
    from_unix_ms,
    hex_signature,
    hmac_sha256,
    is_hmac_sha256,
    is_one_of_hmacs,
    one_header,
    prove,
    signature_header,
    signed_unix_ms,
    time_header,
    undoubled,
    unix_ms_text,
)

_NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
_SIGNED = Signed(_NOW, ("x-signature",))
_OLD = Key(b"old secret", "fp:000001")
_NEW = Key(b"new secret", "fp:000002")


def _delivery(*headers: tuple[str, str]) -> Delivery:
    return Delivery("shop", "shop", "POST", "/webhooks/shop", headers, b"{}", _NOW)


def _scheme(name: str, message: bytes | None) -> Scheme:
    return Scheme(name, lambda: message)


def test_single_header_is_returned_as_sent() -> None:
    assert signature_header(_delivery(("x-signature", " Ab ")), "x-signature") == " Ab "


@pytest.mark.parametrize(
    ("values", "signature_reason", "time_reason"),
    [
        ((), Reason.SIGNATURE_MISSING, Reason.TIME_MISSING),
        (("a", "a"), Reason.SIGNATURE_DUPLICATED, Reason.TIME_DUPLICATED),
    ],
)
def test_missing_or_repeated_header_is_refused_with_its_own_reason(
    values: tuple[str, ...], signature_reason: Reason, time_reason: Reason
) -> None:
    delivery = _delivery(*(("x-header", value) for value in values))

    with pytest.raises(Unauthentic) as signature:
        signature_header(delivery, "x-header")
    with pytest.raises(Unauthentic) as time:
        time_header(delivery, "x-header")

    assert (signature_reason, time_reason) == (signature.value.reason, time.value.reason)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("a",), ("a",)),
        (("a", "a"), ("a",)),
        (("a", "a, a"), ("a",)),
        (("a, a",), ("a",)),
        (("t=1,v1=a, t=1,v1=a",), ("t=1,v1=a",)),
        (("a", "b"), ("a", "b")),
        (("a, b",), ("a, b",)),
        (("a,a",), ("a,a",)),
        ((", ",), (", ",)),
        ((), ()),
    ],
)
def test_header_repeated_unchanged_counts_once(
    values: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    other = ("x-other", "1"), ("x-other", "1")
    delivery = _delivery(*other, *(("x-header", value) for value in values))

    single = undoubled(delivery, ("x-header", "x-missing"))

    assert single.header("x-header") == expected
    assert single.header("x-other") == ("1", "1")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_of_several_signatures_is_enough(place: int) -> None:
    others = [b"\0" * 32, b"\1" * 32]
    given = [*others[:place], hmac_sha256(b"secret", b"form"), *others[place:]]

    assert is_one_of_hmacs(given, "sha256")(b"secret", b"form")
    assert not is_one_of_hmacs(others, "sha256")(b"secret", b"form")
    assert not is_one_of_hmacs((), "sha256")(b"secret", b"form")
    assert not is_one_of_hmacs([hmac_sha256(b"", b"form")], "sha256")(b"", b"form")


def test_another_header_may_have_its_own_reasons() -> None:
    with pytest.raises(Unauthentic) as refused:
        one_header(_delivery(), "x-id", Reason.FIELD_MISSING, Reason.AMBIGUOUS)

    assert refused.value.reason is Reason.FIELD_MISSING


def test_lower_case_hex_of_the_right_length_is_decoded() -> None:
    assert bytes(range(32)) == hex_signature(bytes(range(32)).hex())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AB" * 32,
        "ab" * 31,
        "ab" * 33,
        "zz" * 32,
        "0x" + "ab" * 31,
        "ab" * 32 + "\n",
        " " + "ab" * 32,
        "\N{FULLWIDTH DIGIT ONE}" * 64,
    ],
)
def test_signature_in_another_spelling_is_malformed(text: str) -> None:
    with pytest.raises(Unauthentic) as refused:
        hex_signature(text)

    assert refused.value.reason is Reason.SIGNATURE_MALFORMED
    assert "ab" not in refused.value.detail


def test_signatures_may_have_another_length() -> None:
    assert hex_signature("0102", length=2) == b"\x01\x02"


@given(st.integers(min_value=0, max_value=253402300799999))
def test_milliseconds_are_read_and_written_without_loss(milliseconds: int) -> None:
    moment = from_unix_ms(str(milliseconds))

    assert str(milliseconds) == unix_ms_text(moment)
    assert moment.utcoffset() == timedelta(0)
    assert moment.microsecond % 1000 == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "+1",
        "1.0",
        "1e3",
        " 1",
        "1\n",
        "1_0",
        "0" * 17,
        "9" * 16,
        "253402300800000",
        "\u0661",
    ],
)
def test_malformed_signed_time_is_refused(text: str) -> None:
    with pytest.raises(Unauthentic) as refused:
        signed_unix_ms(text)

    assert refused.value.reason is Reason.TIME_MALFORMED


def test_first_matching_scheme_and_key_are_recorded() -> None:
    signature = hmac_sha256(_NEW.secret, b"second form")
    schemes = [_scheme("first", b"first form"), _scheme("second", b"second form")]

    verified = prove(_delivery(), schemes, [_OLD, _NEW], is_hmac_sha256(signature), _SIGNED)

    assert verified.verification.scheme == "second"
    assert verified.verification.key == "fp:000002"
    assert verified.signed_at == _NOW
    assert verified.signed_headers == ("x-signature",)


def test_later_schemes_are_not_computed_after_a_match() -> None:
    signature = hmac_sha256(_OLD.secret, b"form")
    asked: list[str] = []
    schemes = [_scheme("first", b"form"), Scheme("second", lambda: asked.append("second"))]

    prove(_delivery(), schemes, [_OLD], is_hmac_sha256(signature), _SIGNED)

    assert asked == []


def test_missing_form_matches_no_key() -> None:
    with pytest.raises(Unauthentic) as refused:
        prove(_delivery(), [_scheme("sorted", None)], [_OLD], lambda *_: True, _SIGNED)

    assert refused.value.reason is Reason.SIGNATURE_WRONG


@pytest.mark.parametrize("keys", [[], [_NEW]])
def test_without_the_right_key_the_signature_is_wrong(keys: list[Key]) -> None:
    check = is_hmac_sha256(hmac_sha256(_OLD.secret, b"form"))

    with pytest.raises(Unauthentic) as refused:
        prove(_delivery(), [_scheme("raw", b"form")], keys, check, _SIGNED)

    assert refused.value.reason is Reason.SIGNATURE_WRONG


def test_an_empty_secret_proves_nothing() -> None:
    check = is_hmac_sha256(hmac_sha256(b"", b"form"))

    assert not check(b"", b"form")


def test_fingerprint_is_short_stable_and_distinguishes_secrets() -> None:
    assert fingerprint(b"old secret") == "fp:ce9636"
    assert fingerprint(b"new secret") != fingerprint(b"old secret")


def test_a_fingerprint_is_not_the_plain_hash_of_the_secret() -> None:
    assert hashlib.sha256(b"old secret").hexdigest()[:6] not in fingerprint(b"old secret")
