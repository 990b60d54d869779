"""Facts as JSON values, for the store. Amounts are text, moments ISO 8601 with time zone."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from consumers.ledger.facts.fact import Kind, Rank, Reported, Side
from consumers.ledger.facts.fold import Amounts, Fold, Lower, Slot
from consumers.ledger.facts.position import Position
from consumers.ledger.facts.stated import Stated
from consumers.ledger.facts.tally import Part, Tally, TallyKey
from router.contract.amounts import amount_text

Json = dict[str, Any]
"""A JSON object; empty members are left out."""


def facts_json(position: Position) -> Json:
    """Return the facts of a position, without those of `movements`."""
    off = position.called_off
    members = {
        "networks": _moments_json(position.networks),
        "paid_at": position.paid_at and position.paid_at.isoformat(),
        "called_off": off and [off.at.isoformat(), off.text],
        "expected": {each: amount_text(value) for each, value in position.expected.items()},
        "totals": {kind.value: fold_json(fold) for kind, fold in position.totals.items()},
        "tally": [[*key, amount_text(value)] for key, value in position.tally.items()],
    }
    return {name: member for name, member in members.items() if member}


def position_of(columns: Mapping[str, Any], facts: Json) -> Position:
    """Return the position with these columns of its row and facts."""
    off = facts.get("called_off")
    paid_at = facts.get("paid_at")
    return Position(
        **{**columns, "rank": Rank(columns["rank"])},
        networks=_moments(facts.get("networks", {})),
        paid_at=paid_at and datetime.fromisoformat(paid_at),
        called_off=off and Reported(datetime.fromisoformat(off[0]), off[1]),
        expected={each: Decimal(value) for each, value in facts.get("expected", {}).items()},
        totals={Kind(kind): fold_of_json(fold) for kind, fold in facts.get("totals", {}).items()},
        tally=_tally(facts.get("tally", [])),
    )


def fold_json(fold: Fold) -> Json:
    """Return the fold of a transfer, or of a total."""
    sides = {side.value: _slot_json(slot) for side, slot in fold.slots.items()}
    return {"networks": _moments_json(fold.networks), "sides": sides}


def fold_of_json(stored: Json) -> Fold:
    """Return the fold that `fold_json` returned the JSON of."""
    slots = {Side(side): _slot(slot) for side, slot in stored["sides"].items()}
    return Fold(_moments(stored["networks"]), slots)


def _slot_json(slot: Slot) -> Json:
    amounts = {currency: _amounts_json(each) for currency, each in slot.amounts.items()}
    members = {"known": int(slot.known), "unknown": int(slot.unknown), "amounts": amounts}
    return members if slot.stated is None else {**members, "stated": _stated_json(slot.stated)}


def _slot(stored: Json) -> Slot:
    amounts = {currency: _amounts(each) for currency, each in stored["amounts"].items()}
    stated = stored.get("stated")
    return Slot(amounts, stored["known"], stored["unknown"], stated and _stated(stated))


def _stated_json(stated: Stated) -> Json:
    replaces = stated.replaces
    members = {
        "at": stated.at.isoformat(),
        "currency": stated.currency,
        "amount": amount_text(stated.amount),
        "replaces": None if replaces is None else amount_text(replaces),
        "others": [[currency, amount_text(amount)] for currency, amount in stated.others],
    }
    return {name: member for name, member in members.items() if member}


def _stated(stored: Json) -> Stated:
    replaces = stored.get("replaces")
    return Stated(
        datetime.fromisoformat(stored["at"]),
        stored["currency"],
        Decimal(stored["amount"]),
        None if replaces is None else Decimal(replaces),
        tuple((currency, Decimal(amount)) for currency, amount in stored.get("others", [])),
    )


def _amounts_json(amounts: Amounts) -> Json:
    lower = amounts.lower
    return {
        "highest": amount_text(amounts.highest),
        "first": amounts.first.isoformat(),
        "last": amounts.last.isoformat(),
        "lower": lower and [lower.at.isoformat(), amount_text(lower.amount)],
    }


def _amounts(stored: Json) -> Amounts:
    first, last = (datetime.fromisoformat(stored[each]) for each in ("first", "last"))
    lower = stored["lower"]
    if lower is not None:
        lower = Lower(datetime.fromisoformat(lower[0]), Decimal(lower[1]))
    return Amounts(Decimal(stored["highest"]), first, last, lower)


def _moments_json(moments: Mapping[str, datetime]) -> Json:
    return {name: moment.isoformat() for name, moment in moments.items()}


def _moments(stored: Json) -> Mapping[str, datetime]:
    return {name: datetime.fromisoformat(moment) for name, moment in stored.items()}


def _tally(stored: list[list[str]]) -> Tally:
    return {
        TallyKey(Part(part), Kind(kind), Side(side), currency, network): Decimal(value)
        for part, kind, side, currency, network, value in stored
    }
