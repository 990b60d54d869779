"""Finds the orders of a customer's e-mail address, or of a receiving address of a chain."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inventory.identity import ADDRESS, clue_id
from consumers.inventory.tables import CLUE, ORDERS, PAYMENT
from consumers.notifications.tables import CUSTOMER

FOUND = 50
"""Most orders that are listed."""

_LONGEST = 320
"""Longest e-mail address."""


@dataclass(frozen=True, order=True)
class FoundOrder:
    """An order, or a payment without an order by the gateway's number."""

    account: str
    reference: str


def is_email(text: str) -> bool:
    """Return whether a text can be an e-mail address."""
    name, at, host = text.rpartition("@")
    return bool(name and at and "." in host) and len(text) <= _LONGEST and " " not in text


async def orders_of_email(
    notifications: AsyncConnection, text: str, accounts: Collection[str] | None
) -> Sequence[FoundOrder]:
    """Return orders whose customer or payer has this e-mail address, in any case of its letters.

    There is no index of e-mail addresses: the connection needs a statement time-out.
    """
    wanted = text.lower()
    own = true() if accounts is None else CUSTOMER.c.account == func.any(sorted(accounts))
    rows = await notifications.execute(
        select(CUSTOMER.c.account, CUSTOMER.c.reference)
        .where(
            own,
            or_(
                func.lower(CUSTOMER.c.email) == wanted,
                func.lower(CUSTOMER.c.payer_email) == wanted,
            ),
        )
        .limit(FOUND)
    )
    return sorted(FoundOrder(row.account, row.reference) for row in rows)


async def orders_of_address(
    inventory: AsyncConnection, text: str, accounts: Collection[str]
) -> Sequence[FoundOrder]:
    """Return the orders that a receiving address leads to, and payments that wait for an order.

    `accounts` are all that are searched.
    """
    spelled = sorted({text, text.lower()})
    clues = [clue_id(account, ADDRESS, each) for account in sorted(accounts) for each in spelled]
    orders = await inventory.execute(
        select(ORDERS.c.account, ORDERS.c.reference)
        .join_from(CLUE, ORDERS, ORDERS.c.id == CLUE.c.order_id)
        .where(CLUE.c.id == func.any(clues))
        .limit(FOUND)
    )
    payments = await inventory.execute(
        select(PAYMENT.c.account, func.coalesce(PAYMENT.c.provider_reference, PAYMENT.c.reference))
        .where(
            PAYMENT.c.order_id.is_(None),
            PAYMENT.c.account == func.any(sorted(accounts)),
            PAYMENT.c.address == func.any(spelled),
        )
        .limit(FOUND)
    )
    found = [(row[0], row[1]) for row in (*orders, *payments)]
    return sorted({FoundOrder(account, name) for account, name in found if name is not None})
