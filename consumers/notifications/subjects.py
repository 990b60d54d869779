"""How far each payment, payout or subscription has come, and which events change that: pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from consumers.notifications.rules import CALLED_OFF
from consumers.runtime.fate import Fate
from router.contract.event import Event, EventType
from router.contract.lifecycle import advance, contradicts_paid

SUBJECT_NAMESPACE = UUID("b6b2b5c4-9f7e-5c7c-8d5d-6f1d2f4d3a11")
"""Namespace of the ids of subjects. Never change it: every stored subject has one."""


@dataclass(frozen=True)
class Subject:
    """What an event is about; the fields are the columns of its row.

    `called_off` is whether its gateway called it off after it was paid.
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
class Change:
    """An event, what became of it, and what there is to tell of it."""

    event: Event
    outcome: Fate
    kinds: Sequence[str] = ()


def opened(event: Event) -> Subject:
    """Return the subject of an event, as it is before any event."""
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


def changed(subject: Subject, event: Event) -> tuple[Change, Subject]:
    """Say what an event changes, and what is known of its subject afterwards."""
    status = event.type.status
    known = replace(subject, reference=subject.reference or event.reference)
    after = advance(subject.status, status)
    # Every renewal is a period of its own, with an event id of its own.
    if after is not None or event.type is EventType.SUBSCRIPTION_RENEWED:
        return Change(event, Fate.APPLIED, (event.type.value,)), replace(known, status=status)
    if contradicts_paid(subject.status, status) and not subject.called_off:
        return Change(event, Fate.STALE, (CALLED_OFF,)), replace(known, called_off=True)
    return Change(event, Fate.STALE), known


def draw_up(
    before: Mapping[UUID, Subject], located: Iterable[tuple[UUID, Event]]
) -> tuple[Sequence[Change], Mapping[UUID, Subject]]:
    """Go through events in their order; return what each changes, and the subjects afterwards."""
    now = dict(before)
    changes = []
    for key, event in located:
        change, now[key] = changed(now[key], event)
        changes.append(change)
    return changes, now
