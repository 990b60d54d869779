"""The cases that hold for a position: what a gateway reported that does not fit.

The decisive facts of a case have no moments: a closed case opens again if amounts
change, not if they are repeated.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal

from consumers.ledger.cases import (
    AMOUNT_LOWERED,
    AMOUNT_UNKNOWN,
    BACK_EXCEEDS_OUT,
    CALLED_OFF_AFTER_PAID,
    CLAIM_ABOVE_SEEN,
    DIFFERS_FROM_OPERATOR,
    OTHER_CURRENCY,
    OTHER_NETWORK,
    OUT_EXCEEDS_IN,
)
from consumers.ledger.facts.booked import Booked
from consumers.ledger.facts.differing import differences, of_transfer
from consumers.ledger.facts.fact import CALLING_OFF, Kind, Side
from consumers.ledger.facts.fold import Fold, Slot
from consumers.ledger.facts.position import Position
from consumers.ledger.facts.tally import Part, TallyKey, sums_by_side
from consumers.runtime.cases.finding import Finding
from router.contract.amounts import value_text

_Facts = dict[str, str]
"""Decisive facts by name, such as `refund`: `100 USDT, later 80 USDT`."""

_NAMES = {
    Side.SEEN: "{}",
    Side.CLAIMED: "{} claimed",
    Side.BACK: "{} returned",
    Side.FEE: "fee of {}",
    Side.FEE_BACK: "fee returned",
    Side.GAS: "gas of {}",
}


def findings_of(position: Position, booked: Booked) -> list[Finding]:
    """Return the cases of a position. Call it within `exact()`."""
    found: dict[str, _Facts] = defaultdict(dict)
    for kind, fold in position.totals.items():
        _add_total(found, position.family, kind, fold)
    for key, value in position.tally.items():
        _add_movements(found, position.family, key, value)
    _add_mixed_currencies(found, position)
    _add_differences(found, position)
    _add_excesses(found, position.family, booked)
    _add_unseen(found, booked)
    if _is_called_off(position) and position.called_off is not None:
        found[CALLED_OFF_AFTER_PAID.name]["status"] = position.called_off.text
    return [Finding(kind, dict(sorted(facts.items()))) for kind, facts in sorted(found.items())]


def _is_called_off(position: Position) -> bool:
    paid, off = position.paid_at, position.called_off
    if paid is None or off is None:
        return False
    # The order within one moment is unknown, except that a partial payment comes first.
    return off.at >= paid if off.text in CALLING_OFF else off.at > paid


def _name(family: str, kind: Kind, side: Side) -> str:
    return _NAMES[side].format(family if kind is Kind.MAIN else kind.value)


def _add_total(found: Mapping[str, _Facts], family: str, kind: Kind, fold: Fold) -> None:
    for side, slot in fold.slots.items():
        if slot.is_undisputed:
            continue
        for case, text in _oddities(slot):
            found[case][_name(family, kind, side)] = text
    if len(fold.networks) > 1:
        networks = ", ".join(sorted(fold.networks))
        found[OTHER_NETWORK.name][_name(family, kind, Side.SEEN)] = networks


def _oddities(slot: Slot) -> Iterator[tuple[str, str]]:
    if slot.is_open:
        yield AMOUNT_UNKNOWN.name, "no amount"
    lowered = [
        f"{_money(each.highest, currency)}, later {_money(each.lower.amount, currency)}"
        for currency, each in sorted(slot.lowered)
        if each.lower is not None
    ]
    if lowered:
        yield AMOUNT_LOWERED.name, "; ".join(lowered)
    others = [_money(amount, currency) for currency, amount in sorted(slot.others)]
    if others and slot.counted is not None:
        yield OTHER_CURRENCY.name, f"{slot.counted[0]} counts, not {', '.join(others)}"


_SUMMED = {
    Part.LOWERED: (AMOUNT_LOWERED.name, "lowered by {}"),
    Part.OTHER: (OTHER_CURRENCY.name, "not counted: {}"),
    Part.DIFFERING: (DIFFERS_FROM_OPERATOR.name, "differs by {}"),
    Part.UNKNOWN: (AMOUNT_UNKNOWN.name, "no amount: {}"),
    Part.NETWORKS: (OTHER_NETWORK.name, "on several: {}"),
}


def _add_movements(found: Mapping[str, _Facts], family: str, key: TallyKey, value: Decimal) -> None:
    if key.part not in _SUMMED:
        return
    case, text = _SUMMED[key.part]
    name = f"{_name(family, key.kind, key.side)} movements {key.currency}".strip()
    found[case][name] = text.format(value_text(value))


def _add_mixed_currencies(found: Mapping[str, _Facts], position: Position) -> None:
    """Find a total in another currency than transfers of the same kind: both are booked."""
    if not position.tally:
        return
    totals = {
        (kind, side): currency
        for kind, fold in position.totals.items()
        for side, currency, _ in fold.counted
        if fold.slot(side).stated is None
    }
    for key in position.tally:
        total = totals.get((key.kind, key.side), key.currency)
        if key.part is Part.AMOUNT and total != key.currency:
            name = f"{_name(position.family, key.kind, key.side)} in {key.currency}"
            found[OTHER_CURRENCY.name][name] = f"total in {total}"


def _add_differences(found: Mapping[str, _Facts], position: Position) -> None:
    """Find totals of the gateway that differ from those an operator stated."""
    for kind, fold in position.totals.items():
        for side, slot in fold.slots.items():
            if slot.stated is None:
                continue
            gateway = of_transfer(kind, fold, side, sums_by_side(position.tally, kind))
            differing = [
                _money(each.amount, each.currency) for each in differences(slot.stated, gateway)
            ]
            if differing:
                own = _money(slot.stated.amount, slot.stated.currency)
                text = f"operator {own}, gateway {' and '.join(differing)}"
                found[DIFFERS_FROM_OPERATOR.name][_name(position.family, kind, side)] = text


def _add_excesses(found: Mapping[str, _Facts], family: str, booked: Booked) -> None:
    for (name, currency), excess in booked.back_exceeds.items():
        what = family if name == Kind.MAIN else name
        less, more = value_text(excess.less), value_text(excess.more)
        found[BACK_EXCEEDS_OUT.name][f"{what} {currency}"] = f"{less} out, {more} back"
    for currency, excess in booked.out_exceeds.items():
        less, more = value_text(excess.less), value_text(excess.more)
        found[OUT_EXCEEDS_IN.name][currency] = f"{less} in, {more} out"


def _add_unseen(found: Mapping[str, _Facts], booked: Booked) -> None:
    for currency, excess in booked.claim_exceeds.items():
        less, more = value_text(excess.less), value_text(excess.more)
        found[CLAIM_ABOVE_SEEN.name][currency] = f"{more} claimed, {less} seen"


def _money(amount: Decimal, currency: str) -> str:
    return f"{value_text(amount)} {currency}"
