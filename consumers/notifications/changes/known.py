"""What the events of a payment, payout, subscription or order report, folded, and as JSON. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct, field, json
from msgspec.structs import asdict, replace

from consumers.notifications.changes.money import (
    ReportedMoney,
    ReportedMovement,
    ReportedPart,
    ReportedSums,
)
from router.contract.amounts import value_text
from router.contract.lifecycle import is_given_up, is_paid

PARTLY_PAID = "underpaid"


class KnownFacts(Struct, frozen=True):
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


_KNOWN: Final = json.Decoder(KnownFacts)
_MOVEMENT: Final = json.Decoder(ReportedMovement)


def with_status(known: KnownFacts, status: str, moment: datetime) -> KnownFacts:
    """Return the facts after a status that was received at a moment."""
    latest = max(known.latest.get(status, moment), moment)
    since = known.paid_since
    if is_paid(status):
        since = moment if since is None else min(since, moment)
    return replace(known, latest={**known.latest, status: latest}, paid_since=since)


def known_text(known: KnownFacts) -> str:
    """Return facts as JSON, without what is zero: equal facts have equal text."""
    money = {kind: _money_json(each) for kind, each in known.money.items()}
    return _text({**_not_zero(known), "money": money})


def known_of(text: str) -> KnownFacts:
    """Parse facts."""
    return _KNOWN.decode(text)


def movement_text(movement: ReportedMovement) -> str:
    """Return a movement as JSON, without what is zero: equal movements have equal text."""
    parts = {currency: _amounts(part) for currency, part in movement.parts.items()}
    return _text({**_not_zero(movement), "parts": parts})


def movement_of(text: str) -> ReportedMovement:
    """Parse a movement."""
    return _MOVEMENT.decode(text)


def _money_json(money: ReportedMoney) -> dict[str, object]:
    sums = {currency: _amounts(each) for currency, each in money.sums.items()}
    return {**_not_zero(money), "sums": sums}


def _amounts(amounts: ReportedPart | ReportedSums) -> dict[str, str]:
    return {name: value_text(each) for name, each in _not_zero(amounts).items()}


def _not_zero(facts: Struct) -> dict[str, Any]:
    return {name: each for name, each in asdict(facts).items() if each}


def _text(stored: object) -> str:
    return json.encode(stored, order="sorted").decode()
