"""A realistic stream of a gateway's events, and independently calculated expected books."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from router.contract.event import Event, event_id
from tests.parts.contract.events import event

NETWORKS = ("Ethereum", "TRON", "Polygon")

Books = dict[tuple[str, str], Decimal]
"""Non-zero balances by account and currency."""


@dataclass
class Stream:
    """Payments and payouts with redelivered and late events, and their expected books."""

    random: Random
    sent: int = 0
    books: Books = field(default_factory=dict)
    transactions: int = 0
    distinct: set[object] = field(default_factory=set)

    def batches(self) -> Iterator[list[Event]]:
        """Yield the events of a few orders at a time, without end."""
        number = 0
        late: list[Event] = []
        while True:
            told: list[Event] = late
            late = []
            for _ in range(self.random.randint(3, 8)):
                number += 1
                story = self._payout(number) if number % 4 == 0 else self._payment(number)
                for each in story:
                    told += [each] * self.random.choice([1, 1, 1, 2, 3])
                    if self.random.random() < 0.2:
                        late.append(each)
            if self.random.random() < 0.3:
                self.random.shuffle(told)
            self.sent += len(told)
            self.distinct |= {each.id for each in told}
            yield told

    def end(self) -> Books:
        """Return the expected books of all events so far."""
        return {place: amount for place, amount in self.books.items() if amount}

    def _payment(self, number: int) -> list[Event]:
        network, currency = self.random.choice(NETWORKS), self.random.choice(["USDT", "USDC"])
        amount = self._amount()
        facts = {
            "reference": f"order-{number}",
            "provider_reference": f"payment-{number}",
            "amount": str(amount),
            "currency": currency,
            "network": network,
        }
        story = [self._event("payment.pending", **facts)]
        if self.random.random() < 0.9:
            story.append(self._event("payment.confirmed", **facts))
            self._book(f"wallet:{network}", "payments", currency, amount)
            self.transactions += 1
            if self.random.random() < 0.2:
                story.append(self._refund(network, amount, facts))
        elif self.random.random() < 0.5:
            story.append(self._event("payment.expired", **facts))
        return story

    def _refund(self, network: str, amount: Decimal, payment: dict[str, str]) -> Event:
        part = {"movement": "refund-1", "movement_amount": str(amount / 2)}
        self._book("refunds", f"wallet:{network}", payment["currency"], amount / 2)
        self.transactions += 1
        return self._event("payment.refunded", **{**payment, "amount": None}, **part)

    def _payout(self, number: int) -> list[Event]:
        network = self.random.choice(NETWORKS)
        amount, fee, gas = self._amount(), self._amount() / 1000, self._amount() / 10**6
        facts = {
            "reference": f"payout-{number}",
            "provider_reference": f"payout-{number}",
            "amount": str(amount),
            "currency": "USDT",
            "network": network,
        }
        costs = {"fee": str(fee), "fee_currency": "USDT", "gas": str(gas), "gas_currency": "ETH"}
        wallet = f"wallet:{network}"
        self._book("payouts", wallet, "USDT", amount)
        self._book("fees", wallet, "USDT", fee)
        self._book("gas", wallet, "ETH", gas)
        self.transactions += 1
        pending = self._event("payout.pending", **facts)
        return [pending, self._event("payout.confirmed", **facts, **costs)]

    def _amount(self) -> Decimal:
        return Decimal(self.random.randint(1, 10**8)) / 100

    def _book(self, target: str, source: str, currency: str, amount: Decimal) -> None:
        for purpose, change in ((target, amount), (source, -amount)):
            place = (f"shop-eu:blockatm:{purpose}", currency)
            self.books[place] = self.books.get(place, Decimal(0)) + change

    def _event(self, kind: str, **facts: str | None) -> Event:
        identity = event_id("blockatm", "shop-eu", str(facts["provider_reference"]), kind)
        return event(id=identity, type=kind, **facts)
