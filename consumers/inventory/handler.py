"""Applies a batch of orders and payments to the stock, each exactly once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeGuard
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inventory.identity import ADDRESS, REFERENCE, clue_id, order_id, payment_id, stock_id
from consumers.inventory.policy import Policy
from consumers.inventory.report import report
from consumers.inventory.state.batch_state import BatchState
from consumers.inventory.state.order_state import OrderState
from consumers.inventory.state.payments import Payment, new_payment
from consumers.inventory.state.shelf import Stock
from consumers.inventory.store import rows
from consumers.inventory.store.rows import Clue
from consumers.inventory.store.storing import ReadRows, store
from consumers.runtime.fate import Fate
from consumers.runtime.service import Driver, Handler, PlainHandler
from consumers.runtime.store.statements import ThroughSqlalchemy
from router.contract.event import Event
from router.contract.order import ExpectedPayment, Order, OrderType
from router.contract.order_fields import OtherOrderMessage

InventoryMessage = Event | Order | OtherOrderMessage


def handler(policy: Policy, outcomes: str) -> Handler:
    """Return a handler that applies messages by a policy and publishes outcomes on a topic."""
    return partial(handle, policy=policy, outcomes=outcomes)


def plain_handler(policy: Policy, outcomes: str) -> PlainHandler:
    """Return the handler of plain batches, which executes the same statements by itself."""
    return partial(handle_plainly, policy=policy, outcomes=outcomes)


async def handle(
    transaction: AsyncConnection,
    messages: Sequence[InventoryMessage],
    *,
    policy: Policy,
    outcomes: str,
) -> Sequence[Fate]:
    """Apply messages like `handle_plainly`, in a transaction of SQLAlchemy."""
    driver = ThroughSqlalchemy(transaction)
    return await handle_plainly(driver, messages, policy=policy, outcomes=outcomes)


async def handle_plainly(
    driver: Driver,
    messages: Sequence[InventoryMessage],
    *,
    policy: Policy,
    outcomes: str,
) -> Sequence[Fate]:
    """Apply messages in their order; return the result of each.

    A message that was handled before, or a repeat within the batch, changes
    nothing and is stale.
    """
    fresh: dict[UUID, Event | Order] = {}
    for message in messages:
        if _is_payment(message) or isinstance(message, Order):
            fresh.setdefault(message.id, message)
    changed = await _applied(driver, fresh, policy, outcomes) if fresh else set()
    fates = []
    for message in messages:
        fates.append(Fate.APPLIED if message.id in changed else Fate.STALE)
        # Later repeats in the batch are stale.
        changed.discard(message.id)
    return fates


def _is_payment(message: InventoryMessage) -> TypeGuard[Event]:
    return isinstance(message, Event) and message.type.family == "payment"


async def _applied(
    driver: Driver, fresh: Mapping[UUID, Event | Order], policy: Policy, topic: str
) -> set[UUID]:
    """Apply messages to the store; return the ids of those that changed something."""
    types = {number: message.type.value for number, message in fresh.items()}
    added = await rows.record_events(driver, types)
    if not added:
        return set()
    batch = [message for number, message in fresh.items() if number in added]
    scope = _scope(batch)
    clues = await rows.lock_clues(driver, scope.clues, shared=not scope.expected)
    waiting = await rows.waiting_payments(driver, scope.expected)
    payments = list(await rows.lock_payments(driver, scope.payments, waiting))
    led_to = {*clues.values(), *(payment.order_id for payment in payments)} - {None}
    orders = await rows.lock_orders(driver, scope.orders, (each for each in led_to if each))
    payments += await rows.payments_of(
        driver, [order.id for order in orders], [payment.id for payment in payments]
    )
    held = {line.stock_id for order in orders for line in order.lines}
    stock = await rows.lock_stock(driver, scope.stock, held)
    state = BatchState(policy, max(added.values()), clues, payments, orders, stock)
    changed = {message.id for message in batch if state.apply(message)}
    read = ReadRows(clues, payments, orders, stock)
    await store(driver, state, read)
    await report(driver, state, topic)
    return changed


@dataclass(frozen=True)
class _Scope:
    """The rows named by a batch's messages; they must be locked before the batch is applied."""

    clues: Sequence[Clue]
    expected: Sequence[Clue]
    payments: Sequence[Payment]
    orders: Sequence[OrderState]
    stock: Sequence[Stock]


def _scope(batch: Sequence[Event | Order]) -> _Scope:
    events = [message for message in batch if isinstance(message, Event)]
    orders = [message for message in batch if not isinstance(message, Event)]
    placed = [order for order in orders if order.type is OrderType.PLACED]
    expected = [(order.account, each) for order in placed for each in order.recognized_by]
    expected_clues = [
        clue for account, each in expected for clue in _clues(account, each.reference, each.address)
    ]
    paid_clues = [clue for e in events for clue in _clues(e.account, e.reference, e.to_address)]
    return _Scope(
        clues=[*paid_clues, *expected_clues],
        expected=expected_clues,
        payments=[
            *map(new_payment, events),
            *(_named(account, each) for account, each in expected if each.provider is not None),
        ],
        orders=[
            OrderState(order_id(each.account, each.reference), each.account, each.reference)
            for each in orders
        ],
        stock=[
            Stock(stock_id(order.account, line.sku), order.account, line.sku)
            for order in placed
            for line in order.lines or ()
        ],
    )


def _clues(account: str, reference: str | None, address: str | None) -> Sequence[Clue]:
    texts = ((REFERENCE, reference), (ADDRESS, address))
    return [
        Clue(clue_id(account, kind, text), account, kind, text)
        for kind, text in texts
        if text is not None
    ]


def _named(account: str, expected: ExpectedPayment) -> Payment:
    """Return a payment named by an order, before any event from the gateway."""
    provider, reference = expected.provider or "", expected.provider_reference
    number = payment_id(account, provider, reference, None)
    return Payment(number, account, provider, reference)
