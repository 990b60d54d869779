"""One order: its state, payments, movements of stock and decisions."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from consumers.console.web.answers import Html, PageAnswer
from consumers.console.web.problems import NotThere
from consumers.console.web.visit import ConsoleVisit
from consumers.inventory.deciding.reading import read_facts
from consumers.inventory.deciding.showing import facts_json
from consumers.inventory.store.detail import known_order, read_movements, read_steps
from router.terminal.typed import typed

if TYPE_CHECKING:
    from consumers.inventory.policy import Policy


async def show_order(visit: ConsoleVisit) -> PageAnswer:
    """Show an order; raises NotThere, also for one of another merchant."""
    account, reference = visit.query.one("account"), visit.query.one("order")
    allowed = visit.viewer.accounts
    if allowed is not None and account not in allowed:
        raise NotThere
    policy = cast("Policy", visit.sources.consumers["inventory"].settings.options)
    async with visit.reading("inventory") as connection:
        number = await known_order(connection, account, reference)
        if number is None:
            raise NotThere
        facts = await read_facts(connection, number, policy)
        steps = await read_steps(connection, number)
        movements = await read_movements(connection, number)
    shown: Mapping[str, Any] = facts_json(facts)
    values = {
        "order": shown,
        "payments": [_with_label(each) for each in shown["payments"]],
        "state": facts.order,
        "steps": steps,
        "movements": movements,
    }
    return Html("books/order.html", values, typed("payrouter trace", (reference,)))


def _with_label(payment: Mapping[str, object]) -> Mapping[str, object]:
    return {**payment, "payment_status": payment["status"]}
