"""Closes cases, opens them again, and adds notes: an operator's words, with name and reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from consumers.runtime.casebook.entry import CaseEntry
from consumers.runtime.casebook.gather import gather_cases
from consumers.runtime.casebook.reading import CaseFilter
from consumers.runtime.casebook.stored_case import StoredCase
from consumers.runtime.casebook.word import NewWord, SaidWord, write_words
from consumers.runtime.casebook.wording import facts_text, kind_text, order_text
from consumers.runtime.commands.actions.case_named import case_named
from consumers.runtime.commands.actions.held_admin import record_operation
from consumers.runtime.configured import Consumer
from consumers.runtime.store.database import acting
from router.terminal.exits import CommandError
from router.terminal.operator_name import operator_name
from router.terminal.output import show_json, show_table
from router.terminal.processes import run_async

_COMMANDS = {
    SaidWord.CLOSED: ("cases close", "closed"),
    SaidWord.NOTE: ("cases note", "noted"),
    SaidWord.REOPENED: ("cases reopen", "opened again"),
}


@dataclass(frozen=True)
class CaseDecision:
    """A word about cases, named by the beginnings of their ids; `yes` writes it."""

    word: str
    cases: Sequence[str]
    reason: str
    yes: bool


def decide(consumers: Sequence[Consumer], decision: CaseDecision, *, as_json: bool) -> None:
    """Print the cases, and write the word about each if the decision is confirmed."""
    word, reason = SaidWord(decision.word), decision.reason.strip()
    if not reason:
        message = "--reason: must not be empty"
        raise click.UsageError(message)
    entries = [_found(consumers, word, prefix) for prefix in dict.fromkeys(decision.cases)]
    if decision.yes:
        run_async(_write(consumers, entries, word, reason))
    _report(entries, word, done=decision.yes, as_json=as_json)


def _found(consumers: Sequence[Consumer], word: SaidWord, prefix: str) -> CaseEntry:
    """Return the case, or the part of it, for which the word changes something."""
    found = run_async(gather_cases(consumers, CaseFilter(id_prefix=prefix.lower(), closed=None)))
    entry = case_named(found, prefix)
    if word is SaidWord.NOTE:
        return entry
    part = entry.only(closed=word is SaidWord.REOPENED)
    if part is None:
        message = f"case {entry.id} is {'already' if word is SaidWord.CLOSED else 'not'} closed"
        raise CommandError(message)
    return part


async def _write(
    consumers: Sequence[Consumer], entries: Sequence[CaseEntry], word: SaidWord, reason: str
) -> None:
    """Write the words of each consumer in one transaction, with a record of the operation."""
    who, command = operator_name(), _COMMANDS[word][0]
    for consumer in consumers:
        own = [
            (entry, each)
            for entry in entries
            for each in entry.members
            if each.consumer == consumer.service.name
        ]
        if not own:
            continue
        words = [_new_word(entry, each, word, reason, who) for entry, each in own]
        async with acting(consumer.settings) as engine, engine.begin() as transaction:
            await write_words(transaction, consumer.tables, words)
            for each in words:
                detail = f"{each.kind} {each.case_id} of {each.subject}: {reason}"
                await record_operation(transaction, consumer.tables, who, command, detail)


def _new_word(
    entry: CaseEntry, about: StoredCase, word: SaidWord, reason: str, who: str
) -> NewWord:
    return NewWord(
        kind=about.kind.name,
        subject=about.subject,
        digest=about.digest,
        case_id=entry.id,
        word=word,
        reason=reason,
        who=who,
        facts=about.facts,
    )


def _report(entries: Sequence[CaseEntry], word: SaidWord, *, done: bool, as_json: bool) -> None:
    if as_json:
        now = datetime.now(UTC)
        show_json({"done": done, "cases": [each.as_json(now) for each in entries]})
        return
    rows = [(each.id, kind_text(each), order_text(each), facts_text(each)) for each in entries]
    show_table("", ("case", "kind", "order", "facts"), rows, whole=("case",))
    what = _COMMANDS[word][1]
    cases = f"{len(entries)} case{'' if len(entries) == 1 else 's'}"
    click.echo(f"{cases} {what}" if done else f"{cases} would be {what}; --yes does it")
