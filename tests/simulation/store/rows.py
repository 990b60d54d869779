"""Rows of the model: committed ones, and what a transaction has changed so far."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from consumers.runtime.apply.brake import Brake
from consumers.runtime.apply.offsets import Counts, Fence
from consumers.runtime.apply.outbox import Outgoing
from consumers.runtime.records import Partition, Record

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True)
class FenceEntry:
    """A fence, and the outcomes of all the offsets that it has passed."""

    fence: Fence
    counts: Counts = field(default_factory=Counts)


@dataclass(frozen=True)
class HeldEntry:
    """A held record; `due` is a time of the store's clock."""

    number: int
    record: Record
    crc: int
    lane: bytes
    event_id: UUID | None
    state: str
    reason: str
    error: str
    attempts: int
    first_failed_at: datetime
    due: datetime
    outcome: str | None = None

    @property
    def identity(self) -> tuple[Partition, int, int]:
        """What identifies the record."""
        return self.record.partition, self.record.offset, self.crc


@dataclass(frozen=True)
class OutboxEntry:
    """A record to publish; `refused` is why the broker never will."""

    outgoing: Outgoing
    refused: str | None = None


@dataclass(frozen=True)
class EffectEntry:
    """An effect: of which event, of which of its records, and what it changed for the key."""

    event_id: UUID
    serial: int
    key: str
    amount: int


@dataclass(frozen=True)
class AccountEntry:
    """What is booked for a key, and the case about it, if one is open."""

    paid: int = 0
    returned: int = 0
    case: str | None = None


@dataclass(frozen=True)
class Table(Generic[_K, _V]):
    """Name of a table, with the types of its keys and rows."""

    name: str


FENCES: Table[Partition, FenceEntry] = Table("fence")
SEEN: Table[UUID, str] = Table("seen_event")
HELD: Table[int, HeldEntry] = Table("held")
BRAKES: Table[str, Brake] = Table("brake")
OUTBOX: Table[int, OutboxEntry] = Table("outbox")
EFFECTS: Table[int, EffectEntry] = Table("effect")
ACCOUNTS: Table[str, AccountEntry] = Table("account")

Changes = dict[tuple[str, Any], Any]
"""Rows that a transaction has written, by table and key; None for a deleted row."""


@dataclass
class Committed:
    """The committed rows of all tables, and the numbers that were given out."""

    tables: dict[str, dict[Any, Any]] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def rows(self, table: Table[_K, _V]) -> dict[_K, _V]:
        """Return the committed rows of a table."""
        return self.tables.setdefault(table.name, {})

    def next_number(self, table: Table[int, _V]) -> int:
        """Give out the next number of a table; it is used up even if its row is rolled back."""
        self.numbers[table.name] = self.numbers.get(table.name, 0) + 1
        return self.numbers[table.name]

    def apply(self, changes: Changes) -> None:
        """Commit the changes of a transaction."""
        for (name, key), row in changes.items():
            rows = self.tables.setdefault(name, {})
            if row is None:
                rows.pop(key, None)
            else:
                rows[key] = row


@dataclass
class View:
    """What one transaction sees: committed rows, and its own changes."""

    committed: Committed
    changes: Changes = field(default_factory=dict)

    def get(self, table: Table[_K, _V], key: _K) -> _V | None:
        """Return a row; None if it does not exist."""
        own = (table.name, key)
        if own in self.changes:
            found: _V | None = self.changes[own]
            return found
        return self.committed.rows(table).get(key)

    def put(self, table: Table[_K, _V], key: _K, row: _V) -> None:
        """Insert or change a row."""
        self.changes[table.name, key] = row

    def delete(self, table: Table[_K, _V], key: _K) -> None:
        """Delete a row."""
        self.changes[table.name, key] = None

    def rows(self, table: Table[_K, _V]) -> Iterator[tuple[_K, _V]]:
        """Iterate over all rows, by key."""
        found = dict(self.committed.rows(table))
        for (name, key), row in self.changes.items():
            if name == table.name:
                found[key] = row
        for key in sorted(found):  # type: ignore[type-var]
            row = found[key]
            if row is not None:
                yield key, row
