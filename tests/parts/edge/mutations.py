"""Ways to tamper with a genuine delivery, and the expected outcome of each."""

import json
from dataclasses import dataclass
from datetime import timedelta

from tests.parts.edge.blockatm_requests import (
    EVENT,
    REQUEST_TIME,
    SIGNATURE,
    Webhook,
    payment_webhook,
    webhook,
)
from tests.parts.providers.blockatm_deliveries import PAYMENT, PAYOUT, TIME, body_of

GENUINE = payment_webhook()
WINDOW = timedelta(hours=27)


@dataclass(frozen=True)
class Spoilt:
    """A delivery that was tampered with, and its row in the outcome table."""

    sent: Webhook
    status: int
    outcome: str
    reason: str
    signed_ago: timedelta = timedelta(0)


def _forged(sent: Webhook, reason: str) -> Spoilt:
    return Spoilt(sent, 401, "refused", reason)


def _unreadable(sent: Webhook, reason: str) -> Spoilt:
    return Spoilt(sent, 200, "quarantined", reason)


def _kept(sent: Webhook, reason: str) -> Spoilt:
    return Spoilt(sent, 200, "quarantined", reason)


def _one_bit(text: str, at: int) -> str:
    return text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]


_BODY = GENUINE.body.decode()
_SIGNATURE = GENUINE.value(SIGNATURE)
_SECOND = timedelta(seconds=1)
# Nothing in it shows whether it is a payment or a payout.
_NEITHER = payment_webhook(orderNo=..., cashierId=..., orderType=...)
_TWICE = body_of(PAYMENT).replace(b'{"custNo"', b'{"id": 1, "custNo"')

FORGED = {
    "one bit of the body": _forged(
        GENUINE.with_body(_one_bit(_BODY, _BODY.index("13.41")).encode()), "signature_wrong"
    ),
    "one bit of the signature": _forged(
        GENUINE.changed(SIGNATURE, _one_bit(_SIGNATURE, 63)), "signature_wrong"
    ),
    "one bit of the time": _forged(
        GENUINE.changed(REQUEST_TIME, _one_bit(TIME, 12)), "signature_wrong"
    ),
    "another key": _forged(webhook(GENUINE.body, secret=b"another"), "signature_wrong"),
    "an empty key": _forged(webhook(GENUINE.body, secret=b""), "signature_wrong"),
    "a re-serialized body": _forged(
        GENUINE.with_body(json.dumps(json.loads(_BODY), indent=1).encode()), "signature_wrong"
    ),
    "a line feed behind the body": _forged(
        GENUINE.with_body(GENUINE.body + b"\n"), "signature_wrong"
    ),
    "an empty body": _forged(GENUINE.with_body(b""), "signature_wrong"),
    "no signature": _forged(GENUINE.without(SIGNATURE), "signature_missing"),
    "two signatures": _forged(
        GENUINE.and_also("BLOCKATM-SIGNATURE-V2", _SIGNATURE), "signature_duplicated"
    ),
    "an empty signature": _forged(GENUINE.changed(SIGNATURE, ""), "signature_malformed"),
    "a signature in upper case": _forged(
        GENUINE.changed(SIGNATURE, _SIGNATURE.upper()), "signature_malformed"
    ),
    "a shortened signature": _forged(
        GENUINE.changed(SIGNATURE, _SIGNATURE[:62]), "signature_malformed"
    ),
    "a signature that is not ASCII": _forged(
        GENUINE.changed(SIGNATURE, "\xb2" * 64), "signature_malformed"
    ),
    "two signatures in one header": _forged(
        GENUINE.changed(SIGNATURE, f"{_SIGNATURE}, {_SIGNATURE}"), "signature_malformed"
    ),
    "no time": _forged(GENUINE.without(REQUEST_TIME), "time_missing"),
    "two times": _forged(GENUINE.and_also("blockatm-request-time", TIME), "time_duplicated"),
    "a time that is not a number": _forged(GENUINE.changed(REQUEST_TIME, "now"), "time_malformed"),
    "a negative time": _forged(webhook(GENUINE.body, time=f"-{TIME}"), "time_malformed"),
    "a key doubled under the sorted signature": _forged(
        webhook(_TWICE, message=b"amount=13.410037&id=1"), "signature_wrong"
    ),
}
"""Not proved genuine: refused, nothing kept."""

UNREADABLE = {
    "a key doubled": _unreadable(webhook(_TWICE), "not_parseable"),
    "no JSON, though signed": _unreadable(webhook(b"amount=1"), "not_parseable"),
    "nothing, though signed": _unreadable(webhook(b""), "not_parseable"),
    "a list, though signed": _unreadable(webhook(b"[1]"), "not_parseable"),
    "no UTF-8, though signed": _unreadable(webhook(b'{"id": "\xff"}'), "not_parseable"),
    "depth, though signed": _unreadable(webhook(b'{"a":' * 9999 + b"1"), "not_parseable"),
    "NaN, though signed": _unreadable(webhook(b'{"amount": NaN}'), "not_parseable"),
    "a payment called payout": _unreadable(
        GENUINE.changed(EVENT, "payout"), "event_header_contradicts"
    ),
    "a payout called payment": _unreadable(
        webhook(body_of(PAYOUT), "payment"), "event_header_contradicts"
    ),
    "two event headers": _unreadable(
        _NEITHER.and_also("blockatm-event", "payout"), "event_header_contradicts"
    ),
}
"""Genuine but malformed or contradictory: answered with success, stored whole on quarantine."""

NOT_UNDERSTOOD = {
    "an unknown event": _kept(GENUINE.changed(EVENT, "refund"), "unknown_event"),
    "an unknown status": _kept(payment_webhook(status="PAID"), "unknown_status"),
    "an unknown number for a status": _kept(payment_webhook(status=7), "unknown_status"),
    "no status": _kept(payment_webhook(status=...), "field_missing"),
    "no id": _kept(payment_webhook(id=...), "field_missing"),
    "no amount": _kept(payment_webhook(amount=...), "field_missing"),
    "a malformed id": _kept(payment_webhook(id="82-10"), "field_malformed"),
    "19 decimals": _kept(payment_webhook(amount="0.1000000000000000001"), "amount_unrepresentable"),
    "21 digits": _kept(payment_webhook(amount="1" * 21), "amount_unrepresentable"),
    "an amount below zero": _kept(payment_webhook(amount="-1"), "amount_unrepresentable"),
    "an amount that is not a number": _kept(
        payment_webhook(amount="NaN"), "amount_unrepresentable"
    ),
    "a payment and a payout at once": _kept(payment_webhook(bizOrderNo="B-1"), "ambiguous"),
}
"""Genuine and readable: answered with success, stored whole on quarantine."""

OUTSIDE_WINDOW = {
    "stale": Spoilt(GENUINE, 401, "refused", "stale", WINDOW + _SECOND),
    "future": Spoilt(GENUINE, 401, "refused", "future", -WINDOW - _SECOND),
}
"""Genuine but outside the window: refused, stored on quarantine."""
