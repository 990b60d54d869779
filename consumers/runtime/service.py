"""What a consumer is to the runtime: plain data."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click
from pydantic import BaseModel, ConfigDict
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.fate import Fate
from consumers.runtime.records import Reader
from consumers.runtime.trail import Trail
from router.contract.order_fields import OrderFields
from router.contract.topics import Topics


class Poison(Exception):  # noqa: N818 - reads as what the record is
    """Raised by a handler for an event that never will work, however often it is tried.

    The message is kept with the record and published with its dead letter, so
    it names no customer. Which event of the batch it was the runtime finds out.
    """


class HandlerFailed(Exception):  # noqa: N818 - reads as what happened
    """A handler cannot apply an event, the database being well; the cause is what it raised."""


class HandlerSlow(Exception):  # noqa: N818 - reads as what happened
    """A handler took longer than the server waits: it was cut off, or its connection was."""


Handler = Callable[[AsyncConnection, Sequence[Any]], Awaitable[Sequence[Fate]]]
"""Applies events in the given transaction and says of each, in their order: APPLIED or STALE.

They are `router.contract.event.Event`, or what the reader of their topic found.

Every event is new to this consumer: redeliveries and repeats are already out.
All effects go through the given connection; the runtime commits or rolls back.
"""


Reading = int | Mapping[str, int]
"""What a measure reads: a count, or one for each value of its label; one left out is zero."""


@dataclass(frozen=True)
class Measure:
    """A gauge that is read from the store from time to time: a count, never an amount.

    Every process of the consumer reads it again and again, and the exporter
    too: it should read a table or an index that stays small. Where it has a
    `label`, `values` are all that the label ever has.
    """

    name: str
    meaning: str
    read: Callable[[AsyncConnection], Awaitable[Reading]]
    label: str | None = None
    values: Sequence[str] = ()


@dataclass(frozen=True)
class Work:
    """What a consumer does beside its events, again and again, in every process of it.

    `run` gets the consumer's database and tells whether there is more to do at
    once. It fails without harm to anything else: it is reported and run again.
    """

    name: str
    every_seconds: float
    run: Callable[[AsyncEngine], Awaitable[bool]]


class NoConsumerOptions(BaseModel):
    """Options of a consumer that has none of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Setup:
    """What the configuration says to one consumer: its options, the topics' names.

    `orders` says where the platform's orders say what; see `read_order`.
    """

    options: Any
    topics: Topics
    orders: OrderFields = field(default_factory=OrderFields)


@dataclass(frozen=True)
class Play:
    """What `dev --rate` is about to play: whose orders, and of which articles."""

    accounts: Sequence[str]
    articles: Sequence[str]


@dataclass(frozen=True)
class ConsumerActions:
    """What a consumer does, with the configuration applied.

    `readers` decode the topics that hold no events of the contract. `before_play` prepares the
    store for `dev --rate`.
    """

    handle: Handler
    readers: Mapping[str, Reader] = field(default_factory=dict)
    work: Sequence[Work] = ()
    before_play: Callable[[AsyncEngine, Play], Awaitable[None]] | None = None


@dataclass(frozen=True)
class Service:
    """A consumer as its package declares it: the `SERVICE` of a package or of an entry point.

    `topics` are families of the contract ("payment") or other topics of it;
    `tables` carry the schema's name; `migrations` is the package with the
    Alembic scripts; `commands` are added to `payrouter`, under the consumer's
    name. `options` is the model of what `[consumers.NAME]` may contain in addition
    to the runtime's own settings. `configured` returns what the consumer does with
    them; a consumer that needs no configuration has a `handle` instead.
    `says_outcomes` if it publishes on `NAME.outcome`; `trail` is its part of
    `payrouter trace`.
    """

    name: str
    topics: Sequence[str]
    tables: MetaData
    migrations: str
    handle: Handler | None = None
    configured: Callable[[Setup], ConsumerActions] | None = None
    commands: Sequence[click.Command] = ()
    measures: Sequence[Measure] = ()
    options: type[BaseModel] = NoConsumerOptions
    says_outcomes: bool = False
    trail: Trail | None = None

    def __post_init__(self) -> None:
        """Refuse a consumer that has both a handler and a configuration, or neither."""
        if (self.handle is None) is (self.configured is None):
            message = f"consumer {self.name}: a Service has either handle or configured"
            raise TypeError(message)

    @property
    def schema(self) -> str:
        """The PostgreSQL schema that is this consumer's own."""
        return str(self.tables.schema)

    def actions(self, setup: Setup) -> ConsumerActions:
        """Return what the consumer does with this configuration."""
        if self.configured is not None:
            return self.configured(setup)
        assert self.handle is not None  # noqa: S101 - `__post_init__` has checked it
        return ConsumerActions(self.handle)
