"""Applies messages to an inventory and reads the results."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.inventory.handler import InventoryMessage, handle
from consumers.inventory.lapse import release_lapsed
from consumers.inventory.policy import Policy
from consumers.inventory.service import SERVICE
from consumers.inventory.setting import set_stock
from consumers.inventory.store.listing import read_stock
from consumers.inventory.tables import HISTORY, LINE, MOVEMENT, ORDERS, STOCK
from consumers.runtime.fate import Fate
from consumers.runtime.store.tables import RuntimeTables
from router.contract.event import Event, Verification
from router.contract.order import Order
from tests.parts.contract.orders import order

TOPIC = "inventory.outcome"
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NOTHING = (0, 0, 0, 0)


def paid(status: str = "confirmed", amount: str | None = "30", **facts: Any) -> Event:  # noqa: ANN401
    """Make an event about the payment of A-1, of 30 USDT by default."""
    defaults: dict[str, Any] = {
        "id": uuid4(),
        "provider": "blockatm",
        "endpoint": "blockatm-main",
        "account": "shop-eu",
        "reference": "A-1",
        "provider_reference": f"payment of {facts.get('reference', 'A-1')}",
        "amount": amount,
        "currency": None if amount is None else "USDT",
        "received_at": MOMENT,
        "verification": Verification(scheme="none", key="fp:none"),
    }
    return Event.model_validate({**defaults, "type": f"payment.{status}", **facts})


def ordered(number: int, **facts: Any) -> Order:  # noqa: ANN401 - any field
    """Make the message that order A-number was placed."""
    return order(reference=f"A-{number}", **facts)


@dataclass(frozen=True)
class Shop:
    """The inventory of a test."""

    engine: AsyncEngine
    policy: Policy = Policy()  # noqa: RUF009 - frozen

    def with_policy(self, **options: Any) -> "Shop":  # noqa: ANN401 - any option
        """Return the same inventory with another policy."""
        return replace(self, policy=Policy.model_validate(options))

    async def apply(self, *messages: InventoryMessage) -> Sequence[Fate]:
        """Apply one batch in a separate transaction."""
        async with self.engine.begin() as transaction:
            return await handle(transaction, messages, policy=self.policy, outcomes=TOPIC)

    async def each(self, *messages: InventoryMessage) -> Sequence[Fate]:
        """Apply each message in a separate transaction."""
        return [(await self.apply(message))[0] for message in messages]

    async def set(self, sku: str, quantity: int, account: str = "shop-eu") -> list[str]:
        """Set the stock of an article; return the orders it covered."""
        async with self.engine.begin() as transaction:
            done = await set_stock(transaction, account, sku, quantity, TOPIC)
        return [order.reference for order in done.covered]

    async def lapse(self, at_once: int = 100) -> bool:
        """Release expired orders."""
        return await release_lapsed(self.engine, policy=self.policy, topic=TOPIC, at_once=at_once)

    async def expire(self, *references: str) -> None:
        """Expire the reservations of these orders, or of all."""
        late = ORDERS.update().values(expires_at=func.now(), due_at=func.now())
        if references:
            late = late.where(ORDERS.c.reference.in_(references))
        async with self.engine.begin() as transaction:
            await transaction.execute(late)

    async def stock(self, account: str = "shop-eu") -> dict[str, tuple[int, int, int, int]]:
        """Read on hand, reserved, committed, oversold by article."""
        async with self.engine.connect() as connection:
            found = await read_stock(connection, account)
        return {s.sku: (s.on_hand, s.reserved, s.committed, s.oversold) for s in found}

    async def status(self, reference: str = "A-1", account: str = "shop-eu") -> str | None:
        """Read the status of an order."""
        where = (ORDERS.c.reference == reference, ORDERS.c.account == account)
        async with self.engine.connect() as connection:
            return await connection.scalar(select(ORDERS.c.status).where(*where))

    async def statuses(self) -> dict[str, str]:
        """Read the status of every order."""
        async with self.engine.connect() as connection:
            rows = await connection.execute(select(ORDERS.c.reference, ORDERS.c.status))
            return {row.reference: row.status for row in rows}

    async def sold(self) -> dict[str, dict[str, int]]:
        """Read what was sold to each order, including missing stock, by article."""
        quantity = (LINE.c.committed + LINE.c.oversold).label("sold")
        query = select(ORDERS.c.reference, STOCK.c.sku, quantity).join_from(LINE, ORDERS)
        found: dict[str, dict[str, int]] = {}
        async with self.engine.connect() as connection:
            for row in await connection.execute(query.join(STOCK)):
                found.setdefault(row.reference, {})[row.sku] = row.sold
        return found

    async def history(self, *, trouble: bool | None = None) -> list[str]:
        """Read the steps of the history, oldest first."""
        query = select(HISTORY.c.what).order_by(HISTORY.c.id)
        if trouble is not None:
            query = query.where(HISTORY.c.trouble.is_(trouble))
        async with self.engine.connect() as connection:
            return list(await connection.scalars(query))

    async def troubles(self) -> list[str]:
        """Read the problems that an operator should look at."""
        return await self.history(trouble=True)

    async def cases(self, reference: str = "A-1") -> list[str]:
        """Read the kinds of the cases that hold for an order."""
        query = select(ORDERS.c.cases).where(ORDERS.c.reference == reference)
        async with self.engine.connect() as connection:
            return sorted(await connection.scalar(query) or {})

    async def outcomes(self) -> list[tuple[str, dict[str, object]]]:
        """Read the outcomes in the outbox: their types and data."""
        box = RuntimeTables.of(SERVICE.schema).outbox
        async with self.engine.connect() as connection:
            rows = (await connection.execute(select(box).order_by(box.c.id))).all()
        assert {row.topic for row in rows} <= {TOPIC}
        found = [json.loads(row.value) for row in rows]
        assert len({each["id"] for each in found}) == len(found)
        return [(each["type"], each["data"]) for each in found]

    async def outcome_names(self) -> list[str]:
        """Read the types of the outcomes in the outbox, without their prefix."""
        return [word.removeprefix("inventory.") for word, _ in await self.outcomes()]

    async def check_books(self) -> None:
        """Check that the stock agrees with the lines of the orders and with the movements."""
        names = ("reserved", "committed", "oversold")
        by_line = [func.coalesce(func.sum(LINE.c[name]), 0) for name in names]
        by_move = [func.coalesce(func.sum(MOVEMENT.c[name]), 0) for name in ("on_hand", *names)]
        async with self.engine.connect() as connection:
            for article in (await connection.execute(select(STOCK))).all():
                lines = select(*by_line).where(LINE.c.stock_id == article.id)
                moves = select(*by_move).where(MOVEMENT.c.stock_id == article.id)
                now = (article.reserved, article.committed, article.oversold)
                assert tuple((await connection.execute(lines)).one()) == now
                assert tuple((await connection.execute(moves)).one()) == (article.on_hand, *now)

    async def execute(self, statement: str) -> None:
        """Run a statement that no consumer runs."""
        async with self.engine.begin() as transaction:
            await transaction.execute(text(statement))
