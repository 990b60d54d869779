"""Reads an order for a decision, and records the decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inventory.deciding.facts import OrderFacts, WaitingDecision
from consumers.inventory.identity import order_id
from consumers.inventory.policy import Policy
from consumers.inventory.store import rows
from consumers.inventory.tables import EVENT, ORDERS, PAYMENT, SCHEMA
from consumers.runtime.apply.outbox import Outgoing, put
from consumers.runtime.commands.actions.held_admin import record_operation
from consumers.runtime.store.arrays import any_of
from consumers.runtime.store.statements import ThroughSqlalchemy
from consumers.runtime.store.tables import RuntimeTables
from router.contract.operator import Decision
from router.contract.order import Order
from router.contract.wire import encode_order

OPERATION = "inventory decide"
"""Name of the command in the record of operations."""


class NotDecidable(Exception):  # noqa: N818 - names the state
    """No decision is possible; the message contains the reason and what to do."""


@dataclass(frozen=True)
class OrderName:
    """An order as an operator names it; without an account, of the only merchant that has it."""

    reference: str
    account: str | None = None

    def __str__(self) -> str:
        """Return the words for it."""
        return self.reference + (f" of {self.account}" if self.account else "")


async def find_order(connection: AsyncConnection, name: OrderName) -> UUID:
    """Return the id of a placed order. Raises NotDecidable."""
    found = (
        await connection.execute(
            select(ORDERS.c.id, ORDERS.c.account, ORDERS.c.placed_at)
            .where(ORDERS.c.reference == name.reference)
            .where(_of_account(ORDERS.c.account, name))
            .order_by(ORDERS.c.account)
        )
    ).all()
    if len(found) > 1:
        merchants = ", ".join(row.account for row in found)
        message = f"several merchants have an order {name}: {merchants}; name one with --account"
        raise NotDecidable(message)
    if not found or found[0].placed_at is None:
        raise NotDecidable(await _missing(connection, name, known=bool(found)))
    number: UUID = found[0].id
    return number


async def _missing(connection: AsyncConnection, name: OrderName, *, known: bool) -> str:
    """Return why an order cannot be decided about, and what to do."""
    problem = f"order {name} was never placed" if known else f"there is no order {name}"
    waits = await connection.scalar(
        select(func.count())
        .select_from(PAYMENT)
        .where(PAYMENT.c.order_id.is_(None), _of_account(PAYMENT.c.account, name))
        .where(PAYMENT.c.reference == name.reference)
    )
    money = "; a payment waits for it (`payrouter inventory orders --status waiting`)"
    return (
        f"{problem}{money if waits else ''}; it can be decided about once the platform has"
        " published its order.placed"
    )


def _of_account(column: ColumnElement[str], name: OrderName) -> ColumnElement[bool]:
    return true() if name.account is None else column == name.account


async def read_facts(
    connection: AsyncConnection, number: UUID, policy: Policy, *, locked: bool = False
) -> OrderFacts:
    """Read an order, its payments and stock; with `locked`, locked until the transaction ends.

    The lock keeps the order and its payments unchanged, but not the stock.
    """
    driver = ThroughSqlalchemy(connection)
    if locked:
        (order,) = await rows.lock_orders(driver, [], [number])
    else:
        (order,) = await rows.orders_by_id(driver, [number])
    now = (await connection.execute(select(func.now()))).scalar_one()
    return OrderFacts(
        order=order,
        payments=await rows.payments_of(driver, [number], []),
        stock=await rows.stock_by_id(driver, [line.stock_id for line in order.lines]),
        waiting=await _waiting(connection, number),
        policy=policy,
        now=now,
    )


async def record_decision(
    transaction: AsyncConnection, message: Order, decision: Decision, topic: str
) -> None:
    """Put an `order.decided` into the outbox, with a record of the operation."""
    tables = RuntimeTables.of(SCHEMA)
    record = encode_order(message, topic)
    outgoing = Outgoing(record.topic, record.key, record.value, record.headers)
    await put(transaction, tables, [outgoing])
    assert message.decided is not None  # noqa: S101 - it is a decision
    about = f"{decision} {message.reference} of {message.account}: {message.decided.reason}"
    detail = (
        f"{_beginning(order_id(message.account, message.reference))}event {message.id}: {about}"
    )
    await record_operation(transaction, tables, message.decided.by, OPERATION, detail)


def _beginning(number: UUID) -> str:
    """Return how the detail of an operation about an order begins."""
    return f"order {number}, "


async def _waiting(connection: AsyncConnection, number: UUID) -> Sequence[WaitingDecision]:
    """Return the recorded decisions about an order that were not applied yet, oldest first."""
    done, begins = RuntimeTables.of(SCHEMA).operation, _beginning(number)
    found = await connection.execute(
        select(done.c.at, done.c.who, done.c.detail)
        .where(done.c.what == OPERATION, done.c.detail.startswith(begins))
        .order_by(done.c.id)
    )
    recorded = [_recorded(row.at, row.who, row.detail.removeprefix(begins)) for row in found]
    applied = await _applied(connection, [each.event_id for each in recorded])
    return [each for each in recorded if each.event_id not in applied]


def _recorded(at: datetime, who: str, said: str) -> WaitingDecision:
    event_id, _, text = said.removeprefix("event ").partition(": ")
    return WaitingDecision(UUID(event_id), at, who, text)


async def _applied(connection: AsyncConnection, ids: Sequence[UUID]) -> set[UUID]:
    return set(
        await connection.scalars(select(EVENT.c.event_id).where(any_of(EVENT.c.event_id, ids)))
    )


@dataclass(frozen=True)
class DecisionProgress:
    """How far a recorded decision has come; `refused` is the broker's error for its record."""

    applied: bool
    refused: str | None = None


async def progress_of(
    connection: AsyncConnection, number: UUID, key: bytes, topic: str
) -> DecisionProgress:
    """Return whether the consumer has applied a decision, or the broker refuses its record."""
    if await _applied(connection, [number]):
        return DecisionProgress(applied=True)
    box = RuntimeTables.of(SCHEMA).outbox
    refused = await connection.scalars(
        select(box.c.refused)
        .where(box.c.topic == topic, box.c.key == key, box.c.refused.is_not(None))
        .order_by(box.c.id.desc())
        .limit(1)
    )
    return DecisionProgress(applied=False, refused=refused.first())
