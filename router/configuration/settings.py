"""The whole configuration as one frozen model. Problems appear at the start, never later."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from router.broker.settings import KafkaSettings
from router.configuration.endpoint_settings import (
    EndpointSettings,
    contradictions,
    valid_endpoints,
)
from router.configuration.problems import nearest, problem_lines
from router.configuration.process_settings import (
    ConsoleSettings,
    ExporterSettings,
    LogSettings,
    SpoolSettings,
)
from router.configuration.secret_files import read_database_files, with_secrets_read
from router.configuration.sources import read_sources
from router.configuration.values import DatabaseSettings, Networks, PublicUrl
from router.contract.order_fields import OrderFields
from router.contract.topics import FAMILIES, ORDER, QUARANTINE, REFUSED, Topics
from router.errors import ConfigurationError
from router.secrets.renewed import Renewed

_STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,200}")


class EdgeSettings(BaseModel):
    """`[edge]`: addresses and limits of the processes that take webhooks.

    Set the address, `public_url` and `trusted_proxies` for your network, and `workers` for your
    machine. The limits fit most installations; change one if its metric or alert requires it.
    """

    model_config = _STRICT

    host: str = Field(
        "127.0.0.1",
        description="Address that takes deliveries; `0.0.0.0` for every interface.",
        examples=["0.0.0.0"],  # noqa: S104 - an example in the documentation
    )
    port: int = Field(
        8080, ge=0, le=65535, description="Port that takes deliveries.", examples=[8443]
    )
    management_host: str = Field(
        "127.0.0.1",
        description="Address of `/metrics`, `/healthz` and `/readyz`. It must not be reachable"
        " from the internet.",
        examples=["10.0.0.5"],
    )
    management_port: int = Field(
        9080,
        ge=0,
        le=65535,
        description="Port of `/metrics`, `/healthz` and `/readyz`.",
        examples=[9180],
    )
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="Processes that take deliveries, one for each core that they may use.",
        examples=[4],
    )
    body_limit_bytes: int = Field(
        256 * 1024,
        ge=1024,
        le=8 * 1024 * 1024,
        description="Largest body of a delivery; a larger one is answered 413. A record must have"
        " room for it, see `kafka.max_request_bytes`.",
        examples=[1048576],
    )
    header_limit_bytes: int = Field(
        16 * 1024,
        ge=1024,
        le=64 * 1024,
        description="Largest head of a request; a larger one is answered 431.",
        examples=[32768],
    )
    max_in_flight: int = Field(
        512,
        ge=1,
        description="Verified deliveries published at the same time; others are answered 503.",
        examples=[1024],
    )
    max_unproved: int = Field(
        1024,
        ge=8,
        description="Connections whose request is not yet verified; if there are more, the source"
        " with the most of them gives way.",
        examples=[4096],
    )
    unproved_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1024 * 1024,
        description="Memory for requests that are not yet verified.",
        examples=[134217728],
    )
    stale_per_minute: int = Field(
        60,
        ge=0,
        description="Stale deliveries and those about another merchant's money that are stored"
        " on `quarantine`, per endpoint and minute.",
        examples=[600],
    )
    refused_per_minute: int = Field(
        10,
        ge=0,
        le=1000,
        description="Samples of refused deliveries that are stored, per endpoint and minute.",
        examples=[0],
    )
    refused_body_bytes: int = Field(
        16 * 1024,
        ge=0,
        le=256 * 1024,
        description="How much of each body a sample contains.",
        examples=[0],
    )
    drain_seconds: float = Field(
        10,
        gt=0,
        le=3600,
        description="How long a stopping edge waits for the deliveries that it has begun.",
        examples=[30],
    )
    tls_certificate: Path | None = Field(
        None,
        description="PEM file with the certificate and its chain, if TLS ends at the edge and not"
        " at a proxy. Default: none, so the edge serves plain HTTP.",
        examples=["/run/secrets/tls.crt"],
    )
    tls_key: Path | None = Field(
        None,
        description="PEM file with the certificate's private key.",
        examples=["/run/secrets/tls.key"],
    )
    public_url: PublicUrl | None = Field(
        None,
        description="URL before the path as gateways call it. Required if a gateway signs its URL.",
        examples=["https://pay.example.com"],
    )
    trusted_proxies: Networks = Field(
        (),
        description="Proxies whose X-Forwarded-For header names the source of a request.",
        examples=[["10.0.0.0/8"]],
    )

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        for given, missing in (("tls_key", "tls_certificate"), ("tls_certificate", "tls_key")):
            if getattr(self, given) is not None and getattr(self, missing) is None:
                message = f"{given} needs {missing}"
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _shares_suffice(self) -> Self:
        # Every worker needs a place, and room for a whole request.
        for name, least in (
            ("max_in_flight", 1),
            ("max_unproved", 1),
            ("unproved_bytes", self.body_limit_bytes + self.header_limit_bytes),
        ):
            if self.workers > 1 and getattr(self, name) < least * self.workers:
                message = (
                    f"workers: {name} is shared by all, and {getattr(self, name)} is too little:"
                    f" {self.workers} workers need {least * self.workers}"
                )
                raise ValueError(message)
        return self


_NAMED = (*FAMILIES, QUARANTINE, REFUSED, ORDER)


class TopicsSettings(BaseModel):
    """`[topics]`: names of the topics and what the broker must promise about them.

    It must be the same for every process. Change the names if other systems share the broker, and
    the numbers if your cluster has fewer than three brokers. `payrouter topics apply` creates the
    topics like this and compares existing ones.
    """

    model_config = _STRICT

    prefix: str = Field("", description="Text before the name of every topic.", examples=["pay."])
    names: dict[str, str] = Field(
        default_factory=dict,
        description="Another name, without the prefix, for one of the topics `payment`, `payout`,"
        " `subscription`, `quarantine`, `refused` and `order`.",
        examples=[{"order": "shop-orders"}],
    )
    partitions: int = Field(
        12,
        ge=1,
        le=1000,
        description="Partitions of each topic: the most processes that a consumer can use.",
        examples=[24],
    )
    replication_factor: int = Field(
        3, ge=1, le=9, description="Copies of each partition.", examples=[1]
    )
    min_insync_replicas: int = Field(
        2,
        ge=1,
        le=9,
        description="Copies that must have a record before it is acknowledged.",
        examples=[1],
    )
    retention_hours: int = Field(
        168,
        ge=1,
        le=10 * 366 * 24,
        description="How long events are retained; a consumer that is down longer loses some.",
        examples=[720],
    )
    check_seconds: float = Field(
        60,
        ge=1,
        le=3600,
        description="How often a process compares the topics with what they need.",
        examples=[300],
    )
    require_check: bool = Field(
        default=False,
        description="Whether a process is not ready if the broker hides a topic's configuration.",
    )

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        problems = [*self._wrong_names()]
        if len({self.names.get(topic, topic) for topic in _NAMED}) < len(_NAMED):
            problems.append("names: two topics have one name")
        if self.prefix and not _TOPIC.fullmatch(self.prefix):
            problems.append("prefix: A-Z a-z 0-9 . _ - only")
        if self.min_insync_replicas > self.replication_factor:
            problems.append(
                "min_insync_replicas above replication_factor: nothing could be written"
            )
        if problems:
            raise ValueError(*problems)
        return self

    def _wrong_names(self) -> Iterator[str]:
        for topic, name in self.names.items():
            if topic not in _NAMED:
                yield f"names: there is no topic {topic}{nearest(topic, _NAMED)}"
            elif not _TOPIC.fullmatch(self.prefix + name):
                yield f"names.{topic}: A-Z a-z 0-9 . _ - only, at most 200 characters"

    def topics(self) -> Topics:
        """Return the names in force."""
        return Topics(self.prefix, tuple(self.names.items()))


class OrderSettings(BaseModel):
    """`[order]`: the shape of the platform's own orders; it has one table, `fields`."""

    model_config = _STRICT

    fields: OrderFields = Field(OrderFields(), description="Place of each fact of an order.")


