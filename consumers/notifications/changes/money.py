"""Money of one kind that a subject's events report, folded: equal in any order of arrival. Pure.

A kind has two directions: money that is *moved* (paid, refunded, disputed, paid out) and moved
money that is *undone* (reversed, refund failed, dispute returned, payout returned). A report is a
total so far, or names one transfer by a movement id, or has no amount at all.
"""

from collections.abc import Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation

from msgspec import Struct, field
from msgspec.structs import replace

NOTHING = Decimal(0)

_EXACT = Context(prec=200, traps=[Inexact, InvalidOperation])
"""More digits than any sum here has; a larger result raises instead of being rounded."""


class MoneyReport(Struct, frozen=True):
    """What one event reports about one kind of money.

    `total` is the amount so far and `part` the amount of `movement`; None if unknown.
    """

    undone: bool = False
    currency: str | None = None
    total: Decimal | None = None
    movement: str | None = None
    part: Decimal | None = None


class ReportedPart(Struct, frozen=True):
    """The highest amounts of one movement in one currency."""

    moved: Decimal = NOTHING
    undone: Decimal = NOTHING


class ReportedMovement(Struct, frozen=True):
    """One transfer, by the gateway's id; the flags are true if a report had no amount for it."""

    parts: Mapping[str, ReportedPart] = field(default_factory=dict)
    reported: bool = False
    undone_reported: bool = False

    @property
    def open(self) -> bool:
        """Whether it was made and not undone, and its amount is unknown."""
        known = any(part.moved or part.undone for part in self.parts.values())
        return self.reported and not self.undone_reported and not known

    @property
    def undone_open(self) -> bool:
        """Whether it was undone, and the amount that was undone is unknown."""
        return self.undone_reported and not any(part.undone for part in self.parts.values())


class ReportedSums(Struct, frozen=True):
    """Amounts of one kind in one currency.

    `total` and `undone_total` are the highest totals. The others are sums over movements:
    `parts` of what moved, `undone_parts` of what was undone, `left` of what was not undone.
    """

    total: Decimal = NOTHING
    undone_total: Decimal = NOTHING
    parts: Decimal = NOTHING
    undone_parts: Decimal = NOTHING
    left: Decimal = NOTHING

    @property
    def undone(self) -> Decimal:
        """Money moved back: the larger of total and parts, since both may report the same money."""
        return max(self.undone_total, self.undone_parts)

    @property
    def standing(self) -> Decimal:
        """Money moved and not undone, as far as it is known."""
        return max(NOTHING, _EXACT.subtract(self.total, self.undone), self.left)


class ReportedMoney(Struct, frozen=True):
    """One kind of money: amounts by currency, and what was reported without an amount.

    `open` and `undone_open` count movements of unknown amount. `unnamed` and
    `undone_unnamed` are true if a report had neither an amount nor a movement.
    """

    sums: Mapping[str, ReportedSums] = field(default_factory=dict)
    open: int = 0
    undone_open: int = 0
    unnamed: bool = False
    undone_unnamed: bool = False

    @property
    def unknown(self) -> int:
        """How many transfers of unknown amount were made beyond those that totals may contain."""
        if not (self.open or self.unnamed):
            return 0
        explained = any(each.total > each.parts for each in self.sums.values())
        known = any(each.total or each.parts for each in self.sums.values())
        return _unknown(self.open, unnamed=self.unnamed, explained=explained, known=known)

    @property
    def undone_unknown(self) -> int:
        """How many transfers were undone, by an unknown amount, beyond those in totals."""
        if not (self.undone_open or self.undone_unnamed):
            return 0
        explained = any(each.undone_total > each.undone_parts for each in self.sums.values())
        known = any(each.undone for each in self.sums.values())
        return _unknown(
            self.undone_open, unnamed=self.undone_unnamed, explained=explained, known=known
        )

    @property
    def anything_undone(self) -> bool:
        """Whether any money moved back."""
        return self.undone_unknown > 0 or any(each.undone for each in self.sums.values())


def absorb(
    money: ReportedMoney, movement: ReportedMovement, report: MoneyReport
) -> tuple[ReportedMoney, ReportedMovement]:
    """Return money and movement after a report; without an id the movement stays the same."""
    if report.total is not None and report.currency is not None:
        money = _with_total(money, report.currency, report)
    if report.movement is not None:
        after = _with_part(movement, report)
        return _counted(money, movement, after), after
    if report.total is not None:
        return money, movement
    return _without_amount(money, undone=report.undone), movement


def _unknown(count: int, *, unnamed: bool, explained: bool, known: bool) -> int:
    """Count transfers of unknown amount.

    A total that is larger than its known parts may contain all of them. A report
    that names neither amount nor transfer is another one only if nothing else is known.
    """
    counted = 0 if explained else count
    return counted + int(unnamed and not known and count == 0)


def _without_amount(money: ReportedMoney, *, undone: bool) -> ReportedMoney:
    return replace(money, undone_unnamed=True) if undone else replace(money, unnamed=True)


def _with_total(money: ReportedMoney, currency: str, report: MoneyReport) -> ReportedMoney:
    sums = money.sums.get(currency, ReportedSums())
    total = report.total or NOTHING
    if report.undone:
        sums = replace(sums, undone_total=max(sums.undone_total, total))
    else:
        sums = replace(sums, total=max(sums.total, total))
    return replace(money, sums={**money.sums, currency: sums})


def _with_part(movement: ReportedMovement, report: MoneyReport) -> ReportedMovement:
    if report.part is None or report.currency is None:
        if report.undone:
            return replace(movement, undone_reported=True)
        return replace(movement, reported=True)
    part = movement.parts.get(report.currency, ReportedPart())
    if report.undone:
        part = replace(part, undone=max(part.undone, report.part))
    else:
        part = replace(part, moved=max(part.moved, report.part))
    return replace(movement, parts={**movement.parts, report.currency: part})


def _counted(
    money: ReportedMoney, before: ReportedMovement, after: ReportedMovement
) -> ReportedMoney:
    """Replace what one movement contributes to the sums and counts."""
    sums = dict(money.sums)
    for currency in after.parts:
        old, new = _contributed(before, currency), _contributed(after, currency)
        sums[currency] = _moved_by(sums.get(currency, ReportedSums()), old, new)
    return replace(
        money,
        sums=sums,
        open=money.open + after.open - before.open,
        undone_open=money.undone_open + after.undone_open - before.undone_open,
    )


def _contributed(movement: ReportedMovement, currency: str) -> ReportedSums:
    part = movement.parts.get(currency, ReportedPart())
    # An undone movement was made, even if the report of that has not arrived.
    moved = max(part.moved, part.undone)
    wholly = movement.undone_open
    left = NOTHING if wholly else _EXACT.subtract(moved, part.undone)
    return ReportedSums(parts=moved, undone_parts=part.undone, left=left)


def _moved_by(sums: ReportedSums, old: ReportedSums, new: ReportedSums) -> ReportedSums:
    changes = {
        name: _EXACT.add(
            getattr(sums, name), _EXACT.subtract(getattr(new, name), getattr(old, name))
        )
        for name in ReportedSums.__struct_fields__
    }
    return replace(sums, **changes)
