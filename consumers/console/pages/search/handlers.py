"""Handlers of the page: the box, and what is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumers.console.pages.search.privacy import shown_text
from consumers.console.pages.search.reading import SearchResult, search
from consumers.console.pages.search.steps import StepLink, step_of
from consumers.console.pages.search.timeline import shown_groups
from consumers.console.web.answers import Html, PageAnswer
from consumers.console.web.problems import WrongInput
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.casebook.wording import facts_text
from consumers.runtime.trace.gather import Trace
from consumers.runtime.trace.verdict import PaymentState, Problem, Verdict
from router.terminal.typed import typed

_LONGEST = 320


@dataclass(frozen=True)
class ShownProblem:
    """A problem as a sentence, and its next step."""

    sentence: str
    step: StepLink | None


async def show(visit: ConsoleVisit) -> PageAnswer:
    """Show the box; with a text, what is found."""
    text, account = visit.query.one("q"), visit.query.one("account") or None
    if len(text) > _LONGEST or not text.isprintable():
        field, expected = "q", visit.text("search.expected", most=_LONGEST)
        raise WrongInput(field, expected)
    if not text:
        return Html("search/index.html", {"sought": "", "result": None})
    result = await search(visit, text, account)
    values = {"sought": text, "account": account, "result": result, **_traced(visit, result)}
    return Html("search/index.html", values, _command(text, account))


def _command(text: str, account: str | None) -> str:
    return typed("payrouter trace", [text], {"--account": account} if account else None)


def _traced(visit: ConsoleVisit, result: SearchResult) -> Mapping[str, object]:
    found, verdict = result.trace, result.verdict
    if found is None or verdict is None or not found.found:
        return {}
    return {
        "state": shown_text(visit, _state(visit, verdict)),
        "good": not verdict.trouble,
        "problems": _problems(visit, found, verdict),
        "groups": shown_groups(visit, result.lines),
        "cases": [(each, shown_text(visit, facts_text(each))) for each in found.open_cases],
        "orders": sorted(found.sought.orders),
    }


def _problems(visit: ConsoleVisit, found: Trace, verdict: Verdict) -> Sequence[ShownProblem]:
    return [
        ShownProblem(shown_text(visit, _sentence(visit, each)), step_of(visit, found, each))
        for each in verdict.problems
    ]


def _sentence(visit: ConsoleVisit, problem: Problem) -> str:
    sentence = visit.text(f"search.problem.{problem.kind}", **problem.facts)
    if not problem.more:
        return sentence
    return f"{sentence} {visit.count('search.more', problem.more)}"


def _state(visit: ConsoleVisit, verdict: Verdict) -> str:
    state: PaymentState = verdict.state
    if state.type is None and state.moved is not None:
        return visit.text("search.state.moved", transaction=state.moved)
    if state.type is None:
        return visit.text("search.state.unrecorded")
    amount = "" if state.amount is None else f" {state.amount}"
    if state.transaction is None:
        return visit.text("search.state.unbooked", type=state.type, amount=amount)
    return visit.text(
        "search.state.booked", type=state.type, amount=amount, transaction=state.transaction
    )
