"""Settings of one consumer process, which the command line passes as plain data."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from consumers.runtime.service import NoConsumerOptions, Setup
from consumers.runtime.topic_check import TopicCheck
from router.broker.connection import KafkaConnection
from router.contract.order_fields import OrderFields
from router.contract.topics import Topics


class Tuning(BaseModel):
    """The `[consumers.NAME]` table of the configuration, without its database."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    group_id: str | None = Field(None, description="default: payrouter.NAME")
    instance_id: str | None = Field(
        None, description="static membership: one process per id, stable over restarts"
    )
    management_port: int = Field(9081, ge=0, le=65535)
    management_host: str = "127.0.0.1"
    batch_records: int = Field(500, ge=1, le=5000)
    batch_wait_seconds: float = Field(0.2, gt=0)
    session_timeout_seconds: float = Field(30, gt=0)
    rebalance_timeout_seconds: float = Field(60, gt=0)
    transaction_timeout_seconds: float = Field(
        20, gt=0, description="longest a transaction may idle; below the session timeout"
    )
    commit_timeout_seconds: float = Field(5, gt=0)
    retry_longest_seconds: float = Field(15, gt=0)
    beyond_end_seconds: float = Field(
        60, ge=0, description="how long a log end below the fence may be a late replica"
    )
    open_transaction_seconds: float = Field(
        90,
        gt=0,
        description="how long an open transaction may withhold records before it is trouble",
    )

    attempts: int = Field(
        8, ge=1, description="how often a record that failed for an unknown reason is tried"
    )
    park_seconds: float = Field(
        1, gt=0, description="pause before the second try of such a record; each is 4 times longer"
    )
    park_longest_seconds: float = Field(3600, gt=0)
    brake_after: int = Field(
        20, ge=1, description="so many failures in a row stop the consumer until a command"
    )
    remember_days: float = Field(
        30, gt=0, description="how long an event id is known; above every gateway's retry span"
    )

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
    accounts: tuple[str, ...] = ()
    """Accounts of the endpoints, for commands; empty if this process has no endpoints."""
    topic_check: TopicCheck = field(default_factory=TopicCheck)
    """Needs that its topics are compared with."""
    timing: ConsumerTiming = field(default_factory=ConsumerTiming)

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
        return self.tuning.group_id or f"payrouter.{self.name}"
