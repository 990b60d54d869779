"""Verification of BlockATM deliveries."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import Reason, Unauthentic
from router.providers import Key
from router.providers.blockatm import PROVIDER
from router.providers.blockatm._sorted_form import V1_LARGEST, V2_LARGEST, sorted_form
from tests.parts.providers.blockatm_deliveries import (
    KEY,
    PAYMENT,
    TIME,
    body_of,
    delivery,
    sample,
    signature,
    signed,
    verified,
)

_RAW = "blockatm-v2-raw"
_SORTED = "blockatm-v2-sorted"

# The vendor's pages have no test vector. Published bodies are from these pages; the
# signatures over them were made with other programs.
_VECTORS = [
    (
        "published-numbers-compact",
        _SORTED,
        "dc6eb4a1d14c5db3f48c6d66f8ba4697d1ddd99bf8bbaf87eefcb4bf5db3d963",
    ),
    (
        "published-numbers-compact",
        _RAW,
        "0bebc162f85ae1b570ce941c271c071f42baa8369b0cdbe4fd53165a0d13499a",
    ),
    (
        "published-payment-compact",
        _SORTED,
        "7ff3c4c25d55af41a39be565d31120134764c280885fb1c24961ff76db033daa",
    ),
    (
        "published-payment-compact",
        _RAW,
        "26a0431d97b1d4078acfcaf94151623a184c339df890cf5d3aba4f3c9c382053",
    ),
    (
        "published-payment",
        _SORTED,
        "7ff3c4c25d55af41a39be565d31120134764c280885fb1c24961ff76db033daa",
    ),
    (
        "published-payout",
        _SORTED,
        "e0e4bb8210b9d550fd49795b081776781bfb918b7e4150d7e5c16c78f208f5b0",
    ),
    (
        "rendering-edges",
        _SORTED,
        "166b9acfb9a21a722a6f864864109abd369e1d66e712fd689e77df28d1c66472",
    ),
]


def _headers(signature: str, time: str = TIME) -> tuple[tuple[str, str], ...]:
    return (("blockatm-signature-v2", signature), ("blockatm-request-time", time))


@pytest.mark.parametrize(("name", "scheme", "signature"), _VECTORS)
def test_known_signature_verifies_with_its_scheme(name: str, scheme: str, signature: str) -> None:
    proved = verified(delivery(sample(name), *_headers(signature)))

    assert proved.verification.scheme == scheme
    assert proved.verification.key == KEY.fingerprint
    assert proved.signed_at == datetime(2025, 3, 27, 7, 24, 28, tzinfo=UTC)


@pytest.mark.parametrize(("name", "scheme", "signature"), _VECTORS)
def test_known_signature_fails_for_a_changed_body_or_time(
    name: str, scheme: str, signature: str
) -> None:
    changed_body = delivery(sample(name).replace(b"1", b"2", 1), *_headers(signature))
    changed_time = delivery(sample(name), *_headers(signature, "1743060268001"))

    for changed in (changed_body, changed_time):
        with pytest.raises(Unauthentic, match=Reason.SIGNATURE_WRONG):
            verified(changed)
    assert scheme in {_RAW, _SORTED}


def test_known_signature_of_another_key_verifies_over_a_small_body() -> None:
    headers = _headers(
        "ddf299c3542d9cc3a85837c7c1a8b7a6d3f4443bd5f4a09d268e137bd6510635", "1693212861000"
    )
    keys = [KEY, Key(b"your_webhook_secret", "fp:rotated")]

    proved = PROVIDER.verify(delivery(b'{"amount":"13.41"}', *headers), keys)

    assert proved.verification.key == "fp:rotated"


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ('{"a":"","b":[1,"x",null,{"z":1,"c":[2]}],"t":true}', "a=&1&x&2&z=1&t=true"),
        ("{}", ""),
        ('{"a":null,"b":{},"c":[]}', ""),
        ('{"a":["",""],"b":1}', "b=1"),
        ('{"a":1,"b":["",2]}', "a=1&&2"),
        ('{"z":{"b":2,"a":1},"y":0}', "y=0&a=1&b=2"),
        ('{"b":1,"B":2,"_":3}', "B=2&_=3&b=1"),
        ('{"\uff5e":1,"\U0001f600":2}', "\U0001f600=2&\uff5e=1"),
        ('{"f":false,"e":1e3,"s":0.000001,"t":0.0000001}', "e=1E+3&f=false&s=0.000001&t=1E-7"),
        ('{"n":-0.00,"o":-0,"p":-1.50}', "n=0.00&o=0&p=-1.50"),
        ('{"a":"1 %&=+é"}', "a=1 %&=+é"),
    ],
)
def test_the_sorted_form_is_that_of_the_vendors_java(body: str, form: str) -> None:
    assert form == sorted_form(body.encode(), V2_LARGEST)


def test_over_an_empty_sorted_form_the_time_alone_is_signed() -> None:
    headers = _headers(signature(b"time=" + TIME.encode()))

    assert verified(delivery(b'{"a":null}', *headers)).verification.scheme == _SORTED


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b"{", b'{"a":1,"a":1}', b'{"a":NaN}', b"\xff", b'{"a":"\\ud800"}']
)
def test_a_body_without_a_sorted_form_has_a_wrong_signature(body: bytes) -> None:
    assert sorted_form(body, V2_LARGEST) is None
    with pytest.raises(Unauthentic, match=Reason.SIGNATURE_WRONG):
        verified(delivery(body, *_headers(signature(b"time=" + TIME.encode()))))


def _filled(size: int) -> bytes:
    body = b'{"custNo":"","id":1}'
    return body.replace(b'""', b'"' + b"x" * (size - len(body)) + b'"')


@pytest.mark.parametrize("largest", [V1_LARGEST, V2_LARGEST])
def test_body_up_to_the_size_limit_has_a_sorted_form(largest: int) -> None:
    assert sorted_form(_filled(largest), largest) is not None
    assert sorted_form(_filled(largest + 1), largest) is None


def test_body_above_the_size_limit_verifies_only_in_its_raw_form() -> None:
    body = _filled(V2_LARGEST + 1)
    raw = signature(body + b"&time=" + TIME.encode())
    in_order = signature(f"custNo={'x' * (len(body) - 20)}&id=1&time={TIME}".encode())

    assert verified(delivery(body, *_headers(raw))).verification.scheme == "blockatm-v2-raw"
    with pytest.raises(Unauthentic, match=Reason.SIGNATURE_WRONG):
        verified(delivery(body, *_headers(in_order)))


@pytest.mark.parametrize(
    ("body", "has_one"),
    [
        (b'{"a":[' + b"1," * 400 + b"1]}", True),
        (b'{"a":[' + b"1," * 700 + b"1]}", False),
        (b'{"a":[' + b"{}," * 400 + b"{}]}", False),
        (b'{"a":"' + b"," * 700 + b'"}', False),
        (sample("published-v1-batch"), True),
    ],
)
def test_body_with_too_many_marks_has_no_sorted_form(body: bytes, *, has_one: bool) -> None:
    assert (sorted_form(body, V2_LARGEST) is not None) is has_one


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.text(st.characters(exclude_categories=["Cs"])) | st.integers() | st.booleans(),
        min_size=1,
    )
)
def test_sorted_form_of_a_flat_body_is_its_sorted_members(members: dict[str, object]) -> None:
    def units(name: str) -> list[int]:
        coded = name.encode("utf-16-le")
        return [coded[i] + 256 * coded[i + 1] for i in range(0, len(coded), 2)]

    expected = ""
    for name in sorted(members, key=units):
        value = members[name]
        text = str(value).lower() if isinstance(value, bool) else str(value)
        expected += ("&" if expected else "") + name + "=" + text

    assert expected == sorted_form(json.dumps(members).encode(), V2_LARGEST)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([("blockatm-request-time", TIME)], Reason.SIGNATURE_MISSING),
        ([*_headers("a" * 64), _headers("a" * 64)[0]], Reason.SIGNATURE_DUPLICATED),
        (_headers("A" * 64), Reason.SIGNATURE_MALFORMED),
        (_headers("a" * 64), Reason.SIGNATURE_WRONG),
        ([("blockatm-signature-v2", "a" * 64)], Reason.TIME_MISSING),
        ([*_headers("a" * 64), _headers("a" * 64)[1]], Reason.TIME_DUPLICATED),
        (_headers("a" * 64, "2025-03-27"), Reason.TIME_MALFORMED),
        ([("blockatm-signature-v1", "MEYC"), _headers("")[1]], Reason.SIGNATURE_MISSING),
    ],
)
def test_unverifiable_delivery_is_refused_with_its_own_reason(
    headers: list[tuple[str, str]], reason: Reason
) -> None:
    with pytest.raises(Unauthentic) as refused:
        verified(delivery(b"{}", *headers))

    assert refused.value.reason is reason


def test_a_signature_over_the_body_without_the_time_is_wrong() -> None:
    body = sample("published-payment")

    with pytest.raises(Unauthentic, match=Reason.SIGNATURE_WRONG):
        verified(delivery(body, *_headers(signature(body))))


def test_everything_needed_to_verify_again_is_stored() -> None:
    raw = verified(signed(body_of(PAYMENT), "payment")).raw()

    assert set(raw.headers) == {"blockatm-signature-v2", "blockatm-request-time", "blockatm-event"}
    assert raw.body.encode() == body_of(PAYMENT)
