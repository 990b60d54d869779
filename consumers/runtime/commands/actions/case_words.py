"""Assigns and closes cases, opens them again, adds notes: lists them first, acts if confirmed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from consumers.runtime.casebook.entry import CaseEntry
from consumers.runtime.casebook.word import SaidWord
from consumers.runtime.casebook.wording import facts_text, kind_text, order_text
from consumers.runtime.commands.actions.case_deciding import Saying, find_entry, say
from consumers.runtime.configured import Consumer
from router.terminal.operator_name import operator_name
from router.terminal.output import show_json, show_table
from router.terminal.processes import run_async

_DONE = {
    SaidWord.ASSIGNED: "assigned",
    SaidWord.CLOSED: "closed",
    SaidWord.NOTE: "noted",
    SaidWord.REOPENED: "opened again",
}


@dataclass(frozen=True)
class CaseDecision:
    """A word about cases, named by the beginnings of their ids; `yes` writes it.

    `assignee` is who the cases are assigned to, None for no one or if it is another word.
    """

    word: str
    cases: Sequence[str]
    reason: str
    yes: bool
    assignee: str | None = None


def decide(consumers: Sequence[Consumer], decision: CaseDecision, *, as_json: bool) -> None:
    """Print the cases, and write the word about each if the decision is confirmed."""
    word, reason = SaidWord(decision.word), decision.reason.strip()
    if not reason:
        message = "--reason: must not be empty"
        raise click.UsageError(message)
    entries = [
        run_async(find_entry(consumers, word, prefix)) for prefix in dict.fromkeys(decision.cases)
    ]
    if decision.yes:
        saying = Saying(word, reason, operator_name(), decision.assignee)
        run_async(say(consumers, entries, saying))
    _report(entries, word, done=decision.yes, as_json=as_json)


def _report(entries: Sequence[CaseEntry], word: SaidWord, *, done: bool, as_json: bool) -> None:
    if as_json:
        now = datetime.now(UTC)
        show_json({"done": done, "cases": [each.as_json(now) for each in entries]})
        return
    rows = [(each.id, kind_text(each), order_text(each), facts_text(each)) for each in entries]
    show_table("", ("case", "kind", "order", "facts"), rows, whole=("case",))
    what = _DONE[word]
    cases = f"{len(entries)} case{'' if len(entries) == 1 else 's'}"
    click.echo(f"{cases} {what}" if done else f"{cases} would be {what}; --yes does it")
