"""Sums over all transfers of a position that have an id.

A position may have thousands of transfers. Each is folded in a separate row; the position keeps
only the sums of what they contribute, so that an event costs the same however many there are.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from consumers.ledger.facts.differing import differences, of_transfer
from consumers.ledger.facts.exact import exact
from consumers.ledger.facts.fact import Kind, Side
from consumers.ledger.facts.fold import Fold, Slot


class Part(StrEnum):
    """What is summed."""

    AMOUNT = "amount"
    """Amounts that count."""
    LOWERED = "lowered"
    """How much the last reports are below the highest."""
    OTHER = "other"
    """Amounts in another currency than the one of their transfer."""
    UNKNOWN = "unknown"
    """Number of transfers without an amount."""
    TAKING = "taking"
    """Number of transfers without an amount that take what is left."""
    STATED = "stated"
    """Number of transfers whose amount an operator stated."""
    DIFFERING = "differing"
    """How much the gateway's amounts differ from those that an operator stated."""
    NETWORKS = "networks"
    """Number of transfers that were reported on more than one network."""


class TallyKey(NamedTuple):
    """What is summed, and of which transfers; empty texts are for what does not apply."""

    part: Part
    kind: Kind
    side: Side
    currency: str = ""
    network: str = ""


Tally = Mapping[TallyKey, Decimal]
"""Nonzero sums."""

_ONE = Decimal(1)


def retally(tally: Tally, kind: Kind, before: Fold | None, after: Fold) -> Tally:
    """Return the tally once the fold of one transfer has changed."""
    sums = dict(tally)
    with exact():
        for key, value in _contributions(kind, after):
            sums[key] = sums.get(key, Decimal(0)) + value
        for key, value in _contributions(kind, before) if before else ():
            sums[key] = sums.get(key, Decimal(0)) - value
    return {key: value for key, value in sums.items() if value}


def sums_by_side(tally: Tally, kind: Kind) -> Mapping[Side, Mapping[str, Decimal]]:
    """Return the sums of the amounts of a kind that count, over all networks, by currency."""
    sums: dict[Side, dict[str, Decimal]] = {}
    for key, value in tally.items():
        if key.part is Part.AMOUNT and key.kind is kind:
            own = sums.setdefault(key.side, {})
            own[key.currency] = own.get(key.currency, Decimal(0)) + value
    return sums


def _contributions(kind: Kind, fold: Fold) -> Iterator[tuple[TallyKey, Decimal]]:
    network = fold.network or ""
    if len(fold.networks) > 1:
        yield TallyKey(Part.NETWORKS, kind, Side.SEEN), _ONE
    for side, currency, amount in fold.counted:
        yield TallyKey(Part.AMOUNT, kind, side, currency, network), amount
    for side, slot in fold.slots.items():
        yield from _oddities(kind, side, slot)
        if slot.stated is not None:
            yield TallyKey(Part.STATED, kind, side), _ONE
            for each in differences(slot.stated, of_transfer(kind, fold, side)):
                key = TallyKey(Part.DIFFERING, kind, side, each.currency)
                yield key, abs(each.amount - each.accepted)
    if fold.takes_what_is_left:
        yield TallyKey(Part.TAKING, kind, Side.SEEN), _ONE


def _oddities(kind: Kind, side: Side, slot: Slot) -> Iterator[tuple[TallyKey, Decimal]]:
    if slot.is_open:
        yield TallyKey(Part.UNKNOWN, kind, side), _ONE
    for currency, amounts in slot.lowered:
        yield TallyKey(Part.LOWERED, kind, side, currency), amounts.lowered_by
    for currency, amount in slot.others:
        yield TallyKey(Part.OTHER, kind, side, currency), amount
