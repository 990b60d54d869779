"""The whole configuration as one frozen model. Problems appear at the start, never later."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from router.broker.settings import KafkaSettings
from router.configuration.modes import Mode, shared_accounts
from router.configuration.problems import nearest, problem_lines
from router.configuration.secret_files import read_secret_file, with_secrets_read
from router.configuration.sources import read_sources
from router.configuration.values import (
    PUBLISHED,
    Files,
    Networks,
    PublicUrl,
    Several,
    check_database_query,
    is_port,
)
from router.contract.fields import Text
from router.contract.order_fields import OrderFields
from router.contract.topics import FAMILIES, ORDER, QUARANTINE, REFUSED, Topics
from router.errors import ConfigurationError
from router.secrets.secret_text import Secret

_STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

_ENDPOINT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_TEN_YEARS_SECONDS = 10 * 366 * 24 * 3600
_DATABASE = re.compile(
    r"(?:[^:@/]*(?::[^@]*)?@)?(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:@/?]*)(?::(\d{1,5}))?(?:/[^?]*)?(?:\?(.*))?"
)
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,200}")


class EndpointSettings(BaseModel):
    """One `[endpoints.NAME]`: a URL that a gateway is given.

    `account` is the merchant that the money belongs to; two endpoints of one merchant
    share it if they have the same `mode`.
    `tolerance_seconds` None means the gateway's own default; `public_url` None
    that of `[edge]`. `options` are the keys that belong to the provider, which
    are checked against its own model when the edge is built.
    """

    model_config = _STRICT

    provider: str
    account: Text
    mode: Mode = "live"
    secrets: Several = ()
    secret_files: Files = ()
    token: Secret | None = None
    tolerance_seconds: float | None = Field(None, gt=0, le=_TEN_YEARS_SECONDS)
    deadline_seconds: float = Field(2.5, gt=0, le=60)
    public_url: PublicUrl | None = None
    allow_from: Networks | None = Field(None, description="networks, or the word published")
    options: dict[str, Any] = Field(default_factory=dict, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _hand_on_options(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        own = cls.model_fields.keys() - {"options"}
        handed_on = {key: value for key, value in values.items() if key not in own}
        return {key: values[key] for key in own & values.keys()} | {"options": handed_on}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.allow_from == ():
            message = "allow_from: empty, so no address could deliver"
            raise ValueError(message)
        if self.allow_from and PUBLISHED in self.allow_from and len(self.allow_from) > 1:
            message = "allow_from: networks, or the word published alone"
            raise ValueError(message)
        return self

    @field_validator("token")
    @classmethod
    def _token_fits_a_path(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not re.fullmatch(
            r"[A-Za-z0-9_-]{16,128}", token.get_secret_value()
        ):
            message = "a token is 16 to 128 of A-Z a-z 0-9 _ -"
            raise ValueError(message)
        return token

    def guards(self) -> list[tuple[str, str]]:
        """Return the secrets and the URL token, each with its key."""
        secrets = [("secrets", secret.get_secret_value()) for secret in self.secrets]
        return secrets + ([("token", self.token.get_secret_value())] if self.token else [])


class EdgeSettings(BaseModel):
    """`[edge]`: addresses and limits of the edge."""

    model_config = _STRICT

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    management_host: str = "127.0.0.1"
    management_port: int = Field(9080, ge=0, le=65535)
    workers: int = Field(1, ge=1, le=64, description="processes that take deliveries")
    body_limit_bytes: int = Field(256 * 1024, ge=1024, le=8 * 1024 * 1024)
    header_limit_bytes: int = Field(16 * 1024, ge=1024, le=64 * 1024)
    max_in_flight: int = Field(512, ge=1, description="proved deliveries published at once")
    max_unproved: int = Field(1024, ge=8, description="connections without a proved request")
    unproved_bytes: int = Field(64 * 1024 * 1024, ge=1024 * 1024)
    stale_per_minute: int = Field(
        60,
        ge=0,
        description="bound per endpoint on stale deliveries kept, and on those about others' money",
    )
    refused_per_minute: int = Field(
        10, ge=0, le=1000, description="bound on samples of refused deliveries, per endpoint"
    )
    refused_body_bytes: int = Field(
        16 * 1024, ge=0, le=256 * 1024, description="how much of each body a sample contains"
    )
    drain_seconds: float = Field(10, gt=0, le=3600)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    public_url: PublicUrl | None = Field(None, description="what gateways see before the path")
    trusted_proxies: Networks = Field((), description="whose X-Forwarded-For counts")

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


class DatabaseSettings(BaseModel):
    """`[database]`: PostgreSQL, and only PostgreSQL."""

    model_config = _STRICT

    url: Secret | None = None
    url_file: Path | None = None

    @field_validator("url")
    @classmethod
    def _postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None:
            return None
        scheme, separator, rest = url.get_secret_value().partition("://")
        known = scheme in {"postgresql", "postgres", "postgresql+asyncpg"}
        match = _DATABASE.fullmatch(rest) if known and separator and rest else None
        if match is None or not is_port(match[1]):
            message = "expected postgresql+asyncpg://user:password@host:port/database"
            raise ValueError(message)
        check_database_query(match[2] or "")
        return SecretStr(f"postgresql+asyncpg://{rest}")


_NAMED = (*FAMILIES, QUARANTINE, REFUSED, ORDER)


class TopicsSettings(BaseModel):
    """`[topics]`: names and required properties of the topics; the same for every process."""

    model_config = _STRICT

    prefix: str = ""
    names: dict[str, str] = Field(default_factory=dict)
    partitions: int = Field(12, ge=1, le=1000)
    replication_factor: int = Field(3, ge=1, le=9)
    min_insync_replicas: int = Field(2, ge=1, le=9)
    retention_hours: int = Field(
        168, ge=1, le=10 * 366 * 24, description="how long events are kept at least"
    )
    check_seconds: float = Field(60, ge=1, le=3600, description="how often topics are compared")
    require_check: bool = Field(
        default=False,
        description="not ready if the broker does not show a topic's configuration",
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
    """`[order]`: fields of the platform's own orders."""

    model_config = _STRICT

    fields: OrderFields = OrderFields()


