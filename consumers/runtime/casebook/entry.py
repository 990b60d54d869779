"""One thing to decide: a case of one consumer, or the same record held by several."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from consumers.runtime.casebook.statement import ID_LENGTH
from consumers.runtime.casebook.stored_case import StoredCase
from consumers.runtime.cases.kind import CaseKind


@dataclass(frozen=True)
class CaseEntry:
    """Cases of the same kind and subject, one per consumer."""

    members: Sequence[StoredCase]

    @property
    def first(self) -> StoredCase:
        """The case that describes them all."""
        return self.members[0]

    @property
    def kind(self) -> CaseKind:
        """Their kind."""
        return self.first.kind

    @property
    def since(self) -> datetime:
        """When the first of them arose."""
        return min(each.since for each in self.members)

    @property
    def consumers(self) -> Sequence[str]:
        """Names of the consumers that have it."""
        return [each.consumer for each in self.members]

    @property
    def id(self) -> str:
        """Identity of the facts of all members, so that a word is about what an operator saw."""
        if len(self.members) == 1:
            return self.first.id
        text = " ".join(sorted(each.id for each in self.members))
        return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]

    @property
    def closed(self) -> bool:
        """Whether an operator closed it in every consumer that has it."""
        return all(each.closed for each in self.members)

    @property
    def assignee(self) -> str | None:
        """Who it is assigned to, if it is to the same person in every consumer that has it."""
        named = {each.assignee for each in self.members}
        return named.pop() if len(named) == 1 else None

    def only(self, *, closed: bool) -> "CaseEntry | None":
        """Return the part that is closed, or that is not; None if there is none."""
        members = [each for each in self.members if each.closed is closed]
        return CaseEntry(members) if members else None

    def as_json(self, now: datetime) -> dict[str, object]:
        """Return the entry as a JSON object."""
        first = self.first
        return {
            "case": self.id,
            "kind": self.kind.name,
            "severity": self.kind.severity.value,
            "consumers": list(self.consumers),
            "account": first.account,
            "reference": first.reference,
            "provider": first.provider,
            "provider_reference": first.provider_reference,
            "subject": first.subject,
            "since": self.since.isoformat(),
            "age_seconds": int(max(now - self.since, timedelta()).total_seconds()),
            "facts": dict(first.facts),
            "closed": self.closed,
            "assigned_to": self.assignee,
        }


def entries_of(cases: Iterable[StoredCase]) -> Sequence[CaseEntry]:
    """Merge cases, in their order, of several consumers about the same record."""
    found: dict[tuple[str, str], list[StoredCase]] = {}
    for each in cases:
        found.setdefault((each.kind.name, each.subject), []).append(each)
    return [CaseEntry(members) for members in found.values()]


def entries_named(cases: Sequence[StoredCase], prefix: str) -> Sequence[CaseEntry]:
    """Return the entries whose id begins so.

    A record held by several consumers has one id for all of them, one for those in which it is
    open, or closed, and one for each consumer: a listing may have shown any of these.
    """
    parts = (
        cases,
        [each for each in cases if not each.closed],
        [each for each in cases if each.closed],
        *([each] for each in cases),
    )
    every = [entry for part in parts for entry in entries_of(part)]
    return list({each.id: each for each in every if each.id.startswith(prefix)}.values())
