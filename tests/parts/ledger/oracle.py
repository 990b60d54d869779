"""An oracle for the ledger: what a plain list of events books, and which cases it opens.

It is written from the rules of docs/ledger.md alone. It knows no fold, no sums and no order of
arrival: every answer looks through all events again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from router.contract.event import Event

PAID = {"confirmed", "overpaid"}
OUT = {
    "payment": {"underpaid", "confirmed", "overpaid"},
    "refund": {"refunded"},
    "dispute": {"disputed"},
}
BACK = {
    "payment": {"reversed", "returned"},
    "refund": {"refund_failed"},
    "dispute": {"dispute_returned"},
}
KINDS = ("payment", "refund", "dispute")
CALLED_OFF = {"failed", "expired", "cancelled"}

Amount = tuple[str, str, Decimal]
"""Currency, network, amount."""


@dataclass(frozen=True)
class Report:
    """One thing an event reports about money."""

    what: tuple[str, str]
    movement: str | None
    amount: Decimal | None
    currency: str | None
    network: str | None
    at: datetime
    paid: bool
    stated: "Statement | None" = None


@dataclass(frozen=True)
class Statement:
    """What an operator knew when stating an amount, and when that was."""

    at: datetime
    replaces: Decimal | None
    others: Mapping[str, Decimal]


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
        self.reports = [report for event in self.events for report in _reports(event)]

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
            rows = self.told(*what, movement)
            if self._is_unknown(*what, movement):
                answer.cases.add("amount-unknown")
            if self.stated(*what, movement) is not None:
                rows = []
                if self._differs(*what, movement):
                    answer.cases.add("differs-from-operator")
            currencies = {each.currency for each in rows if each.amount}
            if len(currencies) > 1:
                answer.cases.add("other-currency")
            if any(_is_lowered([r for r in rows if r.currency == c]) for c in currencies):
                answer.cases.add("amount-lowered")
            if len(self._networks(what[0], movement)) > 1:
                answer.cases.add("other-network")
            total = self._own(*what, None)
            part = None if movement is None else self._own(*what, movement)
            if self.stated(*what, None) is not None:
                total = None
            if total is not None and part is not None and total[0] != part[0]:
                answer.cases.add("other-currency")
        if self._is_called_off():
            answer.cases.add("called-off-after-paid")

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
        return max(rows, key=_statement_order, default=None)

    def _differs(self, kind: str, way: str, movement: str | None) -> bool:
        """Whether the gateway reports what the operator neither stated nor was shown."""
        report = self.stated(kind, way, movement)
        assert report is not None
        assert report.stated is not None
        told = way
        claims: dict[str, Decimal] = {}
        if (kind, way) == ("payment", "out"):
            claims = self._highest(kind, "claimed", movement)
            if not any(self._highest(kind, way, movement).values()):
                told, claims = "claimed", {}
        return any(
            _is_news(
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


def _reports(event: Event) -> Iterable[Report]:
    status = event.type.status
    kind, way = next(
        (
            (kind, way)
            for way, statuses in (("out", OUT), ("back", BACK))
            for kind in KINDS
            if status in statuses[kind]
        ),
        ("payment", ""),
    )
    if not way and status not in CALLED_OFF:
        return
    paid = status != "underpaid"

    def report(
        what: tuple[str, str], movement: str | None, amount: Decimal | None, currency: str | None
    ) -> Report:
        is_cost = what[1] not in {"out", "back", "claimed"}
        stated = None if amount is None else _statement(event, is_cost=is_cost)
        return Report(what, movement, amount, currency, event.network, event.moment, paid, stated)

    if way:
        yield from _amounts(event, kind, way, report)
    for each, name, amount, currency in (
        (kind, "fee", event.fee, event.fee_currency),
        (kind, "gas", event.gas, event.gas_currency),
        ("payment", "fee back", event.fee_returned, event.fee_currency),
    ):
        if amount is not None:
            yield report((each, name), event.movement, amount, currency)


def _amounts(event: Event, kind: str, way: str, report: Callable[..., Report]) -> Iterable[Report]:
    both = ((None, event.amount), (event.movement, event.movement_amount))
    known = [each for each in both if each[1] is not None]
    if known and event.amount_claimed and (kind, way) == ("payment", "out"):
        way = "claimed"
    for movement, amount in known or [(event.movement, None)]:
        yield report((kind, way), movement, amount, event.currency if known else None)


def _statement(event: Event, *, is_cost: bool) -> Statement | None:
    recorded = event.recorded
    if recorded is None:
        return None
    if is_cost:
        return Statement(event.received_at, None, {})
    return Statement(event.received_at, recorded.replaces, recorded.other_currencies)


def _statement_order(report: Report) -> tuple[object, ...]:
    """Order by the moment of the statement, then by its values, so that the order is total."""
    stated, amount = report.stated, report.amount
    assert stated is not None
    assert amount is not None
    replaces = (stated.replaces is not None, stated.replaces or 0)
    return (
        *(stated.at, abs(amount), amount, report.currency, replaces),
        sorted(stated.others.items()),
    )


def _is_news(
    report: Report, currency: str, highest: Decimal, rows: list[Report], claim: Decimal | None
) -> bool:
    """Whether the operator has not dealt with the gateway's amounts of one currency."""
    stated = report.stated
    assert stated is not None
    is_own = currency == report.currency
    shown = stated.replaces if is_own else stated.others.get(currency)
    agreed = report.amount if is_own else shown
    if highest != agreed:
        if not highest:
            return is_own and any(each.at > stated.at for each in rows)
        if highest != shown:
            return True
        if (
            highest == claim
            and rows
            and min(r.at for r in rows if r.amount or not any(each.amount for each in rows))
            > stated.at
        ):
            return True
    lower = _last_lower(rows)
    return lower is not None and lower.at > stated.at and lower.amount != agreed


def _last_lower(rows: list[Report]) -> Report | None:
    """Return the last report of less than the highest, if it is later than all of the highest."""
    if not rows or not _is_lowered(rows):
        return None
    most = max(abs(each.amount or 0) for each in rows)
    lower = [each for each in rows if abs(each.amount or 0) != most]
    return max(lower, key=lambda each: (each.at, abs(each.amount or 0), each.amount), default=None)


def _is_lowered(rows: list[Report]) -> bool:
    """Whether the last report of less than the highest is later than all of the highest."""
    amounts = [each.amount for each in rows if each.amount is not None]
    highest = max(amounts, key=lambda each: (abs(each), each))
    last = max(each.at for each in rows if each.amount == highest)
    return any(each.at > last and each.amount != highest for each in rows)


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
