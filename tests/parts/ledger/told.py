"""Sample events for the ledger's tests: a payment by default."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

from consumers.ledger.facts.exact import exact
from consumers.ledger.facts.position import absorb, new_position
from consumers.ledger.postings import (
    AmountsByPlace,
    PostingPlace,
    assess,
    difference,
    implied,
)
from router.contract.event import Event, EventType, Verification

LARGEST = "99999999999999999999.999999999999999999"
"""The largest amount of the contract."""

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def told(kind: str, amount: str | None = None, **facts: Any) -> Event:  # noqa: ANN401 - any field
    """Make an event with a new id; the currency is USDT if there is an amount.

    `at` is the number of minutes after `MOMENT` at which it is received.
    """
    payment, at = facts.pop("payment", "P-1"), facts.pop("at", 0)
    defaults: dict[str, Any] = {
        "id": uuid4(),
        "provider": "blockatm",
        "endpoint": "blockatm-main",
        "account": "shop-eu",
        "reference": f"order of {payment}",
        "provider_reference": payment,
        "amount": amount,
        "currency": "USDT" if amount is not None or "movement_amount" in facts else None,
        "network": "Ethereum",
        "received_at": MOMENT + timedelta(minutes=at),
        "verification": Verification(scheme="none", key="fp:none"),
    }
    return Event.model_validate({**defaults, "type": EventType(kind), **facts})


def recorded(kind: str, amount: str | None, **facts: Any) -> Event:  # noqa: ANN401 - any field
    """Make the event of an operator's statement, like `told`.

    `replaces` and `other_currencies` are the gateway's amounts that the operator was shown.
    """
    statement: dict[str, Any] = {"by": "anna", "reason": "seen on chain", "provider": "blockatm"}
    names = {"replaces", "other_currencies"} & facts.keys()
    statement |= {name: facts.pop(name) for name in names}
    own: dict[str, Any] = {"network": None, "endpoint": "operator", "provider": "operator"}
    return told(kind, amount, **{**own, **facts}, recorded=statement)


def numbered(number: int) -> UUID:
    """Return the same id for the same number."""
    return uuid5(NAMESPACE_OID, str(number))


def by_name(books: AmountsByPlace) -> dict[str, Decimal]:
    """Return amounts by name, `wallet:Ethereum USDT`: the account without merchant and gateway."""
    return {
        f"{place.account.name.split(':', 2)[2]} {place.currency}": amount
        for place, amount in books.items()
    }


def booked(events: Sequence[Event]) -> AmountsByPlace:
    """Return the books of one payment after its events."""
    return implied(reduce(absorb, events, new_position(events[0])))


def found(events: Sequence[Event]) -> dict[str, dict[str, str]]:
    """Return the facts of the cases of one payment after its events, by kind."""
    position = reduce(absorb, events, new_position(events[0]))
    return {each.kind: dict(each.facts) for each in assess(position).findings}


def posted(events: Sequence[Event]) -> AmountsByPlace:
    """Return the sums of the postings of each event, as in the journal."""
    position = new_position(events[0])
    sums: dict[PostingPlace, Decimal] = {}
    for event in events:
        after = absorb(position, event)
        for place, amount in difference(implied(position), implied(after)).items():
            with exact():
                sums[place] = sums.get(place, Decimal(0)) + amount
        position = after
    return {place: amount for place, amount in sums.items() if amount}
