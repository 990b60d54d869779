"""A reference model of a payment, computed from all its events each time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from router.contract.event import Event

ZERO = Decimal(0)
RECEIVED = {"underpaid", "confirmed", "overpaid"}
ENDS = {"failed", "expired", "cancelled"}


def split(event: Event) -> list[Event]:
    """Return one event for each amount of an event: of its movement, of the total, or unknown."""
    seen = {"amount_claimed": event.amount_claimed and event.recorded is None}
    pieces = []
    if event.amount is not None:
        pieces.append(event.model_copy(update={**seen, "movement": None, "movement_amount": None}))
    if event.movement_amount is not None:
        pieces.append(event.model_copy(update={**seen, "amount": None}))
    return pieces or [event.model_copy(update={**seen, "currency": None})]


def is_stated(piece: Event) -> bool:
    """Return whether an operator recorded an amount."""
    known = piece.amount is not None or piece.movement_amount is not None
    return piece.recorded is not None and known


def _amount(piece: Event) -> Decimal:
    return piece.amount or piece.movement_amount or ZERO


def _age(piece: Event) -> tuple[object, Decimal, str]:
    return (piece.received_at, _amount(piece), str(piece.currency))


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

    def counted(self, *statuses: str) -> list[Event]:
        """Return the amounts of a kind that count, each as a separate event.

        The latest amount that an operator recorded replaces those of its movement; a total
        replaces all.
        """
        pieces = [piece for each in self.told(*statuses) for piece in split(each)]
        latest: dict[str, Event] = {}
        for each in sorted(filter(is_stated, pieces), key=_age):
            latest[each.movement or ""] = each
        if "" in latest:
            return [latest[""]]
        rest = [each for each in pieces if not is_stated(each)]
        return [*(each for each in rest if (each.movement or "") not in latest), *latest.values()]

    def came(self, *statuses: str) -> frozenset[object]:
        """Return what was reported and what operators recorded of a kind, without moments."""
        pieces = [piece for each in self.told(*statuses) for piece in split(each)]
        highest: dict[tuple[str, str, str], Decimal | None] = {}
        for each in pieces:
            if not is_stated(each):
                amount = each.amount if each.movement_amount is None else each.movement_amount
                claimed_by = each.endpoint if each.amount_claimed else ""
                place = (each.currency or "", each.movement or "", claimed_by)
                known = highest.get(place)
                highest[place] = amount if known is None else max(known, amount or ZERO)
        stated = [each for each in self.counted(*statuses) if is_stated(each)]
        words = {(each.movement, _amount(each), each.currency) for each in stated}
        if any(each.movement is None for each in stated):
            # An operator's amounts of movements are facts even if the total replaces them.
            others = [e for e in self.told(*statuses) if e.movement is not None or not is_stated(e)]
            rest = PaymentModel(others, self.rules).counted(*statuses)
            words |= {(e.movement, _amount(e), e.currency) for e in rest if is_stated(e)}
        return frozenset([*highest.items(), *words])

    @property
    def received(self) -> list[Event]:
        """Events about money received, without totals in a currency other than the first."""
        there = self.counted(*RECEIVED)
        totals = [each for each in there if each.amount is not None]
        if not totals:
            return there
        first = min(totals, key=lambda each: (each.moment, str(each.currency)))
        return [each for each in there if each.amount is None or each.currency == first.currency]

    @property
    def aside(self) -> bool:
        """Whether a total was reported in a second currency."""
        return len(self.received) < len(self.counted(*RECEIVED))

    def _left(self, events: Sequence[Event]) -> dict[str, Decimal]:
        """Return what these events received and was not reversed, by currency."""
        back = self.counted("reversed") if self.reversals else []
        if self.unknown(back):
            return {}
        there = PaymentModel(events, self.rules).received
        codes = {str(each.currency) for each in there if each.currency}
        left = {code: self.highest(there, code) - self.highest(back, code) for code in codes}
        return {code: amount for code, amount in left.items() if amount > 0}

    @property
    def _seen_events(self) -> list[Event]:
        return [each for each in self.counted(*RECEIVED) if not each.amount_claimed]

    @property
    def _seen_reports(self) -> list[Event]:
        """Return what was reported as seen, and all that operators recorded."""
        there = self.told(*RECEIVED)
        return [each for each in there if each.recorded is not None or not each.amount_claimed]

    @property
    def _lowered(self) -> bool:
        """Return whether an operator's total is not all that was reported."""
        totals = [each for each in self.counted(*RECEIVED) if is_stated(each) and not each.movement]
        pieces = [piece for each in self.told(*RECEIVED) for piece in split(each)]
        reported = [each for each in pieces if not is_stated(each) and each.currency is not None]
        return any(
            _amount(total) < self.highest(reported, str(total.currency))
            or any(each.currency != total.currency for each in reported)
            for total in totals
        )

    @property
    def seen(self) -> dict[str, Decimal]:
        """Return what was seen, by currency."""
        return self._left(self._seen_events)

    @property
    def claimed(self) -> dict[str, Decimal]:
        """Return what was claimed in currencies in which nothing was seen."""
        there = PaymentModel(self._seen_events, self.rules).received
        known = {each.currency for each in there if self.highest([each], str(each.currency))}
        return {c: n for c, n in self._left(self.counted(*RECEIVED)).items() if c not in known}

    def unknown(self, events: Sequence[Event]) -> set[str]:
        """Return the movements without a known amount; the empty text is the total."""
        known = {"" for each in events if each.amount is not None}
        known |= {str(each.movement) for each in events if each.movement_amount is not None}
        silent = [each for each in events if each.amount is None and each.movement_amount is None]
        return {each.movement or "" for each in silent} - known

    def back(self, out: str, returned: str) -> tuple[dict[str, Decimal], bool]:
        """Return what went out and did not come back, by currency, and if it is everything."""
        gone, came = self.counted(out), self.counted(returned)
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
        if self.reversals and self.unknown(self.counted("reversed")):
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
        events = self.counted("reversed") if self.reversals else []
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
            for each in self._seen_reports
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
        met = [each for each in self._seen_reports if each.price_met]
        prices = [
            each.expected_amount
            for each in self.events
            if each.expected_amount is not None
            and self.rules.unit(str(each.expected_currency)) == unit
        ]
        enough = bool(prices) and min(prices) >= total
        return bool(met) and enough and not self.reversed_ and not self._lowered