class LogSettings(BaseModel):
    """`[log]`: one line per delivery and per batch."""

    model_config = _STRICT

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class ExporterSettings(BaseModel):
    """`[exporter]`: management address and interval of `payrouter exporter`."""

    model_config = _STRICT

    management_host: str = "127.0.0.1"
    management_port: int = Field(9082, ge=0, le=65535)
    every_seconds: float = Field(5, ge=0.1, le=60)
    consumers: tuple[str, ...] = Field((), description="consumers that should run; default: all")


class Settings(BaseModel):
    """The whole configuration. `consumers` is read by each consumer's own process."""

    model_config = _STRICT

    endpoints: dict[str, EndpointSettings] = Field(default_factory=dict)
    edge: EdgeSettings = EdgeSettings()
    kafka: KafkaSettings = KafkaSettings()
    database: DatabaseSettings = DatabaseSettings()
    topics: TopicsSettings = TopicsSettings()
    order: OrderSettings = OrderSettings()
    log: LogSettings = LogSettings()
    exporter: ExporterSettings = ExporterSettings()
    consumers: dict[str, dict[str, Any]] = Field(default_factory=dict, repr=False)

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


def contradictions(endpoints: Mapping[str, EndpointSettings]) -> list[str]:
    """Return the problems with the names of endpoints, and between two of them."""
    owners: dict[tuple[str, str], str] = {}
    problems = []
    for name, endpoint in endpoints.items():
        if not _ENDPOINT_NAME.fullmatch(name):
            problems.append(
                f"endpoints.{name}: a name is a-z 0-9 _ - and begins with a letter or digit"
            )
        for key, word in endpoint.guards():
            other = owners.setdefault((key, word), name)
            if endpoints[other].account != endpoint.account:
                problems.append(
                    f"endpoints.{name}.{key}: the same {key.removesuffix('s')} is set for"
                    f" endpoints.{other}, which has another account"
                )
    return problems + shared_accounts(endpoints)


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


def valid_endpoints(read: Mapping[str, Any]) -> dict[str, EndpointSettings]:
    """Return the endpoints of a configuration whose own tables are valid."""
    tables = read.get("endpoints")
    found = {}
    for name, table in tables.items() if isinstance(tables, dict) else ():
        with contextlib.suppress(ValidationError):
            found[name] = EndpointSettings.model_validate(table)
    return found


def read_database(values: object, under: str) -> DatabaseSettings:
    """Check a database table that is not `[database]`."""
    read, problems = read_secret_file(values, "url_file", "url", under)
    try:
        database = DatabaseSettings.model_validate(read)
    except ValidationError as error:
        problems += problem_lines(error, under, DatabaseSettings)
    else:
        if not problems:
            return database
    raise ConfigurationError(*problems)
