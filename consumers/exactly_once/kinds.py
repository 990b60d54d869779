"""What a record contains: by the type that a handler asks for, or why it is unusable."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.runtime.records import Reader, Record
from router.contract.event import Event, event_id
from router.contract.outcome import OutcomeEvent
from router.contract.quarantine import Quarantined, Replayed
from router.contract.wire import (
    Headers,
    UndecodableRecord,
    check_schema_version,
    decode_event,
    decode_quarantine,
    first_problem,
    read_object,
)

_NO_FACTS: Final = "[]"
"""Fingerprint of a record whose repetitions need not be compared."""


@dataclass(frozen=True)
class Identified:
    """The content of a record with what identifies it."""

    content: Any
    id: UUID
    fingerprint: str = _NO_FACTS


@dataclass(frozen=True)
class Unusable:
    """A record that is not an event, or that contradicts an event applied before."""

    record: Record
    problem: str
    """Never contains data of the record."""


KeepUnusable = Callable[[Unusable, AsyncSession], Awaitable[None]]
"""Stores an unusable record in the given transaction, so that its partition may continue."""


def read_outcome(value: bytes | None, headers: Headers) -> Identified:
    """Read an outcome, such as `inventory.committed`; raises like `decode_event`."""
    check_schema_version(headers, "outcome")
    try:
        outcome = OutcomeEvent.model_validate(read_object(value))
    except ValidationError as error:
        raise UndecodableRecord(first_problem(error)) from None
    return Identified(outcome, outcome.id)


def read_quarantine(value: bytes | None, headers: Headers) -> Identified:
    """Read a quarantined delivery or the note of its replay; raises like `decode_event`."""
    kept = decode_quarantine(value, headers)
    if isinstance(kept, Quarantined):
        return Identified(kept, kept.id)
    note = event_id("quarantine.replayed", str(kept.quarantined), kept.at.isoformat())
    return Identified(kept, note)


READERS: Final[Mapping[Any, Reader]] = MappingProxyType(
    {
        Event: decode_event,
        OutcomeEvent: read_outcome,
        Quarantined | Replayed: read_quarantine,
    }
)
"""Readers by the annotation of the handler's first parameter."""


def identified(message: Any) -> Identified:  # noqa: ANN401 - what a reader returned
    """Return a reader's message with its identity; it may carry its own, as an event does."""
    if isinstance(message, Identified):
        return message
    return Identified(message, message.id, message.fingerprint)
