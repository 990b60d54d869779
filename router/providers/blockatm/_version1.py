"""Meaning of version 1: payments, single payouts, batches of payouts.

Fields and numbers are those of readme.io (callback-parameters,
payout-parameter and its copy) and of the sign-demo. The same numbers mean
other things in version 2, so the signature header decides. The fee of a payout is
left out, since its currency is not documented.
"""

from collections.abc import Mapping, Sequence

from router.contract.event import Event, EventType
from router.contract.strict_json import JsonValue
from router.delivery import VerifiedDelivery
from router.errors import NotUnderstood, Reason, Unreadable
from router.providers._reading import (
    Descriptions,
    Fields,
    currency_name,
    members_of,
    refused,
    required,
)
from router.providers.blockatm._fields import snake_case, spelled
from router.providers.blockatm._meaning import FEE_CURRENCY, event, event_word, marked, shared
from router.providers.blockatm._signature import EVENT_HEADER
from router.providers.blockatm._sorted_form import refuse_hidden

_ROWS = "detailList"

_PAYMENT, _BATCH, _QR_PAYOUT = "payment", "payout", "qr-payout"

# The kinds that a word of the event header can mean.
_WORDS = {
    "payment": (_PAYMENT,),
    "qr-payment": (_PAYMENT,),
    "payout": (_BATCH, _QR_PAYOUT),
    "qr-payout": (_QR_PAYOUT,),
}

_PAYMENT_WORDS = ("payment", "qr-payment")

# The header is not signed: each kind has fields that no other kind has.
_MARKERS = {_BATCH: (_ROWS,), _QR_PAYOUT: ("bizOrderNo",), _PAYMENT: ("orderNo", "walletAddress")}

_STATUSES = {
    _PAYMENT: {
        "1": EventType.PAYMENT_CONFIRMED,
        "0": EventType.PAYMENT_PENDING,
        "-1": EventType.PAYMENT_FAILED,
    },
    # -2 was rejected by the merchant's own finance department.
    _BATCH: {
        "1": EventType.PAYOUT_CONFIRMED,
        "-1": EventType.PAYOUT_FAILED,
        "-2": EventType.PAYOUT_FAILED,
    },
    _QR_PAYOUT: {
        "2": EventType.PAYOUT_CONFIRMED,
        "3": EventType.PAYOUT_CANCELLED,
        "1": EventType.PAYOUT_PENDING,
        "0": EventType.PAYOUT_PENDING,
        "-1": EventType.PAYOUT_FAILED,
    },
}

_NAMES = (
    *("platOrderNo", "orderNo", "bizOrderNo", "custNo", "amount", "fee", "symbol", "network"),
    *("chainId", "txId", "type", "status", "createTime", "updateTime", "merchantId", "remark"),
    *("walletAddress", "contractAddress", "blockId", "fromAddress", "toAddress", "tokenAddress"),
    _ROWS,
)
_KNOWN = frozenset(spelling for name in _NAMES for spelling in (name, snake_case(name)))


def normalize(verified: VerifiedDelivery) -> Sequence[Event]:
    """Return the events of a delivery, or raise NotUnderstood."""
    members = members_of(verified)
    refuse_hidden(members, _KNOWN, rows=_ROWS)
    fields = spelled(members)
    kind = _kind(event_word(verified.delivery), members)
    status = required("status", fields.identifier("status"))
    happened = _STATUSES[kind].get(status)
    if happened is None:
        raise refused(Reason.UNKNOWN_STATUS, "status", f"expected {', '.join(_STATUSES[kind])}")
    if kind == _BATCH:
        return _batch(verified, happened, fields)
    facts = _payment(fields, happened) if kind == _PAYMENT else _qr_payout(fields)
    described = {**shared(fields), **(_payer(fields) if kind == _PAYMENT else {})}
    identity = (str(facts["provider_reference"]),)
    return (event(verified, happened, identity, {**facts, **_money(fields)}, described),)


