"""Reviews an order: its cases, its history, and when time changes it. Pure."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from consumers.inventory.cases import OVERSOLD
from consumers.inventory.policy import Policy
from consumers.inventory.rules.findings import findings
from consumers.inventory.rules.judgement import Judgement
from consumers.inventory.rules.wants import due_at
from consumers.inventory.state.order_state import OrderState
from consumers.inventory.state.orders import Note
from consumers.inventory.state.payments import Payment
from consumers.runtime.cases.finding import CasesColumn, Finding, cases_column
from router.contract.amounts import amount_text
from router.contract.event import Event
from router.contract.lifecycle import contradicts_paid

_TOLD = frozenset({"underpaid", "refunded", "refund_failed", "reversed", "dispute_returned"})
"""Statuses that the history has a note of, even if the order does not change."""


def reviewed(order: OrderState, judgement: Judgement, policy: Policy, now: datetime) -> OrderState:
    """Return the order with the cases that hold for it now, and when to look at it again."""
    found = [*findings(order, judgement, policy, now), *_oversold(order)]
    cases = cases_column(order.cases, found, now)
    return replace(order, cases=cases, due_at=due_at(order, judgement, policy, now))


def with_stock_reviewed(order: OrderState, now: datetime) -> OrderState:
    """Return the order with the case of its missing stock as it is now; other cases stay."""
    others = {kind: case for kind, case in (order.cases or {}).items() if kind != OVERSOLD.name}
    missing = cases_column(order.cases, _oversold(order), now) or {}
    return replace(order, cases={**others, **missing} or None)


def case_notes(before: CasesColumn | None, after: CasesColumn | None) -> Sequence[Note]:
    """Return notes of the cases that opened, or have other facts now, and of those that closed."""
    known, now = before or {}, after or {}
    notes = []
    for kind, case in now.items():
        # The note of the sale has more details.
        if kind != OVERSOLD.name and known.get(kind, {}).get("digest") != case["digest"]:
            facts = case["facts"]
            assert isinstance(facts, dict)  # noqa: S101 - as `cases_column` makes it
            notes.append(Note(kind.replace("-", " "), trouble=True, facts=facts))
    closed = [Note("case closed", facts={"kind": kind}) for kind in known if kind not in now]
    return [*notes, *closed]


def payment_notes(before: Payment, after: Payment, event: Event) -> Sequence[Note]:
    """Return notes of an event that changes a payment."""
    notes = _recorded(before, after, event)
    if after.order_id is None:
        if before.shown.status != after.shown.status:
            notes.append(Note("payment waiting", facts=payment_facts(after)))
        return notes
    status = event.type.status
    if status in _TOLD and after.facts != before.facts:
        notes.append(Note(status.replace("_", " "), facts=payment_facts(after)))
    if contradicts_paid(before.shown.status, status):
        facts = {"reported": event.type.value}
        notes.append(Note("called off after paid", trouble=True, facts=facts))
    return notes


def _recorded(before: Payment, after: Payment, event: Event) -> list[Note]:
    """Return the note of an operator's record: who recorded it, and why."""
    if event.recorded is None or after.facts == before.facts:
        return []
    said = {"by": event.recorded.by, "reason": event.recorded.reason}
    return [Note("recorded by operator", facts={**payment_facts(after), **said})]


def payment_facts(payment: Payment) -> dict[str, str]:
    """Return a payment's facts in short, for the history."""
    shown = payment.shown
    facts = {
        "provider": payment.provider,
        "payment": payment.provider_reference,
        "status": shown.status,
        "amount": None if shown.amount is None else amount_text(shown.amount),
        "currency": shown.currency,
    }
    return {name: text for name, text in facts.items() if text is not None}


def _oversold(order: OrderState) -> Sequence[Finding]:
    missing = sum(line.oversold for line in order.lines)
    return [Finding(OVERSOLD.name, {"missing": str(missing)})] if missing else []
