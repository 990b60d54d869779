"""What is new to a subject's recipients after an event: the kinds of messages. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from consumers.notifications.changes.known import PARTLY_PAID, KnownFacts
from consumers.notifications.changes.money import ReportedMoney, ReportedSums
from consumers.notifications.changes.reports import CLAIMED, MAIN, MoneyKind, money_kind, standing
from consumers.notifications.rules import CALLED_OFF, ORDER_PAID
from router.contract.event import Event, EventType
from router.contract.lifecycle import STATUSES, advance, is_given_up

_RANKS = (PARTLY_PAID, "confirmed", "overpaid")
"""How far a payment is paid, in order."""

_SETTLED = frozenset(each for each in STATUSES - {"failed"} if advance(each, "failed") is None)
"""Statuses after which a failed attempt adds nothing."""


def news(before: KnownFacts, after: KnownFacts, event: Event) -> Sequence[str]:
    """Return the kinds of messages that an event causes, the most important first.

    `before` and `after` are the facts of its subject.
    """
    kinds = []
    if after.called_off and not before.called_off:
        kinds.append(CALLED_OFF)
    if after.proven and not before.proven:
        kinds.append(ORDER_PAID)
    kind = money_kind(event)
    if kind is not None:
        kinds += _about_money(before, after, event, kind)
    elif _is_new_status(before.latest, event):
        kinds.append(event.type.value)
    return kinds


def begins(latest: Mapping[str, datetime], status: str, opposite: str, moment: datetime) -> bool:
    """Return whether a status holds from a moment, and did not hold before.

    It does not hold if the opposite status is later.
    """
    known, ended = latest.get(status), latest.get(opposite)
    if ended is None:
        return known is None
    return moment >= ended and (known is None or known < ended)


def _is_new_status(latest: Mapping[str, datetime], event: Event) -> bool:
    if event.type is EventType.SUBSCRIPTION_RENEWED:
        # Every renewal is a separate period with a separate event id.
        return True
    if event.type is EventType.SUBSCRIPTION_EXPIRED:
        return begins(latest, "expired", "renewed", event.received_at)
    if not is_given_up(event.type.status):
        return not latest
    return event.type.status not in latest and not latest.keys() & _SETTLED


def _about_money(
    before: KnownFacts, after: KnownFacts, event: Event, kind: MoneyKind
) -> Sequence[str]:
    old, new = before.of(kind.name), after.of(kind.name)
    if kind.undone:
        return [event.type.value] if _more_undone(old, new) else []
    if kind.name not in {MAIN, CLAIMED}:
        more = new.unknown > old.unknown or _more(before, after, kind.name)
        return [event.type.value] if more else []
    rank = _rank(after)
    more = rank > _rank(before) or after.of(MAIN).unknown > before.of(MAIN).unknown
    if rank and (more or _more(before, after, kind.name)):
        return [f"{event.type.family}.{_RANKS[rank - 1]}"]
    return []


def _more_undone(old: ReportedMoney, new: ReportedMoney) -> bool:
    if new.undone_unknown > old.undone_unknown:
        return True
    sums = new.sums.items()
    return any(
        each.undone > old.sums.get(currency, ReportedSums()).undone for currency, each in sums
    )


def _more(before: KnownFacts, after: KnownFacts, kind: str) -> bool:
    """Return whether more money of a kind moved and was not undone, in any currency.

    A claim adds nothing to money that was seen; money that is seen replaces a claim.
    """
    currencies = after.of(kind).sums
    return any(_level(after, kind, each) > _level(before, kind, each) for each in currencies)


def _level(known: KnownFacts, kind: str, currency: str) -> Decimal:
    if kind == CLAIMED:
        return standing(known, kind, currency)
    return known.of(kind).sums.get(currency, ReportedSums()).standing


def _rank(known: KnownFacts) -> int:
    """Return how far a subject is paid: 0 if not at all, or if all of it was undone."""
    rank = max((_RANKS.index(each) + 1 for each in known.latest if each in _RANKS), default=0)
    if rank and known.of(MAIN).anything_undone and not _any_standing(known):
        return 0
    return rank


def _any_standing(known: KnownFacts) -> bool:
    currencies = {*known.of(MAIN).sums, *known.of(CLAIMED).sums}
    return any(standing(known, MAIN, currency) for currency in currencies)
