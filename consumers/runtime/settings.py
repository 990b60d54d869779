"""Settings of one consumer process, which the command line passes as plain data."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from consumers.runtime.service import NoConsumerOptions, Setup
from consumers.runtime.topic_check import TopicCheck
from router.broker.connection import KafkaConnection
from router.contract.order_fields import OrderFields
from router.contract.topics import Topics


class Tuning(BaseModel):
    """`[consumers.NAME]`: the settings that every consumer has.

    NAME is `ledger`, `inventory`, `notifications` or a consumer of your own. Give each its own
    `management_port` if several run on one host. The other defaults fit most installations: raise
    `batch_records` for throughput, and the time-outs for a database that is slow.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    group_id: str | None = Field(
        None,
        description="Consumer group on the broker. Default: `payrouter.NAME`.",
        examples=["payrouter.ledger"],
    )
    instance_id: str | None = Field(
        None,
        description="Id of this process for static membership: one process per id, the same after"
        " every restart.",
        examples=["ledger-0"],
    )
    management_port: int = Field(
        9081,
        ge=0,
        le=65535,
        description="Port of `/metrics`, `/healthz` and `/readyz`.",
        examples=[9181],
    )
    management_host: str = Field(
        "127.0.0.1",
        description="Address of `/metrics`, `/healthz` and `/readyz`.",
        examples=["10.0.0.5"],
    )
    batch_records: int = Field(
        500,
        ge=1,
        le=5000,
        description="Most records that one transaction applies.",
        examples=[1000],
    )
    batch_wait_seconds: float = Field(
        0.2, gt=0, description="How long a fetch waits for records.", examples=[0.05]
    )
    session_timeout_seconds: float = Field(
        30,
        gt=0,
        description="After so long without a heartbeat, the group gives the partitions of a"
        " process to others.",
        examples=[45],
    )
    rebalance_timeout_seconds: float = Field(
        60,
        gt=0,
        description="How long the group waits for all members while it assigns partitions.",
        examples=[120],
    )
    transaction_timeout_seconds: float = Field(
        20,
        gt=0,
        description="Longest that a statement may take or a transaction may idle; below"
        " `session_timeout_seconds`.",
        examples=[10],
    )
    commit_timeout_seconds: float = Field(
        5,
        gt=0,
        description="How long to wait for the broker to store offsets, which are only for display.",
        examples=[10],
    )
    retry_longest_seconds: float = Field(
        15,
        gt=0,
        description="Longest pause between two tries while the broker or the database is away.",
        examples=[60],
    )
    beyond_end_seconds: float = Field(
        60,
        ge=0,
        description="How long a log that ends below the stored position may be a replica that is"
        " late; after that the partition halts.",
        examples=[120],
    )
    open_transaction_seconds: float = Field(
        90,
        gt=0,
        description="How long an open transaction of a producer may withhold records before it is"
        " reported.",
        examples=[300],
    )

    attempts: int = Field(
        8,
        ge=1,
        description="How often a record that failed for an unknown reason is tried before it is a"
        " dead letter.",
        examples=[12],
    )
    park_seconds: float = Field(
        1,
        gt=0,
        description="Pause before the second try of such a record; each pause is 4 times longer.",
        examples=[5],
    )
    park_longest_seconds: float = Field(
        3600, gt=0, description="Longest pause between two such tries.", examples=[900]
    )
    brake_after: int = Field(
        20,
        ge=1,
        description="So many failed records in a row stop the consumer until `payrouter brake"
        " clear`.",
        examples=[50],
    )
    other_cluster: Literal["halt", "read"] = Field(
        "halt",
        description="What to do with a topic that was read from another Kafka cluster before:"
        " `halt` until `payrouter offsets reset` states where to begin, or `read` it from its"
        " start. Only for evaluation: `read` also accepts a wrong broker.",
        examples=["read"],
    )
    remember_days: float = Field(
        30,
        gt=0,
        description="How long an event id is remembered to detect repeats; longer than any gateway"
        " resends.",
        examples=[90],
    )

    def group_of(self, consumer: str) -> str:
        """Return the consumer group of a consumer with these settings."""
        return self.group_id or f"payrouter.{consumer}"

    @property
    def turn_seconds(self) -> float:
        """Longest duration of a turn of the loop, which is reached when the database freezes.

        A connection probe, or a statement, its cancellation and the rollback take up to
        the transaction's time-out each.
        """
        return 4 * self.transaction_timeout_seconds

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.transaction_timeout_seconds >= self.session_timeout_seconds:
            message = (
                "transaction_timeout_seconds: not below session_timeout_seconds, so that a frozen"
                " process would hold its locks longer than its partitions"
            )
            raise ValueError(message)
        return self


