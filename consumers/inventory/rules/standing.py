"""Standing of a payment: what it is worth, and whether it ended, from its facts. Pure."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal

from msgspec import Struct

from consumers.inventory.policy import Policy
from consumers.inventory.rules.amounts import (
    NOTHING_BACK,
    SEEN,
    ByCurrency,
    GivenBack,
    ReceivedMoney,
    given_back,
    is_lowered,
    less,
    money_text,
    received,
    reversed_back,
)
from consumers.inventory.rules.exact import EXACT
from consumers.inventory.rules.facts import Conversion, PaymentFacts, Price, TransferKind

_PAID = frozenset({"confirmed", "overpaid"})
_OVER = ("failed", "expired", "cancelled")


class PaymentStanding(Struct, frozen=True):
    """Result of a payment's facts, under a policy.

    `gross` is what was received, `amounts` the same less what was reversed; `claimed` is what was
    only claimed. `unclear` has received money that cannot be counted at all. `met` is whether the
    gateway reports that its price is paid in full.
    """

    statuses: frozenset[str]
    gross: ByCurrency
    amounts: ByCurrency
    claimed: ByCurrency
    unclear: frozenset[str]
    reversed: GivenBack
    refunded: GivenBack
    disputed: GivenBack
    prices: frozenset[Price]
    met: bool
    conversions: Mapping[tuple[str, str], Conversion]
    returned: bool = False
    waits: bool = False

    @property
    def paid(self) -> bool:
        """Whether the gateway reports it as paid, with any amount."""
        return bool(self.statuses & _PAID)

    @property
    def has_money(self) -> bool:
        """Whether money came, as seen or as claimed, that was not given back in full."""
        return self._there and not self.returned

    @property
    def ended(self) -> bool:
        """Whether no more money is expected from it. A payment without events has not ended."""
        given_up = not self.paid and not self.statuses.isdisjoint(_OVER)
        reversed_whole = bool(self.reversed) and not self._there
        return self.returned or given_up or reversed_whole

    @property
    def open(self) -> bool:
        """Whether the gateway reported it and more money is expected from it."""
        return bool(self.statuses) and not self.paid and not self.ended

    @property
    def end(self) -> str:
        """The word for how it ended."""
        if self.returned:
            return "refunded"
        return next((each for each in _OVER if each in self.statuses), "reversed")

    @property
    def _there(self) -> bool:
        return bool(self.amounts or self.claimed or self.unclear)


def standing(facts: PaymentFacts, policy: Policy, *, reversals: bool = True) -> PaymentStanding:
    """Return the standing of a payment; without `reversals`, as if nothing had been reversed."""
    sources = SEEN | set(policy.count_claimed)
    came = received(facts, sources)
    back = reversed_back(facts) if reversals else NOTHING_BACK
    amounts = less(came.amounts, back)
    claimed = _claimed(facts, sources, came, back)
    refunds = given_back(facts, TransferKind.REFUNDED, TransferKind.REFUND_FAILED)
    return PaymentStanding(
        statuses=facts.statuses,
        gross=came.amounts,
        amounts=amounts,
        claimed=claimed,
        unclear=frozenset() if back.everything else came.unclear,
        reversed=back,
        refunded=refunds,
        disputed=given_back(facts, TransferKind.DISPUTED, TransferKind.DISPUTE_RETURNED),
        prices=facts.prices,
        met=not facts.met.isdisjoint(sources) and not is_lowered(facts),
        conversions=_conversions(facts, sources),
        returned=_is_returned({**claimed, **amounts}, refunds, policy),
        waits=policy.overpaid == "wait" and "overpaid" in facts.statuses,
    )


def _claimed(
    facts: PaymentFacts, sources: AbstractSet[str], came: ReceivedMoney, back: GivenBack
) -> ByCurrency:
    """Return what was only claimed, in currencies of which nothing came."""
    everywhere = {key.claimed_by for key in facts.money}
    if everywhere <= sources:
        return {}
    left = less(received(facts, everywhere).amounts, back)
    return {currency: amount for currency, amount in left.items() if currency not in came.amounts}


def by_unit(amounts: Iterable[tuple[str, Decimal]], policy: Policy) -> dict[str, Decimal]:
    """Sum amounts by currency, where currencies at parity are one."""
    sums: dict[str, Decimal] = {}
    for currency, amount in amounts:
        unit = policy.unit(currency)
        sums[unit] = EXACT.add(sums.get(unit, Decimal(0)), amount)
    return sums


def amounts_text(amounts: Iterable[ByCurrency]) -> str:
    """Format the sums of amounts by currency: `0.1 BTC, 30 USDT`."""
    sums: dict[str, Decimal] = {}
    for each in amounts:
        for currency, amount in each.items():
            sums[currency] = EXACT.add(sums.get(currency, Decimal(0)), amount)
    return ", ".join(money_text(sums[each], each) for each in sorted(sums) if sums[each])


def _is_returned(came: ByCurrency, refunds: GivenBack, policy: Policy) -> bool:
    """Return whether all that came was given back."""
    if refunds.everything or not refunds.amounts:
        return refunds.everything
    gone = by_unit(refunds.amounts.items(), policy)
    there = by_unit(came.items(), policy)
    return bool(there) and all(gone.get(unit, 0) >= amount for unit, amount in there.items())


def _conversions(
    facts: PaymentFacts, sources: Iterable[str]
) -> Mapping[tuple[str, str], Conversion]:
    best: dict[tuple[str, str], Conversion] = {}
    for key, each in facts.conversions.items():
        if key.claimed_by in sources:
            pair = (key.currency, key.into)
            best[pair] = max(best.get(pair, each), each)
    return best
