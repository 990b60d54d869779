"""Records of every topic of the contract: realistic histories of gateways and platforms."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from router.contract.event import Event, event_id
from router.contract.order import Order, OrderType, order_message_id
from router.contract.outcome import OutcomeEvent, outcome_id
from router.contract.topics import ORDER
from router.contract.wire import OutgoingRecord, encode_event, encode_order, encode_outcome
from tests.parts.contract.events import event
from tests.parts.contract.orders import order

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

_PAYMENTS: Sequence[Sequence[tuple[str, str | None]]] = (
    (("pending", "10.50"), ("confirmed", "10.50")),
    (("pending", "7"), ("underpaid", "6.999999999999999999"), ("confirmed", "7")),
    (("confirmed", "20"), ("refunded", "20")),
    (("expired", None), ("confirmed", "3")),
    (("failed", None),),
    (("overpaid", "99999999999999999999.5"), ("disputed", "1")),
    (("pending", "5"), ("cancelled", None)),
    (("confirmed", "8"), ("failed", "8")),
)
_PAYOUTS: Sequence[Sequence[tuple[str, str | None]]] = (
    (("pending", "4"), ("confirmed", "4")),
    (("failed", "6"),),
    (("confirmed", "9"), ("returned", "9")),
    (("cancelled", None),),
)
_SUBSCRIPTIONS: Sequence[Sequence[tuple[str, str | None]]] = (
    (("renewed", "12"), ("expired", None)),
)
_STORIES = {"payment": _PAYMENTS, "payout": _PAYOUTS, "subscription": _SUBSCRIPTIONS}

_ORDERS: Sequence[Sequence[tuple[OrderType, str]]] = (
    ((OrderType.PLACED, "10.50"),),
    ((OrderType.PLACED, "7"), (OrderType.CANCELLED, "7")),
    ((OrderType.PLACED, "20"),),
    ((OrderType.CANCELLED, "3"),),
    ((OrderType.PLACED, "0"),),
    # Placed again with other content, and cancelled in between.
    ((OrderType.PLACED, "99"), (OrderType.CANCELLED, "99"), (OrderType.PLACED, "98")),
    (),
    ((OrderType.PLACED, "8.1"), (OrderType.PLACED, "8.2")),
)
"""For each payment of `_PAYMENTS`, the messages of the platform about its order."""

OUTCOMES = "inventory.outcome"
"""The topic of the inventory's outcomes."""

_OUTCOMES: Sequence[Sequence[str]] = (
    ("reserved", "committed"),
    ("reserved", "released"),
    ("reserved", "committed", "returned", "committed"),
    ("short", "oversold", "committed"),
)
"""For the first payments of `_PAYMENTS`, the outcomes of their orders."""

ROUNDS = 3
"""Number of copies of each history, each with other orders."""


def events_of(topic: str) -> Sequence[Event]:
    """Return the events of a topic, order by order."""
    told = []
    for turn in range(ROUNDS):
        for number, story in enumerate(_STORIES[topic]):
            told += [_event(topic, f"{topic}-{turn}-{number}", *step) for step in story]
    return told


def orders() -> Sequence[Order]:
    """Return the platform's messages about the payments' orders, order by order."""
    return [
        _order(f"payment-{turn}-{number}", *step)
        for turn in range(ROUNDS)
        for number, story in enumerate(_ORDERS)
        for step in story
    ]


def outcomes() -> Sequence[OutcomeEvent]:
    """Return the inventory's outcomes of the payments' orders, order by order."""
    return [
        OutcomeEvent(
            id=outcome_id(f"inventory.{word}", f"{turn}-{number}-{step}"),
            type=f"inventory.{word}",
            account="shop-eu",
            reference=f"order-payment-{turn}-{number}",
            at=datetime(2026, 11, 22, 10, step, tzinfo=UTC),
        )
        for turn in range(ROUNDS)
        for number, story in enumerate(_OUTCOMES)
        for step, word in enumerate(story)
    ]


def records_of(topic: str, name: str) -> Sequence[OutgoingRecord]:
    """Encode possible records of a topic of the contract, for the topic of this name."""
    if topic == ORDER:
        return [encode_order(each, name) for each in orders()]
    if topic == OUTCOMES:
        return [encode_outcome(each, name) for each in outcomes()]
    return [encode_event(each, name, TRACE) for each in events_of(topic)]


def contradicting(topic: str, name: str) -> OutgoingRecord:
    """Encode a record with the id of the first of `records_of`, but another account."""
    other = {"account": "somebody-else"}
    if topic == ORDER:
        return encode_order(orders()[0].model_copy(update=other), name)
    if topic == OUTCOMES:
        return encode_outcome(outcomes()[0].model_copy(update=other), name)
    return encode_event(events_of(topic)[0].model_copy(update=other), name, TRACE)


def _event(topic: str, order: str, status: str, amount: str | None) -> Event:
    money: Mapping[str, object] = {"amount": amount, "currency": amount and "USDT"}
    costs: Mapping[str, object] = {}
    if topic == "payout" and status == "confirmed":
        costs = {"fee": "0.5", "fee_currency": "USDT", "gas": "0.01", "gas_currency": "ETH"}
    return event(
        id=event_id("blockatm", "shop-eu", order, status),
        type=f"{topic}.{status}",
        reference=f"order-{order}",
        provider_reference=f"number-{order}",
        customer={"id": "c-1", "email": "customer@example.com"},
        **money,
        **costs,
    )


def _order(name: str, kind: OrderType, total: str) -> Order:
    reference = f"order-{name}"
    return order(
        kind.value,
        id=order_message_id(kind, "shop-eu", reference, total),
        reference=reference,
        total=total,
        customer={"email": f"{name}.{kind.name}.{total}@example.com", "language": "de"},
    )
