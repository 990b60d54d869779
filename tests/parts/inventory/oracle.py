"""A reference model of the inventory, written from its rules and independent of its code.

It keeps every message as it is, and computes everything from scratch after each: it has no rows, no
batches, no folded facts and no sums that are carried on.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from router.contract.event import Event
from router.contract.order import Order, OrderType
from tests.parts.inventory.payment_model import RECEIVED, PaymentModel, Rules

ZERO = Decimal(0)


@dataclass(frozen=True)
class DecisionModel:
    """A decision, and what the order was like when it was made."""

    verb: str
    saw: "OrderModel"


@dataclass(frozen=True)
class OrderModel:
    """An order, as placed first, and all events of its payments."""

    order: Order
    events: Sequence[Event]
    rules: Rules = Rules()  # noqa: RUF009 - frozen
    cancelled: bool = False
    decision: DecisionModel | None = None

    def payments(self, *, reversals: bool = True) -> list[PaymentModel]:
        """Return the payments."""
        by_payment: defaultdict[tuple[str, str | None], list[Event]] = defaultdict(list)
        for each in self.events:
            by_payment[each.gateway, each.provider_reference].append(each)
        return [PaymentModel(each, self.rules, reversals) for each in by_payment.values()]

    def answer(self, payments: Sequence[PaymentModel]) -> str:
        """Return yes, no or cannot compare."""
        total, currency = self.order.total, self.order.currency
        if total == 0:
            return "yes"
        if total is None or currency is None:
            return "cannot compare" if any(each.money for each in payments) else "no"
        worths = [each.worth(total, currency) for each in payments]
        if self.rules.enough(sum((amount for amount, _ in worths), ZERO), total):
            return "yes"
        return "cannot compare" if any(strange for _, strange in worths) else "no"

    @property
    def want(self) -> str:
        """Return what the order wants, while its time is not over."""
        payments, decision = self.payments(), self.decision
        if self.cancelled and not (decision and decision.saw.cancelled):
            return "nothing"
        if decision is not None:
            ended = self.refunded and not decision.saw.refunded
            return "goods" if decision.verb == "accept" and not ended else "nothing"
        if self.answer(payments) == "yes":
            return "goods"
        return "nothing" if payments and all(each.ended for each in payments) else "reservation"

    @property
    def refunded(self) -> bool:
        """Whether all money that came was given back."""
        payments = self.payments()
        back = any(each.returned for each in payments) and not any(e.money for e in payments)
        return back and all(each.ended for each in payments)

    @property
    def came(self) -> tuple[object, ...]:
        """Facts that a decision is about: money received and reversed, and if it was cancelled."""
        of = defaultdict(list)
        for each in self.events:
            of[each.gateway, each.provider_reference].append(each)
        told = {
            number: [
                PaymentModel(each, self.rules).came(*kind) for kind in (RECEIVED, ("reversed",))
            ]
            for number, each in of.items()
        }
        return self.cancelled, {number: sets for number, sets in told.items() if any(sets)}

    @property
    def kinds(self) -> set[str]:
        """Return the kinds of cases that hold, while its time is not over and stock suffices."""
        payments = self.payments()
        there = [each for each in payments if each.money]
        kinds = {"disputed"} if any(each.disputed for each in payments) else set()
        if there and any(each.refunded for each in payments):
            kinds.add("partial-refund")
        return kinds | {each for each in (self._of_money(payments, there),) if each}

    def _of_money(self, payments: list[PaymentModel], there: list[PaymentModel]) -> str | None:
        answer = self.answer(payments)
        if self.decision is not None:
            return "changed-since-decision" if self.decision.saw.came != self.came else None
        if self.cancelled:
            return "cancelled-with-money" if there else None
        if answer == "yes":
            return "paid-twice" if self._is_paid_without_one(there) else None
        if self.answer(self.payments(reversals=False)) == "yes":
            return "no-longer-paid"
        if answer == "cannot compare":
            return answer.replace(" ", "-")
        settled = any(each.open or each.refunded for each in payments)
        return "paid-too-little" if there and not settled else None

    def _is_paid_without_one(self, there: list[PaymentModel]) -> bool:
        if self.order.total == 0:
            return bool(there)
        rests = ([each for each in there if each is not one] for one in there)
        return any(self.answer(rest) == "yes" for rest in rests)


class Oracle:
    """The stock and the orders after messages applied one by one, by the default policy.

    Payments are recognized by reference, and no time passes.
    """

    def __init__(self, on_hand: dict[str, int]) -> None:
        """Start with this stock."""
        self.on_hand = on_hand
        self.orders: dict[str, Order] = {}
        self.status: dict[str, str] = {}
        self.sold: dict[str, dict[str, int]] = {}
        self.waits_for: dict[str, dict[str, int]] = {}
        self.seen: dict[object, Event | Order] = {}

    def apply(self, message: Event | Order) -> None:
        """Apply a message, unless it was applied before."""
        if message.id in self.seen:
            return
        self.seen[message.id] = message
        name = str(message.reference)
        if isinstance(message, Order):
            if message.type is OrderType.CANCELLED:
                self.status.setdefault(name, "cancelled")
            elif name not in self.orders:
                self.orders[name] = message
                if self.status.get(name) != "cancelled":
                    self._reserve(name)
        if name in self.orders:
            self._follow(name)

    def model(self, name: str) -> OrderModel:
        """Return everything known about an order."""
        there = [each for each in self.seen.values() if each.reference == name]
        events = [each for each in there if isinstance(each, Event)]
        types = [each.type for each in there if isinstance(each, Order)]
        return OrderModel(self.orders[name], events, cancelled=OrderType.CANCELLED in types)

    def stock(self) -> dict[str, tuple[int, int, int, int]]:
        """Return on hand, reserved, committed, oversold by article."""
        return {
            sku: (number, self._reserved(sku), _sum(self.sold, sku), _sum(self.waits_for, sku))
            for sku, number in self.on_hand.items()
        }

    def free(self, sku: str) -> int:
        """Return the quantity that can still be sold."""
        return self.on_hand[sku] - self._reserved(sku) - _sum(self.sold, sku)

    def _follow(self, name: str) -> None:
        model = self.model(name)
        change: dict[str, Callable[[], None]] = {
            "goods": lambda: self._sell(name),
            "reservation": lambda: self._reserve(name),
            "nothing": lambda: self._drop(name, cancelled=model.cancelled),
        }
        change[model.want]()

    def _reserve(self, name: str) -> None:
        if self.status.get(name, "released") in {"released", "returned"}:
            enough = all(self.free(sku) >= n for sku, n in self._wanted(name).items())
            self.status[name] = "reserved" if enough else "short"

    def _drop(self, name: str, *, cancelled: bool) -> None:
        if name in self.sold:
            missed = any(self.waits_for.pop(name, {}).values())
            if missed:
                kept = any(self.sold[name].values())
                gone = "cancelled" if cancelled else "returned"
                self.status[name] = "committed" if kept else gone
                if not kept:
                    del self.sold[name]
        elif cancelled:
            self.status[name] = "cancelled"
        elif self.status[name] == "reserved":
            self.status[name] = "released"

    def _sell(self, name: str) -> None:
        wanted = self._wanted(name)
        had = self.sold.get(name, dict.fromkeys(wanted, 0))
        waits = self.waits_for.get(name, dict.fromkeys(wanted, 0))
        if name in self.sold and all(had[sku] + waits[sku] == wanted[sku] for sku in wanted):
            return
        self.status[name] = "selling"
        self.sold[name], self.waits_for[name] = {}, {}
        sold = {sku: min(number, self.free(sku)) for sku, number in wanted.items()}
        self.sold[name] = sold
        self.waits_for[name] = {sku: wanted[sku] - sold[sku] for sku in wanted}
        self.status[name] = "committed" if sold == wanted else "oversold"

    def _wanted(self, name: str) -> dict[str, int]:
        wanted: defaultdict[str, int] = defaultdict(int)
        for line in self.orders[name].lines or ():
            wanted[line.sku] += line.quantity
        return dict(wanted)

    def _reserved(self, sku: str) -> int:
        names = [name for name, status in self.status.items() if status == "reserved"]
        return sum(self._wanted(name).get(sku, 0) for name in names if name in self.orders)


def _sum(taken: dict[str, dict[str, int]], sku: str) -> int:
    return sum(each.get(sku, 0) for each in taken.values())
