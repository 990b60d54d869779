"""Prints an order and what a decision about it would change."""

from collections.abc import Iterator, Mapping, Sequence

import click

from consumers.inventory.deciding.facts import DecisionEffect, OrderFacts
from consumers.inventory.rules.findings import back_text, came_text, total_text
from consumers.inventory.rules.standing import standing
from consumers.inventory.state.payments import Payment
from router.contract.order import Order
from router.terminal.output import printable, show_fields, show_table


def facts_json(facts: OrderFacts) -> Mapping[str, object]:
    """Return an order as JSON values: its lines, payments, decisions, cases, and its version."""
    order = facts.order
    skus = {each.id: each.sku for each in facts.stock}
    return {
        "account": order.account,
        "reference": order.reference,
        "status": order.status,
        "total": total_text(order) or None,
        "received": came_text(facts.judgement.payments) or None,
        "paid": facts.judgement.answer.value,
        "cancelled_at": order.cancelled_at and order.cancelled_at.isoformat(),
        "lines": [
            {
                "sku": skus[each.stock_id],
                "quantity": each.quantity,
                "reserved": each.reserved,
                "sold": each.committed,
                "oversold": each.oversold,
            }
            for each in order.lines
        ],
        "payments": [_payment_json(each, facts) for each in facts.payments],
        "cases": sorted(order.cases or {}),
        "decision": _decision_json(facts),
        "waiting": [
            {"at": each.at.isoformat(), "by": each.by, "decision": each.text}
            for each in facts.waiting
        ],
        "version": facts.version,
    }


def effect_json(message: Order, effect: DecisionEffect) -> Mapping[str, object]:
    """Return what a decision changes as JSON values."""
    assert message.decided is not None  # noqa: S101 - it is a decision
    return {
        "decision": message.decided.decision.value,
        "status": effect.status,
        "stock": [{"sku": sku, **each} for sku, each in effect.stock.items()],
        "opens": list(effect.opens),
        "closes": list(effect.closes),
        "outcomes": list(effect.outcomes),
    }


def show_facts(facts: OrderFacts) -> None:
    """Print an order with its payments."""
    shown = dict(facts_json(facts))
    lines, payments = shown.pop("lines"), shown.pop("payments")
    assert isinstance(lines, list)  # noqa: S101 - as `facts_json` makes them
    assert isinstance(payments, list)  # noqa: S101 - the same
    title = f"order {shown.pop('reference')} of {shown.pop('account')}"
    shown["cases"] = ", ".join(sorted(facts.order.cases or {}))
    shown["waiting"] = "; ".join(each.text for each in facts.waiting)
    show_fields(title, {name: value for name, value in shown.items() if value})
    _show_rows("lines", lines)
    _show_rows("payments", payments)


def show_effect(facts: OrderFacts, message: Order, effect: DecisionEffect) -> None:
    """Print what a decision would change, in lines."""
    assert message.decided is not None  # noqa: S101 - it is a decision
    lines = list(effect_lines(facts, effect))
    click.echo(f"{message.decided.decision} would change:")
    for line in lines or ["nothing: neither stock nor cases"]:
        click.echo(f"  {printable(line)}")
    if facts.waiting:
        click.echo("a decision waits for the consumer, and this is the effect without it")


def effect_lines(facts: OrderFacts, effect: DecisionEffect) -> Iterator[str]:
    """Yield what a decision would change: the status, stock, and cases."""
    if effect.changes_status:
        yield f"status: {facts.order.status} -> {effect.status}"
    for sku, changes in effect.stock.items():
        numbers = ", ".join(f"{name} {each:+d}" for name, each in changes.items() if each)
        yield f"stock of {sku}: {numbers}"
    for word, kinds in (("opens", effect.opens), ("closes", effect.closes)):
        if kinds:
            yield f"{word} {', '.join(kinds)}"


def _show_rows(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    if rows:
        cells = [["" if each is None else str(each) for each in row.values()] for row in rows]
        show_table(title, tuple(name.replace("_", " ") for name in rows[0]), cells)


def _payment_json(payment: Payment, facts: OrderFacts) -> Mapping[str, object]:
    known = standing(payment.facts, facts.policy)
    return {
        "provider": payment.provider,
        "payment": payment.provider_reference,
        "status": payment.shown.status,
        "received": came_text([known]) or None,
        "refunded": back_text([known.refunded]) or None,
        "disputed": back_text([known.disputed]) or None,
    }


def _decision_json(facts: OrderFacts) -> Mapping[str, object] | None:
    decision = facts.order.decision
    if decision is None:
        return None
    return {
        "decision": decision.verb.value,
        "at": decision.at.isoformat(),
        "by": decision.by,
        "reason": decision.reason,
        "changed_since": decision.shown != facts.judgement.shown,
    }
