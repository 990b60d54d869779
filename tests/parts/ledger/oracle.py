"""An oracle for the ledger: what a plain list of events books, and which cases it opens.

It is written from the rules of docs/ledger.md alone. It knows no fold, no sums and no order of
arrival: every answer looks through all events again.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from router.contract.event import Event
from tests.parts.ledger.reports import (
    CALLED_OFF,
    KINDS,
    OUT,
    PAID,
    Report,
    is_lowered,
    is_news,
    reports_of,
    statement_order,
)

Amount = tuple[str, str, Decimal]
"""Currency, network, amount."""


@dataclass
class Expected:
    """Nonzero amounts by account and currency, such as `wallet:TRON USDT`, and kinds of cases."""

    books: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    cases: set[str] = field(default_factory=set)

    def move(self, amounts: Iterable[Amount], source: str, target: str) -> None:
        """Book transfers from one purpose to another."""
        for currency, network, amount in amounts:
            for purpose, change in ((source, -amount), (target, amount)):
                where = f":{network}" if purpose == "wallet" and network else ""
                self.books[f"{purpose}{where} {currency}"] += change


def expected(events: Sequence[Event]) -> Expected:
    """Return the books and cases of the events of one payment or payout."""
    answer = Expected()
    teller = Teller(events)
    teller.tell_oddities(answer)
    teller.tell_contradictions(answer)
    is_payment = events[0].type.family == "payment"
    claimed = teller.only_claimed()
    cash = "claimed" if claimed else "wallet"
    if is_payment:
        _tell_payment(teller, answer, cash, claimed=claimed)
    else:
        out = teller.of("payment", "claimed" if claimed else "out")
        answer.move(out, cash, "payouts")
        answer.move(teller.returned("payment", out, answer), "returns", cash)
    fees = [each for kind in KINDS for each in teller.of(kind, "fee")]
    answer.move(fees, cash, "fees")
    back = teller.of("payment", "fee back")
    answer.move(_at_most(back, fees, answer), "fees", cash)
    answer.move((each for kind in KINDS for each in teller.of(kind, "gas")), cash, "gas")
    answer.books = {name: amount for name, amount in answer.books.items() if amount}
    return answer


def _tell_payment(teller: "Teller", answer: Expected, cash: str, *, claimed: bool) -> None:
    held = teller.of("payment", "claimed" if claimed else "out")
    held = _less(held, teller.returned("payment", held, answer))
    is_paid = any(each.type.status in PAID for each in teller.events)
    given: dict[str, list[Amount]] = {}
    for kind in ("refund", "dispute"):
        out = teller.of(kind, "out")
        given[kind] = _less(out, teller.returned(kind, out, answer))
    for kind in ("refund", "dispute"):
        if teller.has_unknown_that_takes(kind):
            left = _less(held, [*given["refund"], *given["dispute"]])
            most = {each: _sum(left, each) for each in {row[0] for row in left}}
            given[kind] = [*given[kind], *_first(left, most)]
            break
    for currency in {row[0] for rows in given.values() for row in rows}:
        received = Decimal(0) if claimed else _sum(held, currency)
        if _sum([*given["refund"], *given["dispute"]], currency) > received:
            answer.cases.add("out-exceeds-in")
    surplus = {
        currency: _sum(held, currency) - price for currency, price in teller.prices().items()
    }
    apart = _first(held, surplus) if is_paid else held
    answer.move(apart, "suspense", cash)
    answer.move(_less(held, apart), "payments", cash)
    answer.move(given["refund"], cash, "refunds")
    answer.move(given["dispute"], cash, "disputes")


class Teller:
    """Answers questions about a list of events."""

    def __init__(self, events: Sequence[Event]) -> None:
        """Keep the events, each once, and what they report."""
        self.events = list({each.id: each for each in events}.values())
        self.reports = [report for event in self.events for report in reports_of(event)]

    def of(self, kind: str, way: str) -> list[Amount]:
        """Return the larger of the total and the sum over all ids, per currency."""
        rows = self._about(kind, way)
        parts: list[Amount] = []
        for movement in sorted({each.movement for each in rows if each.movement is not None}):
            own = self._own(kind, way, movement)
            if own is not None:
                parts.append((own[0], self._network(kind, movement), own[1]))
        total = self._own(kind, way, None)
        if total is not None and self.stated(kind, way, None) is not None:
            return [(total[0], self._network(kind, None), total[1])]
        if total is not None:
            summed = _sum(parts, total[0])
            if _is_more(total[1], summed):
                parts.append((total[0], self._network(kind, None), total[1] - summed))
        return parts

    def returned(self, kind: str, out: list[Amount], answer: Expected) -> list[Amount]:
        """Return the amounts of the way back, at most those of the way out."""
        back = self.of(kind, "back")
        if not self._is_unknown(kind, "back", None):
            return _at_most(back, out, answer)
        if any(_sum(back, row[0]) > _sum(out, row[0]) for row in back):
            answer.cases.add("back-exceeds-out")
        return out

    def only_claimed(self) -> bool:
        """Whether nothing but claims has an amount above zero."""
        return not self.of("payment", "out") and bool(self.of("payment", "claimed"))

    def has_unknown_that_takes(self, kind: str) -> bool:
        """Whether a transfer of a kind has no amount and nothing came back of it."""
        movements = {each.movement for each in self._about(kind, "out")}
        return self.stated(kind, "out", None) is None and any(
            self._is_unknown(kind, "out", movement)
            and not any(each.movement == movement for each in self._about(kind, "back"))
            for movement in movements
        )

    def prices(self) -> dict[str, Decimal]:
        """Return the highest price by currency, of events that report it as paid."""
        prices: dict[str, Decimal] = {}
        for event in self.events:
            price, currency = event.expected_amount, event.expected_currency
            if event.type.status in PAID and price is not None and currency is not None:
                prices[currency] = max(price, prices.get(currency, price))
        return prices

    def tell_oddities(self, answer: Expected) -> None:
        """Add the cases that concern single transfers."""
        for what, movement in {(each.what, each.movement) for each in self.reports}:
            if self._is_unknown(*what, movement):
                answer.cases.add("amount-unknown")
            if len(self._networks(what[0], movement)) > 1:
                answer.cases.add("other-network")
            self._tell_amounts(answer, what, movement)

    def tell_contradictions(self, answer: Expected) -> None:
        """Add the cases that concern the whole payment or payout."""
        if self._is_called_off():
            answer.cases.add("called-off-after-paid")
        if self._is_claimed_above_seen():
            answer.cases.add("claim-above-seen")

    def _is_claimed_above_seen(self) -> bool:
        movements = {None, *(each.movement for each in self._about("payment", "out"))}
        if any(self.stated("payment", "out", each) is not None for each in movements):
            return False
        claimed, seen = self.of("payment", "claimed"), self.of("payment", "out")
        return bool(seen) and any(_sum(claimed, row[0]) > _sum(seen, row[0]) for row in claimed)

    def _tell_amounts(self, answer: Expected, what: tuple[str, str], movement: str | None) -> None:
        """Add the cases about the amounts of one transfer; an operator's amount settles them."""
        rows = self.told(*what, movement)
        if self.stated(*what, movement) is not None:
            rows = []
            if self._differs(*what, movement):
                answer.cases.add("differs-from-operator")
        currencies = {each.currency for each in rows if each.amount}
        total = None if self.stated(*what, None) is not None else self._own(*what, None)
        part = None if movement is None else self._own(*what, movement)
        is_mixed = total is not None and part is not None and part[1] and total[0] != part[0]
        if len(currencies) > 1 or is_mixed:
            answer.cases.add("other-currency")
        if any(is_lowered([r for r in rows if r.currency == c]) for c in currencies):
            answer.cases.add("amount-lowered")

    def _is_called_off(self) -> bool:
        paid = [each.moment for each in self.events if each.type.status in PAID]
        off = [each.moment for each in self.events if each.type.status in CALLED_OFF]
        partial = [each.moment for each in self.events if each.type.status == "underpaid"]
        return bool(paid) and (
            any(each >= max(paid) for each in off) or any(each > max(paid) for each in partial)
        )

    def told(self, kind: str, way: str, movement: str | None) -> list[Report]:
        """Return what the gateway reported about one transfer or total."""
        return [
            each
            for each in self._about(kind, way)
            if each.movement == movement and each.stated is None
        ]

    def stated(self, kind: str, way: str, movement: str | None) -> Report | None:
        """Return what an operator stated last about one transfer or total."""
        rows = [r for r in self._about(kind, way) if r.movement == movement and r.stated]
        return max(rows, key=statement_order, default=None)

    def _differs(self, kind: str, way: str, movement: str | None) -> bool:
        """Whether the gateway reports what the operator neither stated nor was shown."""
        report = self.stated(kind, way, movement)
        assert report is not None
        assert report.stated is not None
        told = way
        claims: dict[str, Decimal] = {}
        if (kind, way) == ("payment", "out"):
            claims = self._highest(kind, "claimed", movement)
            seen = self._highest(kind, way, movement).values()
            if any(claims.values()) and not any(seen):
                told, claims = "claimed", {}
        return any(
            is_news(
                report,
                currency,
                highest,
                [r for r in self.told(kind, told, movement) if r.currency == currency],
                claims.get(currency),
            )
            for currency, highest in self._highest(kind, told, movement).items()
        )

    def _highest(self, kind: str, way: str, movement: str | None) -> dict[str, Decimal]:
        """Return the gateway's highest amounts by currency; of a total the sum, if that is more."""
        highest: dict[str, Decimal] = {}
        for row in self.told(kind, way, movement):
            if row.amount is not None and row.currency is not None:
                before = highest.get(row.currency, Decimal(0))
                highest[row.currency] = row.amount if _is_more(row.amount, before) else before
        if movement is None:
            ids = {each.movement for each in self._about(kind, way) if each.movement is not None}
            parts = [own for each in ids if (own := self._own(kind, way, each)) is not None]
            for currency in {part[0] for part in parts}:
                summed = sum((each[1] for each in parts if each[0] == currency), Decimal(0))
                if _is_more(summed, highest.get(currency, Decimal(0))):
                    highest[currency] = summed
        return highest

    def _about(self, kind: str, way: str) -> list[Report]:
        return [each for each in self.reports if each.what == (kind, way)]

    def _own(self, kind: str, way: str, movement: str | None) -> tuple[str, Decimal] | None:
        """Return the amount of one transfer; without one, that of its other way."""
        known = self._known(kind, way, movement)
        other = {"out": "back", "back": "out"}.get(way)
        if known is None and other and self._is_unknown(kind, way, movement):
            return self._known(kind, other, movement)
        return known

    def _known(self, kind: str, way: str, movement: str | None) -> tuple[str, Decimal] | None:
        stated = self.stated(kind, way, movement)
        if stated is not None and stated.currency is not None and stated.amount is not None:
            return stated.currency, stated.amount
        rows = [r for r in self.told(kind, way, movement) if r.amount]
        if not rows:
            return None
        currency = min((each.at, each.currency or "") for each in rows)[1]
        amounts = [r.amount for r in rows if r.currency == currency and r.amount is not None]
        return currency, max(amounts, key=lambda each: (abs(each), each))

    def _is_unknown(self, kind: str, way: str, movement: str | None) -> bool:
        """Whether a transfer was reported without an amount; being paid needs one of its own."""
        rows = [each for each in self._about(kind, way) if each.movement == movement]
        known = [each.paid for each in rows if each.amount is not None]
        unknown = [each.paid for each in rows if each.amount is None]
        return bool(unknown) and (not known or (any(unknown) and not any(known)))

    def _network(self, kind: str, movement: str | None) -> str:
        own = self._networks(kind, movement)
        default = [
            (each.moment, each.network)
            for each in self.events
            if each.type.status in OUT["payment"] and each.network is not None
        ]
        ordered = [default, own] if kind == "payment" and movement is None else [own, default]
        return next((min(each)[1] for each in ordered if each), "")

    def _networks(self, kind: str, movement: str | None) -> list[tuple[datetime, str]]:
        first: dict[str, datetime] = {}
        for each in self.reports:
            if each.what[0] == kind and each.movement == movement and each.network is not None:
                first[each.network] = min(each.at, first.get(each.network, each.at))
        return [(at, network) for network, at in first.items()]


