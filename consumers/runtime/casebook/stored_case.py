"""A case of one consumer, as it is read from its store."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from consumers.runtime.cases.held_kinds import HELD_KINDS
from consumers.runtime.cases.kind import CaseKind, Severity
from consumers.runtime.service import Service


@dataclass(frozen=True)
class StoredCase:
    """A case of one consumer; `facts` are those that decided it, as text."""

    consumer: str
    id: str
    kind: CaseKind
    subject: str
    account: str | None
    reference: str | None
    provider: str | None
    provider_reference: str | None
    digest: str
    since: datetime
    facts: Mapping[str, str]
    closed: bool
    held: int | None
    assignee: str | None = None

    @property
    def order(self) -> tuple[str, str] | None:
        """Account and reference of its order, if it has both."""
        if self.account is None or self.reference is None:
            return None
        return self.account, self.reference

    @property
    def order_of_listing(self) -> tuple[datetime, str, str]:
        """Sort key of listings: the oldest first."""
        return self.since, self.kind.name, self.id


def kinds_of(service: Service) -> Mapping[str, CaseKind]:
    """Return every kind of a consumer by name, the runtime's own included."""
    declared = [kind for source in service.cases for kind in source.kinds]
    return {kind.name: kind for kind in (*declared, *HELD_KINDS)}


def kind_named(service: Service, name: str) -> CaseKind:
    """Return a kind; one that is stored and no longer declared must not disappear."""
    meaning = "This version does not know the kind; an earlier or later one found it."
    return kinds_of(service).get(name) or CaseKind(name, Severity.PAGE, meaning)
