"""Definition of a consumer for the runtime: plain data."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import click
from pydantic import BaseModel, ConfigDict
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.cases.source import CaseSource
from consumers.runtime.fate import Fate
from consumers.runtime.records import Reader
from consumers.runtime.trail import Trail
from router.contract.order_fields import OrderFields
from router.contract.outcome import OutcomeEvent
from router.contract.topics import Topics


class Poison(Exception):  # noqa: N818 - reads as what the record is
    """Raised by a handler for an event that it can never apply.

    The message is stored with the record and published with its dead letter, so
    it must not name a customer. The runtime finds out which event of the batch it was.
    """


class HandlerFailed(Exception):  # noqa: N818 - reads as what happened
    """A handler cannot apply an event although the database works; the cause is its exception."""


class HandlerSlow(Exception):  # noqa: N818 - reads as what happened
    """A handler took longer than the server's time-out, which ended its statement or connection."""


Handler = Callable[[AsyncConnection, Sequence[Any]], Awaitable[Sequence[Fate]]]
"""Applies events in the given transaction and returns APPLIED or STALE for each, in their order.

They are `router.contract.event.Event`, or what the reader of their topic returns.

Every event is new to this consumer: redeliveries and repeats are already removed.
All effects go through the given connection; the runtime commits or rolls back.
"""


class NotPlain(Exception):  # noqa: N818 - reads as what the batch is
    """A batch is left to the general way; what it has written so far is rolled back."""


class Driver(Protocol):
    """The database driver's own connection, asyncpg's, within the runtime's transaction."""

    async def fetch(self, query: str, *args: Any) -> Sequence[Any]:  # noqa: ANN401 - the driver's
        """Execute a statement with the values `$1`, `$2`…, and return its rows."""


PlainHandler = Callable[[Driver, Sequence[Any]], Awaitable[Sequence[Fate]]]
"""Applies the events of a plain batch like a `Handler`, with the same rows, in less time.

It leaves a batch to the handler by raising `NotPlain`, or any other exception.
"""


Recall = Callable[[AsyncConnection, Sequence[OutcomeEvent]], Awaitable[int]]
"""Stores what outcomes report and the store lacks, after a backup was restored.

Receives those since the store's last progress, most of which it knows; returns how many it lacked.
"""


MeasureReading = int | Mapping[str, int]
"""Reading of a measure: a count, or one for each value of its label; a missing one is zero."""


@dataclass(frozen=True)
class Measure:
    """Gauge that is read from the store at intervals: a count, never an amount.

    Every process of the consumer and the exporter read it repeatedly, so it should
    read a table or an index that stays small. If it has a `label`, `values` are
    all values of the label.
    """

    name: str
    meaning: str
    read: Callable[[AsyncConnection], Awaitable[MeasureReading]]
    label: str | None = None
    values: Sequence[str] = ()


@dataclass(frozen=True)
class Work:
    """Periodic work of a consumer in addition to its events, in each of its processes.

    `run` receives the consumer's database and returns whether there is more to do at
    once. A failure affects nothing else: it is reported, and the work runs again.
    """

    name: str
    every_seconds: float
    run: Callable[[AsyncEngine], Awaitable[bool]]


class NoConsumerOptions(BaseModel):
    """Options of a consumer that has none of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Setup:
    """Configuration of one consumer: its options and the names of the topics.

    `orders` maps the fields of the platform's orders; see `read_order`.
    """

    options: Any
    topics: Topics
    orders: OrderFields = field(default_factory=OrderFields)


@dataclass(frozen=True)
class Play:
    """Simulation that `dev --rate` is about to run: accounts and articles of its orders."""

    accounts: Sequence[str]
    articles: Sequence[str]


@dataclass(frozen=True)
class ConsumerActions:
    """Handler, readers and work of a consumer, with the configuration applied.

    `readers` decode the topics that hold no events of the contract. `before_play` prepares the
    store for `dev --rate`. `plain` is a shorter way for most batches, if there is one. `recall`
    receives the consumer's own outcomes at the start, before any work.
    """

    handle: Handler
    readers: Mapping[str, Reader] = field(default_factory=dict)
    work: Sequence[Work] = ()
    before_play: Callable[[AsyncEngine, Play], Awaitable[None]] | None = None
    plain: PlainHandler | None = None
    recall: Recall | None = None


@dataclass(frozen=True)
class Service:
    """A consumer as its package declares it: the `SERVICE` of a package or of an entry point.

    `topics` are families of the contract ("payment") or other topics of it;
    `tables` carry the schema's name; `migrations` is the package with the
    Alembic scripts; `commands` are added to `payrouter`, under the consumer's
    name. `options` is the model of what `[consumers.NAME]` may contain in addition
    to the runtime's own settings. `configured` returns what the consumer does with
    them; a consumer that needs no configuration has a `handle` instead.
    `says_outcomes` if it publishes on `NAME.outcome`, and `recalls` if it reads them again before
    it acts, as its actions declare; `commanded` are the topics on which it
    publishes what its operators' commands record or decide; `trail` is its part of
    `payrouter trace`. `cases` are the places of its cases; every consumer also has the
    runtime's own kinds. `in_time_order` if it depends on the order of records of different
    topics: a consumer that is behind then applies the oldest first.
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
    recalls: bool = False
    commanded: Sequence[str] = ()
    trail: Trail | None = None
    cases: Sequence[CaseSource] = ()
    in_time_order: bool = False

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
        """Return the consumer's actions with this configuration."""
        if self.configured is not None:
            actions = self.configured(setup)
            if (actions.recall is not None) is not self.recalls:
                message = f"consumer {self.name}: its actions and `recalls` differ"
                raise TypeError(message)
            return actions
        assert self.handle is not None  # noqa: S101 - `__post_init__` has checked it
        return ConsumerActions(self.handle)