def _kind(word: str | None, members: Mapping[str, JsonValue]) -> str:
    shown = marked(members, _MARKERS)
    if len(shown) > 1:
        raise NotUnderstood(Reason.AMBIGUOUS, "fields of a payment and of a payout in one body")
    if word is not None and word not in _WORDS:
        raise refused(Reason.UNKNOWN_EVENT, EVENT_HEADER, f"expected {', '.join(_WORDS)}")
    if not shown and word not in {None, *_PAYMENT_WORDS}:
        raise refused(Reason.FIELD_MISSING, f"{_ROWS} or bizOrderNo", "required")
    # A payment of type 3 has no orderNo, and may have no other field of its kind.
    kind = shown[0] if shown else _PAYMENT
    if word is not None and kind not in _WORDS[word]:
        detail = f"{EVENT_HEADER}: {word}, but the body is that of a {kind}"
        raise Unreadable(Reason.EVENT_HEADER_CONTRADICTS, detail)
    return kind


def _payment(fields: Fields, happened: EventType) -> dict[str, object]:
    """Read a payment; its fee is in USDT (readme.io, callback-parameters), once it is paid."""
    fee = fields.fee("fee") if happened is EventType.PAYMENT_CONFIRMED else None
    return {
        "provider_reference": required("platOrderNo", fields.identifier("platOrderNo")),
        "reference": fields.text("orderNo"),
        "fee": fee,
        "fee_currency": None if fee is None else FEE_CURRENCY,
    }


def _payer(fields: Fields) -> Descriptions:
    return {"from_address": lambda: fields.text("walletAddress")}


def _qr_payout(fields: Fields) -> dict[str, object]:
    order = required("bizOrderNo", fields.text("bizOrderNo"))
    return {"provider_reference": order, "reference": order}


def _batch(verified: VerifiedDelivery, happened: EventType, fields: Fields) -> Sequence[Event]:
    """Make an event of every row; if a row is not understood, raise with the others' events."""
    transaction = required("txId", fields.text("txId"))
    sender: Descriptions = {"from_address": lambda: fields.text("fromAddress"), **shared(fields)}
    events: list[Event] = []
    problems: list[NotUnderstood] = []
    for index, row in enumerate(_rows(fields)):
        place = f"{transaction}/{index}"
        try:
            own = _row_fields(row)
            facts = {**_row(own), "provider_reference": place, **_raw_of(events)}
            identity = (transaction, str(index), str(facts["reference"]))
            described = {**sender, **_receiver(own)}
            events.append(event(verified, happened, identity, facts, described))
        except NotUnderstood as problem:
            problems.append(NotUnderstood(problem.reason, f"{_ROWS}.{index}.{problem.detail}"))
    if problems:
        raise NotUnderstood(problems[0].reason, problems[0].detail, events)
    return events


def _rows(fields: Fields) -> Sequence[JsonValue]:
    rows = required(_ROWS, fields.value(_ROWS))
    if not isinstance(rows, list) or not rows:
        raise refused(Reason.FIELD_MALFORMED, _ROWS, "expected a list with a row or more")
    return rows


def _row_fields(row: JsonValue) -> Fields:
    if not isinstance(row, Mapping):
        raise refused(Reason.FIELD_MALFORMED, "row", "expected an object")
    return spelled(row)


def _row(fields: Fields) -> dict[str, object]:
    return {"reference": required("orderNo", fields.text("orderNo")), **_money(fields)}


def _receiver(fields: Fields) -> Descriptions:
    return {"to_address": lambda: fields.text("toAddress")}


def _raw_of(events: Sequence[Event]) -> dict[str, object]:
    # The first event contains the whole delivery; the others refer to it.
    return {"raw": None, "raw_event": events[0].id} if events else {}


def _money(fields: Fields) -> dict[str, object]:
    symbol = required("symbol", fields.text("symbol"))
    return {
        "amount": required("amount", fields.amount("amount")),
        "currency": currency_name(symbol),
    }
