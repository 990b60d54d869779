"""One case: its facts, what it means, the next steps, and what operators decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from consumers.console.access.viewer import Role
from consumers.console.pages.cases.advice import read_advice
from consumers.console.pages.cases.deciding import decisions_of
from consumers.console.pages.cases.reading import one_case, words_about
from consumers.console.web.answers import Html, PageAnswer
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.casebook.advice import commands_of
from consumers.runtime.casebook.entry import CaseEntry
from consumers.runtime.casebook.wording import order_text
from router.terminal.typed import typed


@dataclass(frozen=True)
class NextStep:
    """A link to what an operator can do next; `key` is that of its text."""

    key: str
    path: str
    acts: bool = True


async def show_case(visit: ConsoleVisit) -> PageAnswer:
    """Show one case."""
    entry = await one_case(visit, visit.part("case"))
    values = {
        "entry": entry,
        "order": order_text(entry),
        "meaning": meaning(visit, entry),
        "advice": read_advice(entry.kind.name),
        "commands": commands_of(entry),
        "words": await words_about(visit, entry),
        "steps": _steps(visit, entry),
    }
    return Html("cases/case.html", values, typed("payrouter cases show", [entry.id]))


def meaning(visit: ConsoleVisit, entry: CaseEntry) -> str:
    """Return what the kind of a case means, in the person's language if it is a known kind."""
    key = f"cases.meaning.{entry.kind.name}"
    known = visit.preferences.texts.by_key
    return visit.text(key) if key in known else entry.kind.meaning


def _steps(visit: ConsoleVisit, entry: CaseEntry) -> Sequence[NextStep]:
    first = entry.first
    steps = [*_word_steps(visit, entry), *_held_steps(entry)]
    if visit.may_act(Role.ADMIN, first.account):
        steps += [
            NextStep(f"cases.decide.{each}", _link("decide", id=entry.id, decision=each))
            for each in decisions_of(entry)
        ]
    named = first.reference or first.provider_reference
    if named:
        steps.append(NextStep("cases.step.trace", f"/search?{urlencode({'q': named})}", acts=False))
    return steps


def _word_steps(visit: ConsoleVisit, entry: CaseEntry) -> Sequence[NextStep]:
    if not visit.may_act(Role.OPERATOR, entry.first.account):
        return []
    names = ["note"]
    if entry.only(closed=False) is not None:
        names = ["close", "assign", *names]
    if entry.only(closed=True) is not None:
        names.append("reopen")
    return [NextStep(f"cases.{name}.title", _link(name, id=entry.id)) for name in names]


def _held_steps(entry: CaseEntry) -> Sequence[NextStep]:
    steps = []
    for each in entry.members:
        if each.held is not None:
            path = f"/groups/held/{each.consumer}/{each.held}"
            steps.append(NextStep("cases.step.record", path, acts=False))
    return steps


def _link(action: str, **fields: str) -> str:
    return f"/cases/do/{action}?{urlencode(fields)}"
