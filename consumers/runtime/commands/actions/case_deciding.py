"""Finds the cases that an operator decides about, and stores the decision with name and reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.casebook.entry import CaseEntry
from consumers.runtime.casebook.gather import gather_cases
from consumers.runtime.casebook.reading import CaseFilter
from consumers.runtime.casebook.stored_case import StoredCase
from consumers.runtime.casebook.word import NewWord, SaidWord, write_words
from consumers.runtime.commands.actions.case_named import case_named
from consumers.runtime.commands.actions.held_admin import record_operation
from consumers.runtime.configured import Consumer
from consumers.runtime.store.database import acting
from router.terminal.exits import CommandError

COMMANDS: Mapping[SaidWord, str] = {
    SaidWord.ASSIGNED: "cases assign",
    SaidWord.CLOSED: "cases close",
    SaidWord.NOTE: "cases note",
    SaidWord.REOPENED: "cases reopen",
}
"""The command of each word, as the record of operations keeps it."""


@dataclass(frozen=True)
class Saying:
    """A word about cases, the reason and the operator.

    `assignee` is who the cases are assigned to; None for no one, or if it is another word.
    """

    word: SaidWord
    reason: str
    who: str
    assignee: str | None = None


async def find_entry(consumers: Sequence[Consumer], word: SaidWord, prefix: str) -> CaseEntry:
    """Return the case, or the part of it, for which the word changes something.

    Raises CommandError.
    """
    found = await gather_cases(consumers, CaseFilter(id_prefix=prefix.lower(), closed=None))
    entry = case_named(found, prefix)
    part = part_for(word, entry)
    if part is None:
        state = "not" if word is SaidWord.REOPENED else "already"
        message = f"case {entry.id} is {state} closed"
        raise CommandError(message)
    return part


def part_for(word: SaidWord, entry: CaseEntry) -> CaseEntry | None:
    """Return the part of a case for which a word changes something, None if there is none."""
    if word is SaidWord.NOTE:
        return entry
    return entry.only(closed=word is SaidWord.REOPENED)


async def say(consumers: Sequence[Consumer], entries: Sequence[CaseEntry], saying: Saying) -> None:
    """Write the words of each consumer in one transaction, with a record of the operation."""
    for consumer in consumers:
        if any(consumer.service.name in each.consumers for each in entries):
            async with acting(consumer.settings) as engine, engine.begin() as transaction:
                await say_in(transaction, consumer, entries, saying)


async def say_in(
    transaction: AsyncConnection, consumer: Consumer, entries: Sequence[CaseEntry], saying: Saying
) -> None:
    """Write the words about the cases that one consumer has, and record the operation."""
    words = [
        _new_word(entry, each, saying)
        for entry in entries
        for each in entry.members
        if each.consumer == consumer.service.name
    ]
    await write_words(transaction, consumer.tables, words)
    for each in words:
        given = "" if each.word is not SaidWord.ASSIGNED else f" to {each.assignee or 'no one'}"
        detail = f"{each.kind} {each.case_id} of {each.subject}{given}: {each.reason}"
        what = COMMANDS[each.word]
        await record_operation(transaction, consumer.tables, each.who, what, detail)


def _new_word(entry: CaseEntry, about: StoredCase, saying: Saying) -> NewWord:
    return NewWord(
        kind=about.kind.name,
        subject=about.subject,
        digest=about.digest,
        case_id=entry.id,
        word=saying.word,
        reason=saying.reason,
        who=saying.who,
        facts=about.facts,
        assignee=saying.assignee,
    )