def _is_more(a: Decimal, b: Decimal) -> bool:
    return (abs(a), a) > (abs(b), b)


def _sum(rows: Iterable[Amount], currency: str) -> Decimal:
    return sum((row[2] for row in rows if row[0] == currency), Decimal(0))


def _less(rows: Iterable[Amount], others: Iterable[Amount]) -> list[Amount]:
    left: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for currency, network, amount in rows:
        left[currency, network] += amount
    for currency, network, amount in others:
        left[currency, network] -= amount
    return [(currency, network, amount) for (currency, network), amount in left.items() if amount]


def _first(rows: Iterable[Amount], most: dict[str, Decimal]) -> list[Amount]:
    """Return amounts above zero, network by network in their order, up to `most` by currency."""
    taken = []
    rest = dict(most)
    for currency, network, amount in sorted(_less(rows, [])):
        part = min(amount, rest.get(currency, Decimal(0)))
        if part > 0:
            taken.append((currency, network, part))
            rest[currency] -= part
    return taken


def _at_most(back: list[Amount], out: list[Amount], answer: Expected) -> list[Amount]:
    currencies = {row[0] for row in back}
    most = {each: max(_sum(out, each), Decimal(0)) for each in currencies}
    if any(_sum(back, each) > most[each] for each in currencies):
        answer.cases.add("back-exceeds-out")
    return _first(back, most)
