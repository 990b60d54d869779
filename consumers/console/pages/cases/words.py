"""Actions about cases: assign, note, close, reopen; of a selection, or of all that a filter has."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Final

from consumers.console.access.viewer import Role
from consumers.console.acting.action import ActionDone, ActionField, ActionPreview, ConsoleAction
from consumers.console.pages.cases.question import FILTERS, asked_consumers, case_filter
from consumers.console.pages.cases.reading import away_note, gathered, some_cases
from consumers.console.web.form_fields import FormFields
from consumers.console.web.problems import Away
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.casebook.entry import CaseEntry
from consumers.runtime.casebook.word import SaidWord
from consumers.runtime.casebook.wording import order_text
from consumers.runtime.commands.actions.case_deciding import COMMANDS, Saying, part_for, say_in
from router.terminal.typed import typed

MOST: Final = 500
"""Cases that one action is about, at most."""

_LINES: Final = 20
_IN_COMMAND: Final = 20
_NAMES: Final = {
    SaidWord.ASSIGNED: "assign",
    SaidWord.NOTE: "note",
    SaidWord.CLOSED: "close",
    SaidWord.REOPENED: "reopen",
}


def make_word_actions() -> Sequence[ConsoleAction]:
    """Return an action for each word."""
    return [_action(word, name) for word, name in _NAMES.items()]


def _action(word: SaidWord, name: str) -> ConsoleAction:
    person = (ActionField("to", "cases.assign.to"),) if word is SaidWord.ASSIGNED else ()
    return ConsoleAction(
        name=name,
        key=f"cases.{name}",
        needs=Role.OPERATOR,
        preview=partial(_preview, word),
        run=partial(_run, word),
        fields=person,
        back="/cases",
    )


async def _preview(word: SaidWord, visit: ConsoleVisit, given: FormFields) -> ActionPreview:
    entries, warning = await _named(word, visit, given)
    lines = [f"{each.id} {each.kind.name}: {order_text(each)}" for each in entries[:_LINES]]
    ids = tuple(("id", each.id) for each in entries)
    return ActionPreview(
        count=len(entries),
        accounts=frozenset(member.account for each in entries for member in each.members),
        lines=lines,
        command=_command(word, entries),
        warning=warning,
        fields=FormFields((*ids, *given.only(["to"]).pairs)),
    )


async def _named(
    word: SaidWord, visit: ConsoleVisit, given: FormFields
) -> tuple[Sequence[CaseEntry], str]:
    """Return the cases for which the word changes something, and what was left out."""
    warning = ""
    if given.one("all"):
        entries, warning = await _matching(visit, given)
    else:
        entries = await some_cases(visit, given.every("id")[:MOST])
    parts = [part_for(word, each) for each in entries]
    return [each for each in parts if each is not None], warning


async def _matching(visit: ConsoleVisit, given: FormFields) -> tuple[Sequence[CaseEntry], str]:
    names = [each.name for each in FILTERS]
    filters = {name: given.one(name) for name in names if given.one(name)}
    wanted = case_filter(visit, filters, None, MOST + 1)
    found = await gathered(visit, wanted, asked_consumers(filters))
    if found.away:
        # What is not known cannot be confirmed.
        raise Away(away_note(visit, found))
    warning = visit.text("cases.more", most=MOST) if len(found.entries) > MOST else ""
    return found.entries[:MOST], warning


def _command(word: SaidWord, entries: Sequence[CaseEntry]) -> str:
    options = {"--reason": "REASON", **({"--to": "NAME"} if word is SaidWord.ASSIGNED else {})}
    ids = [each.id for each in entries[:_IN_COMMAND]]
    return typed(f"payrouter {COMMANDS[word]}", ids or ["CASE"], options, ["--yes"])


async def _run(word: SaidWord, visit: ConsoleVisit, given: FormFields, reason: str) -> ActionDone:
    entries, _ = await _named(word, visit, given)
    assignee = given.one("to") or None if word is SaidWord.ASSIGNED else None
    saying = Saying(word, reason, visit.who, assignee)
    for name, own in _by_consumer(entries).items():
        consumer = visit.sources.consumers[name]
        async with visit.acting(name) as engine, engine.begin() as transaction:
            await say_in(transaction, consumer, own, saying)
    done = visit.count(f"cases.{_NAMES[word]}.done", len(entries))
    single = len(entries) == 1
    return ActionDone(done, f"/cases/{entries[0].id}" if single else "/cases")


def _by_consumer(entries: Sequence[CaseEntry]) -> dict[str, list[CaseEntry]]:
    found: dict[str, list[CaseEntry]] = defaultdict(list)
    for each in entries:
        for name in each.consumers:
            found[name].append(each)
    return found
