"""BlockATM's version 1: ECDSA with the platform's key, and other payloads."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from router.delivery import Delivery
from router.errors import ConfigurationError, NotUnderstood, Reason, Unauthentic, Unreadable
from router.providers._signing import hmac_sha256
from router.providers.blockatm import PROVIDER
from router.providers.blockatm._sorted_form import V1_LARGEST, sorted_form
from tests.parts.providers.blockatm_deliveries import KEY, TIME, delivery, sample, signed
from tests.parts.providers.blockatm_deliveries import PAYMENT as V2_PAYMENT
from tests.parts.providers.blockatm_deliveries import body_of as v2_body
from tests.parts.providers.blockatm_v1 import (
    BATCH,
    PAYMENT,
    PUBLISHED_KEY,
    QR_PAYOUT,
    ROW,
    TEST_KEY,
    changed,
    v1_events,
    v1_provider,
    v1_signature,
    v1_signed,
    v1_verified,
)

# Published, signature included: the vendor's sign-demo.
_PUBLISHED_BODY = (
    b'{"platOrderNo":8210000374,"custNo":"OrderNO_123456","amount":"13.410037","fee":"2",'
    b'"symbol":"USDT","network":"TRON","chainId":"5","txId":"1t","type":1,"status":1}'
)
_PUBLISHED_TIME = "1696947336603"
_PUBLISHED_SIGNATURE = (
    "MEYCIQDHxQ0IhgUNbRqTKbU71fBkp+lAJlMXEQYt6mDQfWRY7gIhAMWIpVoG6qBhgIPi30x30wLlAaxyhptZfm6n"
    "MRz75VxA"
)
# The body is published; the signature over it was made with another program.
_BATCH_SIGNATURE = (
    "MEQCIGwLCuoFYTDUnm2FaFIGnKa0SuMOZi3bQmbMd5CfTs+gAiA1NFyv+pEj"
    "D/LYVWIvlaKVshj3h5HtQOPwhliJ754N5Q=="
)


def _published(body: bytes, signature: str, time: str = _PUBLISHED_TIME) -> Delivery:
    return delivery(body, ("blockatm-signature-v1", signature), ("blockatm-request-time", time))


def test_the_published_signature_holds_over_the_published_message() -> None:
    proved = v1_provider(PUBLISHED_KEY).verify(
        _published(_PUBLISHED_BODY, _PUBLISHED_SIGNATURE), []
    )
    (event,) = PROVIDER.normalize(proved)

    assert proved.verification.scheme == "blockatm-v1"
    assert proved.verification.key == v1_provider(PUBLISHED_KEY).public_keys[0].fingerprint
    assert proved.signed_at == datetime(2023, 10, 10, 14, 15, 36, 603000, tzinfo=UTC)
    assert (event.type, event.amount, event.currency) == (
        "payment.confirmed",
        Decimal("13.410037"),
        "USDT",
    )


def test_the_published_signature_is_wrong_at_the_time_of_a_comment_in_the_docs() -> None:
    with pytest.raises(Unauthentic, match=Reason.SIGNATURE_WRONG):
        v1_provider(PUBLISHED_KEY).verify(
            _published(_PUBLISHED_BODY, _PUBLISHED_SIGNATURE, "1696946592054"), []
        )


def test_the_published_batch_has_one_signed_form_in_both_versions() -> None:
    body = sample("published-v1-batch")
    form = f"{sorted_form(body, V1_LARGEST)}&time={_PUBLISHED_TIME}".encode()

    proved = v1_provider(PUBLISHED_KEY).verify(_published(body, _BATCH_SIGNATURE), [])

    assert form.startswith(b"blockId=10168195&chainId=5&contractAddress=0x57609702e66d6dee9d1f3a9f")
    assert b"&amount=1.00000000&orderNo=TX2&symbol=USDC&toAddress=" in form
    assert hmac_sha256(KEY.secret, form).hex() == (
        "02620cdc93b5081fade4522d38d4122c97395a28db53a32a7373281d32f5e94b"
    )
    with pytest.raises(NotUnderstood, match="field_missing: status"):
        PROVIDER.normalize(proved)


def test_published_widget_signature_uses_the_key_as_text() -> None:
    message = (
        b"apiKey=pk_payment_my3T68cbuIXf1x3QOEbWtFEfcJPxeBr8wTewDVM&custNo=C86002201"
        b"&orderNo=C202503225"
    )

    assert hmac_sha256(b"sk_ci_QOoPSlHDSsgXYeNyTP2i0ug1HKLRjHw9Ug7mCc1Q0", message).hex() == (
        "5b2419abcb925389c3f6cb42f35eed85ec36b95578a9d25ee500f9fafdeb08dc"
    )


def test_any_of_several_keys_verifies_and_is_recorded() -> None:
    provider = v1_provider(PUBLISHED_KEY, TEST_KEY)

    proved = provider.verify(v1_signed(b'{"a":1}'), [])

    assert proved.verification.key == provider.public_keys[1].fingerprint
    assert provider.public_keys[0].fingerprint != provider.public_keys[1].fingerprint


_GENUINE = v1_signed(json.dumps(PAYMENT).encode(), "Payment")
_SIGNATURE = dict(_GENUINE.headers)["blockatm-signature-v1"]


def _with_header(name: str, *values: str) -> Delivery:
    others = tuple(pair for pair in _GENUINE.headers if pair[0] != name)
    return replace(_GENUINE, headers=(*others, *((name, value) for value in values)))


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (replace(_GENUINE, body=_GENUINE.body.replace(b"13.4", b"93.4")), Reason.SIGNATURE_WRONG),
        (replace(_GENUINE, body=b"[]"), Reason.SIGNATURE_WRONG),
        (_with_header("blockatm-request-time", "1743060268001"), Reason.SIGNATURE_WRONG),
        (_with_header("blockatm-request-time", "now"), Reason.TIME_MALFORMED),
        (_with_header("blockatm-request-time"), Reason.TIME_MISSING),
        (_with_header("blockatm-request-time", TIME, TIME), Reason.TIME_DUPLICATED),
        (
            _with_header("blockatm-signature-v1", v1_signature(b"another message")),
            Reason.SIGNATURE_WRONG,
        ),
        (_with_header("blockatm-signature-v1", "bm8gREVSIGF0IGFsbA=="), Reason.SIGNATURE_WRONG),
        (_with_header("blockatm-signature-v1", ""), Reason.SIGNATURE_MALFORMED),
        (_with_header("blockatm-signature-v1", _SIGNATURE[:-1]), Reason.SIGNATURE_MALFORMED),
        (_with_header("blockatm-signature-v1", _SIGNATURE + "\n"), Reason.SIGNATURE_MALFORMED),
        (_with_header("blockatm-signature-v1", "!" + _SIGNATURE), Reason.SIGNATURE_MALFORMED),
        (
            _with_header("blockatm-signature-v1", _SIGNATURE, _SIGNATURE),
            Reason.SIGNATURE_DUPLICATED,
        ),
        (_with_header("blockatm-signature-v1"), Reason.SIGNATURE_MISSING),
    ],
)
def test_unverifiable_version_1_delivery_is_refused_with_its_own_reason(
    spoilt: Delivery, reason: Reason
) -> None:
    with pytest.raises(Unauthentic) as refused:
        v1_verified(spoilt)

    assert refused.value.reason is reason


def test_another_key_of_version_1_is_wrong() -> None:
    with pytest.raises(Unauthentic, match=Reason.SIGNATURE_WRONG):
        v1_provider(PUBLISHED_KEY).verify(_GENUINE, [KEY])


def test_version_1_signature_is_ignored_without_a_version_1_key() -> None:
    with pytest.raises(Unauthentic, match=Reason.SIGNATURE_MISSING):
        PROVIDER.verify(_GENUINE, [KEY])


def test_version_1_signature_is_ignored_if_there_is_one_of_version_2() -> None:
    forged = _with_header("blockatm-signature-v2", "a" * 64)
    both = signed(v2_body(V2_PAYMENT), "payment")
    both = replace(both, headers=(*both.headers, ("blockatm-signature-v1", "nonsense")))

    with pytest.raises(Unauthentic, match=Reason.SIGNATURE_WRONG):
        v1_verified(forged)
    assert v1_verified(both).verification.scheme == "blockatm-v2-raw"


@pytest.mark.parametrize("text", ["", "nonsense", "MFkw", KEY.secret.decode()])
def test_malformed_public_key_fails_the_start_and_is_not_printed(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        v1_provider(text)

    assert str(refused.value) == "v1_public_keys: expected a public key, P-256, as PEM"


@pytest.mark.parametrize(
    ("status", "happened"),
    [
        (1, "payment.confirmed"),
        ("1", "payment.confirmed"),
        (0, "payment.pending"),
        (-1, "payment.failed"),
    ],
)
@pytest.mark.parametrize("word", [None, "Payment", "QR-Payment", "payment.success"])
def test_payment_has_its_own_status_numbers(
    status: object, happened: str, word: str | None
) -> None:
    (event,) = v1_events(changed(PAYMENT, status=status), *([word] if word else []))

    assert event.type == happened
    assert (event.reference, event.provider_reference) == ("A-1", "8210000374")
    assert (event.network, event.tx_hash, event.from_address) == ("TRON", "1t", "0xcd")
    assert (event.customer.id, event.occurred_at) == ("CustNo_7", None)


def test_fee_of_a_paid_order_is_in_usdt() -> None:
    (paid,) = v1_events(changed(PAYMENT, symbol="DAI"))
    (open_,) = v1_events(changed(PAYMENT, status=0))
    (payout,) = v1_events(QR_PAYOUT)

    assert (paid.currency, paid.fee, paid.fee_currency) == ("DAI", Decimal(2), "USDT")
    assert (open_.fee, open_.fee_currency) == (None, None)
    # A payout's page names no currency for its fee.
    assert payout.fee is None


def test_a_payment_of_both_versions_is_one_event() -> None:
    (first,) = v1_events(changed(PAYMENT, platOrderNo=V2_PAYMENT["id"]), "Payment")
    (second,) = PROVIDER.normalize(PROVIDER.verify(signed(v2_body(V2_PAYMENT), "payment"), [KEY]))

    assert first.id == second.id


@pytest.mark.parametrize(
    ("status", "happened"),
    [
        (2, "payout.confirmed"),
        (3, "payout.cancelled"),
        (1, "payout.pending"),
        (0, "payout.pending"),
        (-1, "payout.failed"),
    ],
)
@pytest.mark.parametrize("word", [None, "Payout", "QR-Payout"])
def test_a_single_payout_has_other_numbers(status: int, happened: str, word: str | None) -> None:
    (event,) = v1_events(changed(QR_PAYOUT, status=status), *([word] if word else []))

    assert event.type == happened
    assert (event.reference, event.provider_reference) == ("B-1", "B-1")
    assert (event.amount, event.currency) == (Decimal("20.5"), "USDT")


@pytest.mark.parametrize(
    ("status", "happened"),
    [(1, "payout.confirmed"), (-1, "payout.failed"), (-2, "payout.failed")],
)
def test_a_batch_becomes_an_event_of_every_row(status: int, happened: str) -> None:
    first, second = v1_events(changed(BATCH, status=status), "Payout")

    assert (first.type, second.type) == (happened, happened)
    assert (first.reference, second.reference) == ("TX1", "TX2")
    assert (first.provider_reference, second.provider_reference) == ("0xa8/0", "0xa8/1")
    assert (first.amount, second.amount) == (Decimal("1.00000000"), Decimal(2))
    assert (first.currency, second.currency) == ("USDT", "USDC")
    assert {(e.network, e.tx_hash, e.from_address, e.to_address) for e in (first, second)} == {
        ("Ethereum", "0xa8", "0x8e", "0xef")
    }


def test_first_event_of_a_batch_has_raw_and_the_others_refer_to_it() -> None:
    first, second = v1_events(BATCH, "Payout")

    assert first.raw is not None
    assert json.loads(first.raw.body) == BATCH
    assert (first.raw_event, second.raw, second.raw_event) == (None, None, first.id)


def test_ids_of_version_1_never_change() -> None:
    events = [*v1_events(BATCH, "Payout"), *v1_events(PAYMENT), *v1_events(QR_PAYOUT)]

    assert [str(event.id) for event in events] == [
        "36f85483-66ea-5ff1-97dd-9187fcecaeac",
        "bee900ee-1ecf-5343-a852-06d28db64d4a",
        "2c9009cb-a3ec-5b70-878c-60698c23f1cb",
        "ede4706e-7c36-51af-b63e-87e6d39924bd",
    ]


def test_two_rows_of_one_order_are_two_payouts() -> None:
    first, second = v1_events(changed(BATCH, detailList=[ROW, ROW]))

    assert first.id != second.id
    assert first.provider_reference != second.provider_reference


def _problem(members: Mapping[str, object], *words: str) -> NotUnderstood:
    with pytest.raises(NotUnderstood) as refused:
        v1_events(members, *words)
    return refused.value


def _good_rows(problem: NotUnderstood) -> list[str | None]:
    return [event.reference for event in problem.events]


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        (changed(ROW, amount=...), Reason.FIELD_MISSING, "detailList.1.amount: required"),
        (changed(ROW, amount="-1"), Reason.AMOUNT_UNREPRESENTABLE, "detailList.1.amount: "),
        (changed(ROW, symbol=""), Reason.FIELD_MISSING, "detailList.1.symbol: required"),
        (changed(ROW, orderNo=None), Reason.FIELD_MISSING, "detailList.1.orderNo: required"),
        ("row", Reason.FIELD_MALFORMED, "detailList.1.row: expected an object"),
    ],
)
def test_misunderstood_row_does_not_prevent_the_other_events(
    row: object, reason: Reason, detail: str
) -> None:
    problem = _problem(changed(BATCH, detailList=[ROW, row, changed(ROW, orderNo="TX3")]))
    whole = v1_events(changed(BATCH, detailList=[ROW, ROW, changed(ROW, orderNo="TX3")]))

    assert problem.reason is reason
    assert problem.detail.startswith(detail)
    assert _good_rows(problem) == ["TX1", "TX3"]
    # If the row is understood one day, the good rows are still the same events.
    assert [event.id for event in problem.events] == [whole[0].id, whole[2].id]


@pytest.mark.parametrize(("address", "unread"), [(5, ("to_address",)), (..., ())])
def test_row_without_a_receiver_is_still_a_payout(address: object, unread: tuple[str, ...]) -> None:
    events = v1_events(changed(BATCH, detailList=[changed(ROW, toAddress=address), ROW]))

    assert [event.to_address for event in events] == [None, "0xef"]
    assert [event.unread for event in events] == [unread, ()]


def test_first_understood_row_has_raw() -> None:
    problem = _problem(changed(BATCH, detailList=[{}, ROW, changed(ROW, orderNo="TX2")]))
    first, second = problem.events

    assert first.raw is not None
    assert second.raw_event == first.id


@pytest.mark.parametrize(
    ("members", "words", "reason"),
    [
        (changed(BATCH, status=...), [], Reason.FIELD_MISSING),
        (changed(BATCH, status=0), [], Reason.UNKNOWN_STATUS),
        (changed(BATCH, status="SUCCESS"), [], Reason.UNKNOWN_STATUS),
        (changed(BATCH, txId=...), [], Reason.FIELD_MISSING),
        (changed(BATCH, detailList=[]), [], Reason.FIELD_MALFORMED),
        (changed(BATCH, detailList={"amount": "1"}), [], Reason.AMBIGUOUS),
        (changed(BATCH, detailList="TX1"), [], Reason.FIELD_MALFORMED),
        (changed(BATCH, detailList=[[ROW]]), [], Reason.AMBIGUOUS),
        (changed(BATCH, detailList=[{**ROW, "a": {"amount": 1}}]), [], Reason.AMBIGUOUS),
        (changed(BATCH, detailList=[{**ROW, "orderNo": "A&b=1"}]), [], Reason.AMBIGUOUS),
        (changed(BATCH, more=[ROW]), [], Reason.AMBIGUOUS),
        (changed(BATCH, bizOrderNo="B-1"), [], Reason.AMBIGUOUS),
        (changed(BATCH, orderNo="A-1"), [], Reason.AMBIGUOUS),
        (changed(PAYMENT, status=2), [], Reason.UNKNOWN_STATUS),
        (changed(PAYMENT, status=9), [], Reason.UNKNOWN_STATUS),
        (changed(PAYMENT, platOrderNo=...), [], Reason.FIELD_MISSING),
        (changed(PAYMENT, amount=...), [], Reason.FIELD_MISSING),
        (changed(PAYMENT, symbol=...), [], Reason.FIELD_MISSING),
        (changed(PAYMENT, orderNo="A=1"), [], Reason.AMBIGUOUS),
        (PAYMENT, ["Refund"], Reason.UNKNOWN_EVENT),
        (changed(QR_PAYOUT, status=-2), [], Reason.UNKNOWN_STATUS),
        (changed(QR_PAYOUT, bizOrderNo=...), ["QR-Payout"], Reason.FIELD_MISSING),
        (changed(BATCH, detailList=...), ["Payout"], Reason.FIELD_MISSING),
    ],
)
def test_misunderstood_delivery_has_no_event(
    members: Mapping[str, object], words: list[str], reason: Reason
) -> None:
    problem = _problem(members, *words)

    assert problem.reason is reason
    assert list(problem.events) == []


@pytest.mark.parametrize(
    ("members", "word"),
    [(BATCH, "Payment"), (PAYMENT, "Payout"), (QR_PAYOUT, "QR-Payment"), (BATCH, "QR-Payout")],
)
def test_an_event_header_that_contradicts_the_body_is_unreadable(
    members: Mapping[str, object], word: str
) -> None:
    with pytest.raises(Unreadable, match=Reason.EVENT_HEADER_CONTRADICTS):
        v1_events(members, word)


def test_everything_needed_to_verify_again_is_stored() -> None:
    raw = v1_verified(_GENUINE).raw()

    assert set(raw.headers) == {"blockatm-signature-v1", "blockatm-request-time", "blockatm-event"}
