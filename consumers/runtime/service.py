"""What a consumer is to the runtime: plain data."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import click
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncConnection

from router.contract.event import Event


class Outcome(StrEnum):
    """What became of one event in a handler."""

    APPLIED = "applied"
    STALE = "stale"


class Poison(Exception):  # noqa: N818 - reads as what the record is
    """Raised by a handler for an event that never will work, however often it is tried.

    The message is kept with the record and published with its dead letter, so
    it names no customer. Which event of the batch it was the runtime finds out.
    """


Handler = Callable[[AsyncConnection, Sequence[Event]], Awaitable[Sequence[Outcome]]]
"""Applies events in the given transaction and says what became of each, in their order.

Every event is new to this consumer: redeliveries and repeats are already out.
All effects go through the given connection; the runtime commits or rolls back.
"""


@dataclass(frozen=True)
class Measure:
    """A gauge that is read from the store from time to time: a count, never an amount."""

    name: str
    meaning: str
    read: Callable[[AsyncConnection], Awaitable[int]]


@dataclass(frozen=True)
class Service:
    """A consumer: the `SERVICE` of a package of `consumers`, or of an entry point.

    `topics` are families of the contract ("payment"); `tables` carry the
    schema's name; `migrations` is the package with the Alembic scripts;
    `commands` are added to `payrouter`, under the consumer's name.
    """

    name: str
    topics: Sequence[str]
    handle: Handler
    tables: MetaData
    migrations: str
    commands: Sequence[click.Command] = ()
    measures: Sequence[Measure] = ()

    @property
    def schema(self) -> str:
        """The PostgreSQL schema that is this consumer's own."""
        return str(self.tables.schema)