@dataclass(frozen=True)
class ConsumerTiming:
    """Intervals and time-outs of a consumer process that no operator sets."""

    idle_seconds: float = 0.1
    """Pause of a loop that has nothing to read."""

    measure_seconds: float = 15.0
    """Interval for reading a service's own measures; a scrape in between gets the last values."""

    stuck_seconds: float = 60.0
    """A loop without a turn for so long is not alive, unless the database time-outs are longer."""

    poll_seconds: float = 300.0
    """Longest time between polls before the group evicts the member; longer for slow databases."""

    silent_seconds: float = 15.0
    """If no fetch is answered for so long, the broker is unreachable or the client is dead.

    First the partitions are placed again, which needs an answer from a broker. The client is
    replaced only if fetches still get none: the group then waits until the old client's session
    expires.
    """

    unanswered_seconds: float = 120.0
    """If no request is answered for so long, the brokers in the metadata may no longer exist.

    Longer than a broker restart, which the client survives as the same member.
    """

    position_seconds: float = 1.0
    """Time-out for reading a position; it is known at once after a seek."""

    order_seconds: float = 5.0
    """A consumer that reads in time order waits so long for a partition that returns nothing.

    Longer than the usual change of a leader.
    """

    paused_seconds: float = 3.0
    """After so long without an answer from the broker, a log may have been replaced."""

    leave_seconds: float = 10.0
    """How long to wait for leaving the group."""

    lag_seconds: float = 5.0
    """Pause between two reads of where the logs end; fetches also return it, earlier."""

    forget_seconds: float = 600.0
    """Pause between two rounds of deleting expired rows."""

    forget_pause_seconds: float = 0.1
    """Pause between two chunks of a round, to let other transactions through."""


@dataclass(frozen=True)
class ConsumerSettings:
    """Settings of one consumer process.

    `cluster_id` overrides the broker's own in the fence, after a migration.
    """

    name: str
    kafka: KafkaConnection = field(repr=False)
    database_url: SecretStr
    topics: Topics
    tuning: Tuning
    cluster_id: str | None = None
    options: BaseModel = field(default_factory=NoConsumerOptions, repr=False)
    """The service's own `options`; their secrets are SecretStr too."""
    orders: OrderFields = field(default_factory=OrderFields)
    database_url_now: Callable[[], str] | None = field(default=None, repr=False)
    """Returns the current URL of the database, if it can change; called for each new connection."""
    pooled: bool = False
    """Whether the database is behind a pooler of transactions."""
    owner_url: SecretStr | None = None
    """URL of the role that owns the tables, if that is a separate one."""
    reader_url: SecretStr | None = None
    """URL for listings, if that is a separate one."""
    accounts: tuple[str, ...] = ()
    """Accounts of the endpoints, for commands; empty if this process has no endpoints."""
    topic_check: TopicCheck = field(default_factory=TopicCheck)
    """Needs that its topics are compared with."""
    timing: ConsumerTiming = field(default_factory=ConsumerTiming)

    @property
    def listing(self) -> Self:
        """The same settings with the database of listings, which may be a replica.

        Not for anything that acts on what it reads: a replica may be late.
        """
        if self.reader_url is None:
            return self
        return replace(self, database_url=self.reader_url, database_url_now=None)

    @property
    def setup(self) -> Setup:
        """The part of the configuration that the service receives."""
        return Setup(self.options, self.topics, self.orders)

    @property
    def bootstrap(self) -> str:
        """The brokers, as Kafka's own tools take them."""
        return self.kafka.bootstrap

    @property
    def group_id(self) -> str:
        """The consumer group."""
        return self.tuning.group_of(self.name)
