"""A reference model of a payment, computed from all its events each time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from router.contract.event import Event

ZERO = Decimal(0)
RECEIVED = {"underpaid", "confirmed", "overpaid"}
ENDS = {"failed", "expired", "cancelled"}


@dataclass(frozen=True)
class Rules:
    """The options that the model knows."""

    parity: tuple[tuple[str, ...], ...] = ()
    tolerance: Decimal = ZERO
    cap: Decimal | None = None

    def unit(self, currency: str) -> str:
        """Return one name for currencies at parity."""
        return min((min(group) for group in self.parity if currency in group), default=currency)

    def enough(self, amount: Decimal, total: Decimal) -> bool:
        """Return whether an amount reaches a total, less the tolerance."""
        share = total * self.tolerance
        return amount >= total - (share if self.cap is None else min(share, self.cap))


@dataclass(frozen=True)
class PaymentModel:
    """All events of one payment, in no order."""

    events: Sequence[Event]
    rules: Rules
    reversals: bool = True

    def told(self, *statuses: str) -> list[Event]:
        """Return the events with one of these statuses."""
        return [each for each in self.events if each.type.status in statuses]

    def highest(self, events: Iterable[Event], currency: str) -> Decimal:
        """Return the larger of the highest total and the sum over all movements."""
        there = [each for each in events if each.currency == currency]
        total = max((each.amount for each in there if each.amount is not None), default=ZERO)
        by_movement: defaultdict[str, Decimal] = defaultdict(Decimal)
        for each in there:
            if each.movement is not None and each.movement_amount is not None:
                highest = max(by_movement[each.movement], each.movement_amount)
                by_movement[each.movement] = highest
        return max(total, sum(by_movement.values(), ZERO))

    @property
    def received(self) -> list[Event]:
        """Events about money received, without totals in a currency other than the first."""
        there = self.told(*RECEIVED)
        totals = [each for each in there if each.amount is not None]
        if not totals:
            return there
        first = min(totals, key=lambda each: (each.moment, str(each.currency)))
        return [each for each in there if each.amount is None or each.currency == first.currency]

    @property
    def aside(self) -> bool:
        """Whether a total was reported in a second currency."""
        return len(self.received) < len(self.told(*RECEIVED))

    def _left(self, events: Sequence[Event]) -> dict[str, Decimal]:
        """Return what these events received and was not reversed, by currency."""
        back = self.told("reversed") if self.reversals else []
        if self.unknown(back):
            return {}
        there = PaymentModel(events, self.rules).received
        codes = {str(each.currency) for each in there if each.currency}
        left = {code: self.highest(there, code) - self.highest(back, code) for code in codes}
        return {code: amount for code, amount in left.items() if amount > 0}

    @property
    def _seen_events(self) -> list[Event]:
        return [each for each in self.told(*RECEIVED) if not each.amount_claimed]

    @property
    def seen(self) -> dict[str, Decimal]:
        """Return what was seen, by currency."""
        return self._left(self._seen_events)

    @property
    def claimed(self) -> dict[str, Decimal]:
        """Return what was claimed in currencies in which nothing was seen."""
        there = PaymentModel(self._seen_events, self.rules).received
        known = {each.currency for each in there if self.highest([each], str(each.currency))}
        return {c: n for c, n in self._left(self.told(*RECEIVED)).items() if c not in known}

    def unknown(self, events: Sequence[Event]) -> set[str]:
        """Return the movements without a known amount; the empty text is the total."""
        known = {"" for each in events if each.amount is not None}
        known |= {str(each.movement) for each in events if each.movement_amount is not None}
        silent = [each for each in events if each.amount is None and each.movement_amount is None]
        return {each.movement or "" for each in silent} - known

    def back(self, out: str, returned: str) -> tuple[dict[str, Decimal], bool]:
        """Return what went out and did not come back, by currency, and if it is everything."""
        gone, came = self.told(out), self.told(returned)
        movements = {each.movement for each in gone if each.movement}
        vague = self.unknown(came)
        if vague - movements:
            return {}, False
        whole = [each for each in gone if each.movement not in vague or each.amount is not None]
        sums = {}
        for currency in {str(each.currency) for each in whole if each.currency}:
            left = self.highest(whole, currency) - self.highest(came, currency)
            if left > 0:
                sums[currency] = left
        answered = {""} if any(e.amount is not None for e in came) else set()
        answered |= {
            e.movement or "" for e in came if e.amount is None or e.movement_amount is not None
        }
        return sums, bool(self.unknown(gone) - answered)

    @property
    def returned(self) -> bool:
        """Whether all that came was refunded."""
        sums, everything = self.back("refunded", "refund_failed")
        there: defaultdict[str, Decimal] = defaultdict(Decimal)
        gone: defaultdict[str, Decimal] = defaultdict(Decimal)
        for amounts, into in (({**self.claimed, **self.seen}, there), (sums, gone)):
            for currency, amount in amounts.items():
                into[self.rules.unit(currency)] += amount
        return everything or (bool(there) and all(gone[u] >= n for u, n in there.items()))

    @property
    def refunded(self) -> bool:
        """Whether anything was refunded."""
        sums, everything = self.back("refunded", "refund_failed")
        return everything or bool(sums)

    @property
    def disputed(self) -> bool:
        """Whether anything is disputed."""
        sums, everything = self.back("disputed", "dispute_returned")
        return everything or bool(sums)

    @property
    def vague(self) -> bool:
        """Whether money came that has no amount, or is in a second currency."""
        if self.reversals and self.unknown(self.told("reversed")):
            return False
        seen = self._seen_events
        return bool(self.unknown(seen)) or PaymentModel(seen, self.rules).aside

    @property
    def money(self) -> bool:
        """Whether money came and was not given back in full."""
        return self.there and not self.returned

    @property
    def there(self) -> bool:
        """Whether money came and was not reversed."""
        return bool(self.seen or self.claimed or self.vague)

    @property
    def ended(self) -> bool:
        """Whether no more is expected."""
        if self.returned:
            return True
        if not self.told("confirmed", "overpaid") and self.told(*ENDS):
            return True
        return self.reversed_ and not self.there

    @property
    def reversed_(self) -> bool:
        """Whether anything was reversed."""
        events = self.told("reversed") if self.reversals else []
        return any(e.amount or e.movement_amount for e in events) or bool(self.unknown(events))

    @property
    def open(self) -> bool:
        """Whether the gateway still expects money."""
        return not self.told("confirmed", "overpaid") and not self.ended

    def worth(self, total: Decimal, currency: str) -> tuple[Decimal, bool]:
        """Return the amount that counts, and whether there is more that cannot be compared."""
        if self.returned:
            return ZERO, False
        amount, strange = ZERO, self.vague or bool(self.claimed)
        for code, number in self.seen.items():
            value = self._value(code, number, currency)
            amount, strange = amount + (value or ZERO), strange or value is None
        if strange and not self.claimed and self._met(total, currency):
            return max(amount, total), False
        return amount, strange

    def _value(self, code: str, number: Decimal, currency: str) -> Decimal | None:
        unit = self.rules.unit(currency)
        if self.rules.unit(code) == unit:
            return number
        fitting = [
            each
            for each in self._seen_events
            if each.currency == code
            and each.converted is not None
            and each.converted_currency is not None
            and self.rules.unit(each.converted_currency) == unit
            and each.amount is not None
        ]
        newest: dict[str, Event] = {}
        for each in sorted(fitting, key=lambda e: (e.amount, e.moment, e.converted)):
            newest[str(each.converted_currency)] = each
        values = [e.converted for e in newest.values() if e.amount == number]
        return min((each for each in values if each is not None), default=None)

    def _met(self, total: Decimal, currency: str) -> bool:
        unit = self.rules.unit(currency)
        met = [each for each in self._seen_events if each.price_met]
        prices = [
            each.expected_amount
            for each in self.events
            if each.expected_amount is not None
            and self.rules.unit(str(each.expected_currency)) == unit
        ]
        enough = bool(prices) and min(prices) >= total
        return bool(met) and enough and not self.reversed_
