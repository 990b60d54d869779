"""The status of each payment, payout or subscription, and how events change it. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from consumers.notifications.rules import CALLED_OFF
from consumers.runtime.fate import Fate
from router.contract.event import Event, EventType
from router.contract.lifecycle import advance, contradicts_paid

SUBJECT_NAMESPACE = UUID("b6b2b5c4-9f7e-5c7c-8d5d-6f1d2f4d3a11")
"""Namespace of subject ids. Never change it: stored subjects have ids derived from it."""


@dataclass(frozen=True)
class Subject:
    """A payment, payout or subscription; the fields are the columns of its row.

    `called_off` is true if its gateway called it off after it was paid.
    """

    id: UUID
    account: str
    provider: str
    family: str
    provider_reference: str | None = None
    reference: str | None = None
    status: str | None = None
    called_off: bool = False


@dataclass(frozen=True)
class SubjectChange:
    """An event, its outcome, and the kinds of messages it causes."""

    event: Event
    outcome: Fate
    kinds: Sequence[str] = ()


def new_subject(event: Event) -> Subject:
    """Return the subject of an event, before any event is applied."""
    named = event.provider_reference or event.reference
    kind = "reference" if event.provider_reference is None else "provider_reference"
    identity = [event.account, event.provider, event.type.family, kind, named]
    return Subject(
        id=uuid5(SUBJECT_NAMESPACE, json.dumps(identity)),
        account=event.account,
        provider=event.provider,
        family=event.type.family,
        provider_reference=event.provider_reference,
        reference=event.reference,
    )


def apply_event(subject: Subject, event: Event) -> tuple[SubjectChange, Subject]:
    """Return the change an event makes, and its subject afterwards."""
    status = event.type.status
    known = replace(subject, reference=subject.reference or event.reference)
    after = advance(subject.status, status)
    # Every renewal is a separate period with a separate event id.
    if after is not None or event.type is EventType.SUBSCRIPTION_RENEWED:
        return SubjectChange(event, Fate.APPLIED, (event.type.value,)), replace(
            known, status=status
        )
    if contradicts_paid(subject.status, status) and not subject.called_off:
        return SubjectChange(event, Fate.STALE, (CALLED_OFF,)), replace(known, called_off=True)
    return SubjectChange(event, Fate.STALE), known


def plan_changes(
    before: Mapping[UUID, Subject], located: Iterable[tuple[UUID, Event]]
) -> tuple[Sequence[SubjectChange], Mapping[UUID, Subject]]:
    """Apply events in their order; return the change of each, and the subjects afterwards."""
    now = dict(before)
    changes = []
    for key, event in located:
        change, now[key] = apply_event(now[key], event)
        changes.append(change)
    return changes, now
