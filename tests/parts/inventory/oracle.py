"""A reference model of the inventory that applies one message at a time.

It is independent of the implementation: it has no rows and no batches, and
computes every sum from scratch.
"""

from collections import defaultdict
from decimal import Decimal

from router.contract.event import Event
from router.contract.lifecycle import advance
from router.contract.order import Order

GIVEN_UP = {"failed", "expired", "cancelled", "refunded", "disputed"}


class Oracle:
    """The model's state, with the default policy and payments recognized by reference."""

    def __init__(self, on_hand: dict[str, int]) -> None:
        """Start with this stock."""
        self.on_hand = on_hand
        self.orders: dict[str, Order] = {}
        self.status: dict[str, str] = {}
        self.sold: dict[str, dict[str, int]] = {}
        self.payments: defaultdict[str, dict[str, tuple[str, Decimal]]] = defaultdict(dict)
        self.seen: set[object] = set()

    def apply(self, message: Event | Order) -> None:
        """Apply a message, unless it was applied before."""
        if message.id in self.seen:
            return
        self.seen.add(message.id)
        name = str(message.reference)
        was = self._is_paid(name)
        if isinstance(message, Event):
            self._apply_event(name, message)
            if name in self.orders:
                self._follow(name, was=was)
        elif message.type == "order.cancelled":
            if self.status.get(name) not in {"committed", "oversold"}:
                self.status[name] = "cancelled"
        elif name not in self.orders:
            self.orders[name] = message
            enough = all(self.free(sku) >= n for sku, n in self._wanted(name).items())
            self.status.setdefault(name, "reserved" if enough else "short")
            self._follow(name, was=False)

    def stock(self) -> dict[str, tuple[int, int, int, int]]:
        """Return on hand, reserved, committed, oversold by article."""
        return {
            sku: (number, self._reserved(sku), *self._sold(sku))
            for sku, number in self.on_hand.items()
        }

    def free(self, sku: str) -> int:
        """Return the quantity that can still be sold."""
        return self.on_hand[sku] - self._reserved(sku) - self._sold(sku)[0]

    def _apply_event(self, name: str, event: Event) -> None:
        number = str(event.provider_reference)
        known, amount = self.payments[name].get(number, (None, Decimal(0)))
        told = event.type.status
        if told in {"underpaid", "confirmed", "overpaid"}:
            amount = max(amount, event.amount or Decimal(0))
        self.payments[name][number] = (advance(known, told) or known or told, amount)

    def _follow(self, name: str, *, was: bool) -> None:
        paid, status = self._is_paid(name), self.status[name]
        if paid and not was and status not in {"committed", "oversold"}:
            self._sell(name)
        elif not paid and status == "reserved" and self.payments[name]:
            ended = [word in GIVEN_UP for word, _ in self.payments[name].values()]
            self.status[name] = "released" if all(ended) else status

    def _sell(self, name: str) -> None:
        self.status[name] = "selling"
        wanted = self._wanted(name)
        sold = {sku: min(number, self.free(sku)) for sku, number in wanted.items()}
        self.sold[name] = sold
        self.status[name] = "committed" if sold == wanted else "oversold"

    def _is_paid(self, name: str) -> bool:
        if name not in self.orders:
            return False
        payments = self.payments[name].values()
        there = [amount for word, amount in payments if word not in {"refunded", "disputed"}]
        return sum(there, Decimal(0)) >= (self.orders[name].total or Decimal(0))

    def _wanted(self, name: str) -> dict[str, int]:
        wanted: defaultdict[str, int] = defaultdict(int)
        for line in self.orders[name].lines or ():
            wanted[line.sku] += line.quantity
        return dict(wanted)

    def _reserved(self, sku: str) -> int:
        names = [name for name, status in self.status.items() if status == "reserved"]
        return sum(self._wanted(name).get(sku, 0) for name in names if name in self.orders)

    def _sold(self, sku: str) -> tuple[int, int]:
        taken = sum(each.get(sku, 0) for each in self.sold.values())
        return taken, sum(self._wanted(name).get(sku, 0) for name in self.sold) - taken
