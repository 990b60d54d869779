"""What the events of a payment, payout, subscription or order report, folded, and as JSON. Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from consumers.notifications.changes.money import (
    ReportedMoney,
    ReportedMovement,
    ReportedPart,
    ReportedSums,
)
from router.contract.amounts import value_text
from router.contract.lifecycle import is_given_up, is_paid

PARTLY_PAID = "underpaid"


@dataclass(frozen=True)
class KnownFacts:
    """The folded facts of a subject; equal for the same events in any order.

    `latest` is the latest moment at which the edge received each status, `paid_since`
    the earliest of a paid one. `proven` is true once an event proved that the order is paid.
    """

    latest: Mapping[str, datetime] = field(default_factory=dict)
    paid_since: datetime | None = None
    proven: bool = False
    money: Mapping[str, ReportedMoney] = field(default_factory=dict)

    @property
    def called_off(self) -> bool:
        """Whether the gateway reports a paid payment as unpaid or as paid in part, later."""
        if self.paid_since is None:
            return False
        return any(
            moment > self.paid_since
            for status, moment in self.latest.items()
            if is_given_up(status) or status == PARTLY_PAID
        )

    def of(self, kind: str) -> ReportedMoney:
        """Return one kind of money."""
        return self.money.get(kind, ReportedMoney())


def with_status(known: KnownFacts, status: str, moment: datetime) -> KnownFacts:
    """Return the facts after a status that was received at a moment."""
    latest = max(known.latest.get(status, moment), moment)
    since = known.paid_since
    if is_paid(status):
        since = moment if since is None else min(since, moment)
    return replace(known, latest={**known.latest, status: latest}, paid_since=since)


def known_text(known: KnownFacts) -> str:
    """Return facts as JSON: equal facts have equal text."""
    return _text(
        {
            "latest": {status: each.isoformat() for status, each in known.latest.items()},
            "paid_since": known.paid_since.isoformat() if known.paid_since else None,
            "proven": known.proven,
            "money": {kind: _money_json(each) for kind, each in known.money.items()},
        }
    )


def known_of(text: str) -> KnownFacts:
    """Parse facts."""
    stored = json.loads(text)
    since = stored.get("paid_since")
    return KnownFacts(
        latest={s: datetime.fromisoformat(each) for s, each in stored.get("latest", {}).items()},
        paid_since=datetime.fromisoformat(since) if since else None,
        proven=stored.get("proven", False),
        money={kind: _money(each) for kind, each in stored.get("money", {}).items()},
    )


def movement_text(movement: ReportedMovement) -> str:
    """Return a movement as JSON: equal movements have equal text."""
    parts = {currency: _amounts(part) for currency, part in movement.parts.items()}
    return _text({**asdict(movement), "parts": parts})


def movement_of(text: str) -> ReportedMovement:
    """Parse a movement."""
    stored = json.loads(text)
    parts = stored.pop("parts", {})
    return ReportedMovement(
        parts={currency: ReportedPart(**_decimals(p)) for currency, p in parts.items()}, **stored
    )


def _money_json(money: ReportedMoney) -> dict[str, object]:
    counts = {each.name: getattr(money, each.name) for each in fields(ReportedMoney)[1:]}
    return {**counts, "sums": {currency: _amounts(each) for currency, each in money.sums.items()}}


def _money(stored: Mapping[str, Any]) -> ReportedMoney:
    sums = {c: ReportedSums(**_decimals(each)) for c, each in stored["sums"].items()}
    return ReportedMoney(**{**stored, "sums": sums})


def _amounts(amounts: ReportedPart | ReportedSums) -> dict[str, str]:
    return {each.name: value_text(getattr(amounts, each.name)) for each in fields(amounts)}


def _decimals(stored: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(text) for name, text in stored.items()}


def _text(stored: object) -> str:
    return json.dumps(stored, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