class Settings(BaseModel):
    """The whole configuration. `consumers` is read by each consumer's own process."""

    model_config = _STRICT

    endpoints: dict[str, EndpointSettings] = Field(
        default_factory=dict,
        description="URLs that gateways are given, by name.",
        examples=[{"shop": {"provider": "blockatm"}}],
    )
    edge: EdgeSettings = Field(
        EdgeSettings(), description="Addresses and limits of the processes that take webhooks."
    )
    kafka: KafkaSettings = Field(KafkaSettings(), description="Brokers and their credentials.")
    database: DatabaseSettings = Field(
        DatabaseSettings(), description="PostgreSQL database of the consumers."
    )
    topics: TopicsSettings = Field(TopicsSettings(), description="Names and needs of the topics.")
    spool: SpoolSettings = Field(
        SpoolSettings(), description="Where deliveries are stored while the broker is away."
    )
    order: OrderSettings = Field(OrderSettings(), description="Shape of the platform's own orders.")
    log: LogSettings = Field(LogSettings(), description="What every process logs.")
    exporter: ExporterSettings = Field(
        ExporterSettings(), description="The exporter of the consumers' progress."
    )
    console: ConsoleSettings = Field(
        ConsoleSettings(), description="Pages for people who work with payments."
    )
    consumers: dict[str, dict[str, Any]] = Field(
        default_factory=dict, repr=False, description="Settings of each consumer, by name."
    )

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts of the endpoints, each once, in their order."""
        return tuple(dict.fromkeys(each.account for each in self.endpoints.values()))

    @model_validator(mode="after")
    def _endpoints_fit(self) -> Self:
        problems = contradictions(self.endpoints)
        if problems:
            raise ValueError(*problems)
        return self


def with_public_url(settings: Settings, url: str) -> Settings:
    """Return the settings with another `edge.public_url`."""
    edge = settings.edge.model_copy(update={"public_url": url})
    return settings.model_copy(update={"edge": edge})


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the file (None: none), lay PAYROUTER_ variables over it, check everything.

    Raises ConfigurationError with a line for each problem that names its key and no secret.
    """
    return settings_from(read_sources(path, environ))


