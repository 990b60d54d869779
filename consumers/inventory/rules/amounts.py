"""Sums of a payment's amounts. Pure, exact."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Final

from msgspec import Struct

from consumers.inventory.rules.exact import EXACT
from consumers.inventory.rules.facts import (
    MoneyKey,
    PaymentFacts,
    ReportedAmount,
    StatedAmount,
    StatedKey,
    TransferKind,
)
from router.contract.amounts import value_text

SEEN = frozenset({""})
"""Amounts that a gateway has seen, not merely claimed."""

ByCurrency = Mapping[str, Decimal]
_Entry = tuple[MoneyKey, ReportedAmount]


class ReceivedMoney(Struct, frozen=True):
    """Amounts received, by currency.

    `unclear` has the amounts that do not count: unknown ones, and totals in a second currency.
    """

    amounts: ByCurrency
    unclear: frozenset[str]


class GivenBack(Struct, frozen=True):
    """Amounts given back, by currency; `everything` if one of them is unknown."""

    amounts: ByCurrency
    everything: bool

    def __bool__(self) -> bool:
        """Return whether any money was given back."""
        return self.everything or any(self.amounts.values())


_NOTHING_RECEIVED: Final = ReceivedMoney({}, frozenset())
NOTHING_BACK: Final = GivenBack({}, everything=False)


def received(facts: PaymentFacts, sources: Collection[str]) -> ReceivedMoney:
    """Sum what was received, as reported by these sources, before reversals.

    Of totals in several currencies only the one reported first counts: they are the same money.
    """
    entries = _entries(facts, TransferKind.RECEIVED, sources)
    if not entries:
        return _NOTHING_RECEIVED
    totals = sorted((each.first, key.currency) for key, each in entries if _is_total(key))
    first = totals[0][1] if totals else ""
    aside = [(key, each) for key, each in entries if _is_total(key) and key.currency != first]
    unclear = {_words(key, each) for key, each in aside}
    if _unknown(entries):
        unclear.add("an unknown amount")
    counted = [each for each in entries if each not in aside] if aside else entries
    return ReceivedMoney(_sums(counted), frozenset(unclear))


def is_lowered(facts: PaymentFacts) -> bool:
    """Return whether an operator states a total that is not all that the gateway reported."""
    kind = TransferKind.RECEIVED
    total = facts.stated.get(StatedKey(kind, ""))
    if total is None:
        return False
    reported = [(key, each) for key, each in facts.money.items() if key.kind is kind]
    sums = _sums(reported)
    return total.amount < sums.pop(total.currency, total.amount) or bool(sums)


def reversed_back(facts: PaymentFacts) -> GivenBack:
    """Sum what was reversed."""
    entries = _entries(facts, TransferKind.REVERSED, None)
    return GivenBack(_sums(entries), bool(_unknown(entries))) if entries else NOTHING_BACK


def given_back(facts: PaymentFacts, out: TransferKind, back: TransferKind) -> GivenBack:
    """Sum what went `out`, less what came `back` of it.

    An unknown amount that came back is that of its movement, or else everything.
    """
    gone, returned = _entries(facts, out, None), _entries(facts, back, None)
    if not gone and not returned:
        return NOTHING_BACK
    unknown = _unknown(returned)
    if unknown - {key.movement for key, _ in gone if key.movement}:
        return GivenBack({}, everything=False)
    came_back = _sums(returned)
    went = _sums([(key, each) for key, each in gone if key.movement not in unknown])
    amounts = {each: _less(amount, came_back.get(each)) for each, amount in went.items()}
    return GivenBack(amounts, bool(_unknown(gone) - {key.movement for key, _ in returned}))


def less(amounts: ByCurrency, back: GivenBack) -> ByCurrency:
    """Subtract what was given back, by currency, down to zero."""
    if back.everything or not amounts:
        return {}
    left = {currency: _less(each, back.amounts.get(currency)) for currency, each in amounts.items()}
    return {currency: amount for currency, amount in left.items() if amount}


def _entries(
    facts: PaymentFacts, kind: TransferKind, sources: Collection[str] | None
) -> list[_Entry]:
    """Return the amounts that count of a kind, as reported by these sources, or by all.

    An operator's amount replaces those of its movement, and an operator's total all of the kind.
    """
    reported = [
        (key, each)
        for key, each in facts.money.items()
        if key.kind is kind and (sources is None or key.claimed_by in sources)
    ]
    return _corrected(kind, reported, facts.stated) if facts.stated else reported


def _corrected(
    kind: TransferKind, reported: list[_Entry], stated: Mapping[StatedKey, StatedAmount]
) -> list[_Entry]:
    """Return reported amounts of a kind with those that an operator stated in their place."""
    total = stated.get(StatedKey(kind, ""))
    if total is not None:
        return [_stated(StatedKey(kind, ""), total)]
    own = {key: each for key, each in stated.items() if key.kind is kind}
    kept = [(key, each) for key, each in reported if StatedKey(kind, key.movement) not in own]
    return [*kept, *(_stated(key, each) for key, each in own.items())]


def _stated(key: StatedKey, each: StatedAmount) -> _Entry:
    """Return an operator's amount as one that was seen."""
    money = MoneyKey(key.kind, each.currency, key.movement, "")
    return money, ReportedAmount(each.amount, each.moment)


def _is_total(key: MoneyKey) -> bool:
    return bool(key.currency) and not key.movement


def _unknown(entries: Sequence[_Entry]) -> set[str]:
    """Return the movements whose amount is unknown; the empty text is the total."""
    known = {key.movement for key, each in entries if each.amount is not None}
    return {key.movement for key, _ in entries} - known


def _sums(entries: Sequence[_Entry]) -> dict[str, Decimal]:
    """Return by currency the larger of the total and the sum over all movements."""
    if not entries:
        return {}
    if len(entries) == 1:
        ((key, only),) = entries
        return {} if only.amount is None else {key.currency: only.amount}
    highest: dict[tuple[str, str], Decimal] = {}
    for key, each in entries:
        if each.amount is not None:
            place = (key.currency, key.movement)
            highest[place] = max(highest.get(place, each.amount), each.amount)
    of_movements: defaultdict[str, Decimal] = defaultdict(Decimal)
    for (currency, movement), amount in highest.items():
        if movement:
            of_movements[currency] = EXACT.add(of_movements[currency], amount)
    currencies = sorted({currency for currency, _ in highest})
    zero = Decimal(0)
    return {c: max(highest.get((c, ""), zero), of_movements.get(c, zero)) for c in currencies}


def _less(amount: Decimal, back: Decimal | None) -> Decimal:
    return max(EXACT.subtract(amount, back or Decimal(0)), Decimal(0))


def _words(key: MoneyKey, each: ReportedAmount) -> str:
    return money_text(each.amount or Decimal(0), key.currency)


def money_text(amount: Decimal, currency: str) -> str:
    """Format an amount so that equal amounts have equal text: `30 USDT`."""
    return f"{value_text(amount)} {currency}"
