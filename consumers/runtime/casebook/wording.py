"""Words of a case: its order, its kind, its facts."""

from consumers.runtime.casebook.entry import CaseEntry
from consumers.runtime.casebook.word import CaseWord, SaidWord


def order_text(entry: CaseEntry) -> str:
    """Return account and order of a case, or the gateway's payment if there is no order."""
    first = entry.first
    named = first.reference or first.provider_reference
    return _printable(" ".join(filter(None, (first.account, named))) or "unknown")


def facts_text(entry: CaseEntry) -> str:
    """Return the facts that decided a case, and which consumers hold a record."""
    facts = [f"{name} {fact}" for name, fact in entry.first.facts.items()]
    if entry.first.held is not None:
        facts.insert(0, f"in {', '.join(entry.consumers)}")
    return _printable("; ".join(facts))


def kind_text(entry: CaseEntry) -> str:
    """Return kind and severity."""
    return f"{entry.kind.name} ({entry.kind.severity.value})"


def word_text(about: CaseWord) -> str:
    """Return a word of an operator; an assignment with who has the case from then on."""
    if about.word != SaidWord.ASSIGNED.value:
        return about.word
    return _printable(f"assigned to {about.assignee or 'no one'}")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