def settings_from(values: Mapping[str, Any]) -> Settings:
    """Check configuration given as nested tables, as `load_settings` does."""
    read, problems = with_secrets_read(values)
    try:
        settings = Settings.model_validate(read)
    except ValidationError as error:
        problems += problem_lines(error, model=Settings)
        # The model compares endpoints only if everything else is valid.
        problems += contradictions(valid_endpoints(read))
    else:
        if not problems:
            return settings
    raise ConfigurationError(*dict.fromkeys(problems))


def read_database(values: object, under: str) -> DatabaseSettings:
    """Check a database table that is not `[database]`."""
    read, problems = read_database_files(values, under)
    try:
        database = DatabaseSettings.model_validate(read)
    except ValidationError as error:
        problems += problem_lines(error, under, DatabaseSettings)
    else:
        if not problems:
            return database
    raise ConfigurationError(*problems)


def database_url_now(database: DatabaseSettings, under: str) -> Callable[[], str]:
    """Return a function that returns the URL of a database and reads its file again if it changed.

    `under` is the key of its table, for the log.
    """
    file = database.url_file
    given = _url_text(database)
    if file is None:
        return lambda: given
    make = lambda: _url_text(read_database({"url_file": str(file)}, under))  # noqa: E731 - one word
    return Renewed((file,), make, given, f"{under}.url_file").now


def _url_text(database: DatabaseSettings) -> str:
    return database.url.get_secret_value() if database.url else ""
