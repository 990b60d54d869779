"""Action of a case about an order: accept it as paid, refuse it, or take its stock back."""

from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from consumers.console.access.viewer import Role
from consumers.console.acting.action import ActionDone, ActionPreview, ConsoleAction
from consumers.console.pages.cases.reading import one_case
from consumers.console.web.form_fields import FormFields
from consumers.console.web.problems import PageProblem, WrongInput
from consumers.console.web.visit import ConsoleVisit
from consumers.inventory.deciding.deciding import DecisionRequest, message_of, order_facts, record
from consumers.inventory.deciding.reading import NotDecidable, OrderName
from consumers.inventory.deciding.showing import effect_lines
from consumers.runtime.casebook.entry import CaseEntry
from router.contract.operator import Decision
from router.terminal.typed import typed

if TYPE_CHECKING:
    from collections.abc import Iterator

_INVENTORY: Final = "inventory"
_DECISION: Final = "decision"
_COMMAND: Final = "payrouter inventory decide"


class CannotDecide(PageProblem):
    """No decision about the order is possible; `why` names the cause."""

    status = 409
    reason = "input"

    def __init__(self, why: str) -> None:
        """Keep the cause."""
        super().__init__("cases.decide.refused", {"why": why})


def decisions_of(entry: CaseEntry) -> Sequence[str]:
    """Return the decisions that settle a case, as its kind declares them; none without an order."""
    if entry.first.order is None:
        return []
    named = [each.split() for each in entry.kind.commands if each.startswith(_COMMAND)]
    known = [each.value for each in Decision]
    return [word for words in named for word in words if word in known]


def make_decide_action() -> ConsoleAction:
    """Return the action, which needs the role that decides about money."""
    return ConsoleAction("decide", "cases.decide", Role.ADMIN, _preview, _run, back="/cases")


async def _preview(visit: ConsoleVisit, given: FormFields) -> ActionPreview:
    entry, request = await _requested(visit, given, "-")
    settings = visit.sources.consumers[_INVENTORY].settings
    with _problems():
        async with visit.reading(_INVENTORY) as connection:
            facts = await order_facts(connection, settings, request.name)
    effect = facts.effect_of(message_of(facts, request))
    named = {"--account": str(request.name.account), "--reason": "REASON"}
    arguments = [request.name.reference, request.decision.value]
    title = visit.text(f"cases.decide.{request.decision.value}")
    version = given.one("version") or facts.version
    kept = {"id": entry.id, "decision": request.decision.value, "version": version}
    return ActionPreview(
        count=1,
        accounts=frozenset({request.name.account}),
        lines=[f"{title}: {request.name}", *effect_lines(facts, effect)],
        command=typed(_COMMAND, arguments, named),
        warning=visit.text("cases.decide.waiting") if facts.waiting else "",
        fields=FormFields(tuple(kept.items())),
    )


async def _run(visit: ConsoleVisit, given: FormFields, reason: str) -> ActionDone:
    entry, request = await _requested(visit, given, reason)
    settings = visit.sources.consumers[_INVENTORY].settings
    with _problems():
        async with visit.acting(_INVENTORY) as engine, engine.begin() as transaction:
            await record(transaction, settings, request, given.one("version"))
    done = visit.text("cases.decide.done", order=request.name.reference)
    return ActionDone(done, f"/cases?order={entry.first.reference}")


async def _requested(
    visit: ConsoleVisit, given: FormFields, reason: str
) -> tuple[CaseEntry, DecisionRequest]:
    entry = await one_case(visit, given.one("id"))
    decisions = decisions_of(entry)
    if given.one(_DECISION) not in decisions:
        raise WrongInput(_DECISION, ", ".join(decisions) or "-")
    name = OrderName(str(entry.first.reference), entry.first.account)
    request = DecisionRequest(
        name, Decision(given.one("decision")), reason, None, str, patience=0, who=visit.who
    )
    return entry, request


@contextmanager
def _problems() -> "Iterator[None]":
    try:
        yield
    except NotDecidable as problem:
        raise CannotDecide(str(problem)) from None
