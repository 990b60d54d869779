"""What events report about money, one amount each, for the oracle of the ledger."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

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


def reports_of(event: Event) -> Iterable[Report]:
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


def statement_order(report: Report) -> tuple[Any, ...]:
    """Order by the moment of the statement, then by its values, so that the order is total."""
    stated, amount = report.stated, report.amount
    assert stated is not None
    assert amount is not None
    replaces = (stated.replaces is not None, stated.replaces or 0)
    return (
        *(stated.at, abs(amount), amount, report.currency, replaces),
        sorted(stated.others.items()),
    )


def is_news(
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
        if highest != shown or (highest == claim and _is_later(rows, stated.at)):
            return True
    lower = _last_lower(rows)
    return lower is not None and lower.at > stated.at and lower.amount != agreed


def _is_later(rows: list[Report], moment: datetime) -> bool:
    """Whether everything above zero was reported after a moment."""
    above = [each.at for each in rows if each.amount]
    return bool(above) and min(above) > moment


def _last_lower(rows: list[Report]) -> Report | None:
    """Return the last report of less than the highest, if it is later than all of the highest."""
    if not rows or not is_lowered(rows):
        return None
    most = max(abs(each.amount or Decimal(0)) for each in rows)
    lower = [each for each in rows if abs(each.amount or Decimal(0)) != most]

    def latest(report: Report) -> tuple[datetime, Decimal, Decimal]:
        amount = report.amount or Decimal(0)
        return report.at, abs(amount), amount

    return max(lower, key=latest, default=None)


def is_lowered(rows: list[Report]) -> bool:
    """Whether the last report of less than the highest is later than all of the highest."""
    amounts = [each.amount for each in rows if each.amount is not None]
    highest = max(amounts, key=lambda each: (abs(each), each))
    last = max(each.at for each in rows if each.amount == highest)
    return any(each.at > last and each.amount != highest for each in rows)
