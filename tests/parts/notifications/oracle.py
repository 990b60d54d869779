"""What is news about a payment, from the plain list of its events: slow, and without a fold."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from router.contract.event import Event

MOVED = {
    "underpaid": "received",
    "confirmed": "received",
    "overpaid": "received",
    "refunded": "refund",
    "disputed": "dispute",
}
UNDONE = {"reversed": "received", "refund_failed": "refund", "dispute_returned": "dispute"}
RANKS = ("underpaid", "confirmed", "overpaid")
GIVEN_UP = ("failed", "expired", "cancelled")
NONE = Decimal(0)

Story = Sequence[Event]


def news_of(before: Story, event: Event) -> list[str]:
    """Return the kinds of messages that an event causes after these events."""
    after = [*before, event]
    kinds = ["alert.called_off_after_paid"] if called_off(after) and not called_off(before) else []
    status = event.type.status
    if status in UNDONE:
        grown = _grown(undone_amounts(before, status), undone_amounts(after, status))
        return [*kinds, event.type.value] if grown else kinds
    if MOVED.get(status) == "received":
        return [*kinds, *_received(before, after)]
    if status in MOVED:
        kind = MOVED[status]
        grown = _grown(standing_amounts(before, kind), standing_amounts(after, kind))
        return [*kinds, event.type.value] if grown else kinds
    return [*kinds, event.type.value] if _is_new(before, status) else kinds


def called_off(story: Story) -> bool:
    """Return whether a later event reports the paid payment as unpaid or partly paid."""
    paid = [each.received_at for each in story if each.type.status in {"confirmed", "overpaid"}]
    unpaid = [each.received_at for each in story if each.type.status in {*GIVEN_UP, "underpaid"}]
    return bool(paid and unpaid) and max(unpaid) > min(paid)


def standing_amounts(story: Story, kind: str) -> Mapping[str, Decimal]:
    """Return the money that moved and did not move back, by currency; `?` counts unknown ones."""
    moved = [each for each in story if MOVED.get(each.type.status) == kind and _seen(each)]
    undone = [each for each in story if UNDONE.get(each.type.status) == kind]
    found = {each: _standing(moved, undone, each) for each in _currencies(story)}
    return {**found, "?": Decimal(_unknown(moved, undone, lasting=True))}


def undone_amounts(story: Story, status: str) -> Mapping[str, Decimal]:
    """Return the money that moved back, by currency; `?` counts transfers of unknown amount."""
    undone = [each for each in story if each.type.status == status]
    found = {each: _undone(undone, each) for each in _currencies(story)}
    return {**found, "?": Decimal(_unknown(undone, [], lasting=False))}


def _received(before: Story, after: Story) -> list[str]:
    rank = _rank(after)
    more = [
        rank > _rank(before),
        _grown(standing_amounts(before, "received"), standing_amounts(after, "received")),
        bool(_claims(after[-1:])) and _grown(_with_claims(before), _with_claims(after)),
    ]
    return [f"payment.{RANKS[rank - 1]}"] if rank and any(more) else []


def _with_claims(story: Story) -> Mapping[str, Decimal]:
    """Return the money received, counting what gateways claim."""
    seen = standing_amounts(story, "received")
    lost = undone_amounts(story, "reversed")
    return {
        each: max(seen[each], _standing(_claims(story), [], each) - lost[each])
        for each in _currencies(story)
    }


def _rank(story: Story) -> int:
    back = any(undone_amounts(story, "reversed").values())
    if back and not any(_with_claims(story).values()):
        return 0
    reached = [RANKS.index(e.type.status) + 1 for e in story if e.type.status in RANKS]
    return max(reached, default=0)


def _is_new(before: Story, status: str) -> bool:
    known = {each.type.status for each in before}
    if status == "pending":
        return not known
    settled = {"confirmed", "overpaid", "refunded", "disputed", *UNDONE}
    return status not in known and not known & settled


def _standing(moved: Story, undone: Story, currency: str) -> Decimal:
    back = _by_movement(undone, currency)
    known_back = {each.movement for each in undone if each.movement_amount is not None}
    lost = {each.movement for each in undone if each.movement} - known_back
    left = [
        max(NONE, amount - back.get(movement, NONE))
        for movement, amount in _by_movement(moved, currency).items()
        if movement not in lost
    ]
    total = _total(moved, currency) - _undone(undone, currency)
    return max(NONE, total, sum(left, NONE))


def _undone(undone: Story, currency: str) -> Decimal:
    return max(_total(undone, currency), sum(_by_movement(undone, currency).values(), NONE))


def _unknown(story: Story, undone: Story, *, lasting: bool) -> int:
    """Count transfers without an amount that no total may contain.

    `lasting`: not those that were undone.
    """
    every = [*story, *undone]
    known = {e.movement for e in every if e.movement_amount} | (
        {each.movement for each in undone} if lasting else set()
    )
    named = {each.movement for each in story if each.movement and each.movement_amount is None}
    explained = any(
        _total(story, each) > sum(_by_movement(every, each).values(), NONE)
        for each in _currencies(story)
    )
    silent = any(each.movement is None and each.amount is None for each in story)
    amounts = any(_total(story, e) or _by_movement_any(every, e) for e in _currencies(every))
    count = len(named - known)
    return (0 if explained else count) + int(silent and not amounts and not count)


def _by_movement_any(story: Story, currency: str) -> bool:
    return any(_by_movement(story, currency).values())


def _by_movement(story: Story, currency: str) -> dict[str | None, Decimal]:
    found: dict[str | None, Decimal] = {}
    for each in story:
        if each.movement and each.movement_amount is not None and each.currency == currency:
            found[each.movement] = max(found.get(each.movement, NONE), each.movement_amount)
    return found


def _total(story: Story, currency: str) -> Decimal:
    totals = (e.amount for e in story if e.amount is not None and e.currency == currency)
    return max(totals, default=NONE)


def _claims(story: Story) -> list[Event]:
    received = (each for each in story if MOVED.get(each.type.status) == "received")
    return [each for each in received if not _seen(each)]


def _seen(event: Event) -> bool:
    amounts = (event.amount, event.movement_amount)
    claims = event.type.status in RANKS and event.amount_claimed
    return not claims or all(each is None for each in amounts)


def _currencies(story: Iterable[Event]) -> set[str]:
    return {each.currency for each in story if each.currency}


def _grown(before: Mapping[str, Decimal], after: Mapping[str, Decimal]) -> bool:
    return any(amount > before.get(name, NONE) for name, amount in after.items())
