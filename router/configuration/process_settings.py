"""`[log]`, `[exporter]`, `[spool]` and `[console]`: the settings of all but edge and consumers."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from router.configuration.values import Networks, PublicUrl
from router.secrets.secret_text import Secret

_STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

_HASH: Final = re.compile(
    r"scrypt\$\d{1,2}\$\d{1,2}\$\d{1,2}\$[A-Za-z0-9_-]{16,64}\$[A-Za-z0-9_-]{32,128}"
)
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_LEAST_SECRET: Final = 32

RoleName = Literal["viewer", "operator", "admin"]


def _checked_hash(value: SecretStr) -> SecretStr:
    if _HASH.fullmatch(value.get_secret_value()) is None:
        message = "expected what `payrouter console password` prints"
        raise ValueError(message)
    return value


PasswordHash = Annotated[Secret, AfterValidator(_checked_hash)]


def _checked_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        message = "expected the name of a time zone, such as Europe/Berlin"
        raise ValueError(message) from None
    return name


class ConsoleUserSettings(BaseModel):
    """`[console.users.NAME]`: someone who may sign in with a password, or who may do what."""

    model_config = _STRICT

    password_hash: PasswordHash | None = Field(
        None,
        description="Hash of the password, from `payrouter console password`. Without it, the"
        " person can sign in only by OIDC or the proxy's header.",
        examples=["REPLACE-with-what-the-command-prints"],
    )
    roles: dict[str, RoleName] = Field(
        default_factory=dict,
        description="Role by account; `*` is every account. `viewer` reads, `operator` also acts,"
        " `admin` also decides about money and orders.",
        examples=[{"shop": "operator"}],
    )
    personal: bool = Field(
        default=False,
        description="Whether the person may see customers' names, addresses and raw bodies.",
    )


class ConsoleGroupSettings(BaseModel):
    """`[console.groups.NAME]`: what the members of a group of the OIDC provider or proxy may do."""

    model_config = _STRICT

    roles: dict[str, RoleName] = Field(
        default_factory=dict,
        description="Role by account; `*` is every account.",
        examples=[{"*": "viewer"}],
    )
    personal: bool = Field(
        default=False,
        description="Whether members may see customers' names, addresses and raw bodies.",
    )


class ConsoleOidcSettings(BaseModel):
    """`[console.oidc]`: sign-in by an OpenID Connect provider, with authorization code and PKCE."""

    model_config = _STRICT

    issuer: PublicUrl = Field(
        description="URL of the provider; its settings are read from"
        " `/.well-known/openid-configuration` below it.",
        examples=["https://login.example.com/realms/shop"],
    )
    client_id: str = Field(
        min_length=1,
        description="Id of the console at the provider.",
        examples=["payrouter-console"],
    )
    client_secret: Secret | None = Field(
        None,
        description="Secret of the console at the provider. Default: none, for a public client.",
        examples=["REPLACE-with-the-secret"],
    )
    client_secret_file: Path | None = Field(
        None, description="File with that secret.", examples=["/run/secrets/oidc_secret"]
    )
    scopes: tuple[str, ...] = Field(
        ("openid", "profile", "email"),
        description="Scopes that are requested; `openid` is required.",
        examples=[["openid", "profile", "groups"]],
    )
    name_claim: str = Field(
        "preferred_username",
        description="Claim with the name of the person; it is written into records of actions.",
        examples=["email"],
    )
    groups_claim: str = Field(
        "groups",
        description="Claim with the groups of the person.",
        examples=["roles"],
    )

    @model_validator(mode="after")
    def _is_openid(self) -> Self:
        if "openid" not in self.scopes:
            message = "scopes: openid is required"
            raise ValueError(message)
        return self


class ConsoleSettings(BaseModel):
    """`[console]`: `payrouter console`, pages for people who work with payments.

    It changes nothing unless `actions` is on. Without a way to sign in (`users`, `oidc` or
    `proxy_header`) it listens only on the loopback interface.
    """

    model_config = _STRICT

    host: str = Field(
        "127.0.0.1",
        description="Address of the pages. Another one than the loopback interface requires a way"
        " to sign in.",
        examples=["10.0.0.5"],
    )
    port: int = Field(
        9480,
        ge=0,
        le=65535,
        description="Port of the pages; never that of the edge.",
        examples=[9580],
    )
    management_host: str = Field(
        "127.0.0.1",
        description="Address of `/metrics`, `/healthz` and `/readyz`.",
        examples=["10.0.0.5"],
    )
    management_port: int = Field(
        9083,
        ge=0,
        le=65535,
        description="Port of `/metrics`, `/healthz` and `/readyz`.",
        examples=[9183],
    )
    public_url: PublicUrl | None = Field(
        None,
        description="URL of the console as browsers call it. Required by OIDC, and behind a proxy"
        " that changes the host or ends TLS. Default: the address of the request.",
        examples=["https://console.example.com"],
    )
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="Other host names under which the console answers, besides that of"
        " `public_url`, `host` and the loopback interface.",
        examples=[["console.internal"]],
    )
    actions: bool = Field(
        default=False,
        description="Whether people may act, as their roles permit. Otherwise all pages only read.",
    )
    zone: Annotated[str, AfterValidator(_checked_zone)] = Field(
        "UTC",
        description="Time zone of the people; each of them can switch between it and UTC.",
        examples=["Europe/Berlin"],
    )
    language: Literal["en", "de"] = Field(
        "en", description="Language for browsers that ask for none that the console has."
    )
    read_seconds: float = Field(
        2,
        gt=0,
        le=60,
        description="Longest that a page may read a database; its statements end after that.",
        examples=[5],
    )
    request_seconds: float = Field(
        20,
        gt=0,
        le=600,
        description="Longest that a request may take, except a download.",
        examples=[60],
    )
    idle_minutes: int = Field(
        60,
        ge=1,
        le=7 * 24 * 60,
        description="A sign-in ends after so long without a request.",
        examples=[15],
    )
    session_hours: int = Field(
        12, ge=1, le=7 * 24, description="A sign-in ends after so long in any case.", examples=[8]
    )
    session_secret: Secret | None = Field(
        None,
        description="Secret that signs the cookies, at least 32 characters, the same for every"
        " replica. Default: a random one at each start, so that a restart ends every sign-in.",
        examples=["REPLACE-with-a-random-text-of-32-characters"],
    )
    session_secret_file: Path | None = Field(
        None, description="File with that secret.", examples=["/run/secrets/console_session"]
    )
    failed_sign_ins: int = Field(
        5,
        ge=1,
        le=100,
        description="Failed sign-ins per name and per source in 5 minutes; more are refused.",
        examples=[10],
    )
    proxy_header: str | None = Field(
        None,
        description="Header in which a trusted proxy names the person who is signed in.",
        examples=["X-Forwarded-User"],
    )
    proxy_groups_header: str | None = Field(
        None,
        description="Header in which that proxy names the groups of the person, with a comma"
        " between.",
        examples=["X-Forwarded-Groups"],
    )
    trusted_proxies: Networks = Field(
        (),
        description="Addresses of that proxy. Those headers, and X-Forwarded-For, count only from"
        " there.",
        examples=[["10.0.0.7/32"]],
    )
    users: dict[str, ConsoleUserSettings] = Field(
        default_factory=dict,
        description="People, by the name with which they sign in.",
        examples=[{"maria": {"roles": {"shop": "operator"}}}],
    )
    groups: dict[str, ConsoleGroupSettings] = Field(
        default_factory=dict,
        description="Groups of the OIDC provider or the proxy, by name.",
        examples=[{"support": {"roles": {"*": "viewer"}}}],
    )
    oidc: ConsoleOidcSettings | None = Field(
        None, description="The OpenID Connect provider.", examples=[]
    )
    prometheus_url: PublicUrl | None = Field(
        None,
        description="URL of a Prometheus that scrapes the edges, for the charts of endpoints.",
        examples=["http://prometheus:9090"],
    )
    edges: tuple[str, ...] = Field(
        (),
        description="URLs of the edges' `/metrics`, which the console reads itself if there is no"
        " `prometheus_url`.",
        examples=[["http://127.0.0.1:9080/metrics"]],
    )

    @property
    def signs_in(self) -> bool:
        """Whether there is a way to sign in."""
        local = any(each.password_hash is not None for each in self.users.values())
        return local or self.oidc is not None or self.proxy_header is not None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        problems = [*self._header_problems()]
        if self.oidc is not None and self.public_url is None:
            problems.append("public_url: missing, and OIDC returns people to it")
        secret = self.session_secret
        if secret is not None and len(secret.get_secret_value()) < _LEAST_SECRET:
            problems.append(f"session_secret: at least {_LEAST_SECRET} characters are expected")
        if problems:
            raise ValueError(*problems)
        return self

    def _header_problems(self) -> list[str]:
        named = {"proxy_header": self.proxy_header, "proxy_groups_header": self.proxy_groups_header}
        problems = [
            f"{key}: expected the name of a header"
            for key, name in named.items()
            if name is not None and _HEADER.fullmatch(name) is None
        ]
        if self.proxy_header is not None and not self.trusted_proxies:
            problems.append("trusted_proxies: missing, or anybody could send proxy_header")
        if self.proxy_groups_header is not None and self.proxy_header is None:
            problems.append("proxy_groups_header: needs proxy_header")
        return problems


class LogSettings(BaseModel):
    """`[log]`: what every process writes to standard error.

    Change `level` while you look for a cause. `docs/logs.md` lists every line.
    """

    model_config = _STRICT

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severity of a line that is written."
    )
    format: Literal["auto", "json", "console"] = Field(
        "auto",
        description="Form of a line; `auto` is `console` at a terminal, and `json` elsewhere.",
    )


class ExporterSettings(BaseModel):
    """`[exporter]`: `payrouter exporter`, which shows the consumers' progress to Prometheus.

    Set `consumers` if you run only some of them: those that should run and do not are an alert.
    """

    model_config = _STRICT

    management_host: str = Field(
        "127.0.0.1",
        description="Address of `/metrics`, `/healthz` and `/readyz`.",
        examples=["10.0.0.5"],
    )
    management_port: int = Field(
        9082,
        ge=0,
        le=65535,
        description="Port of `/metrics`, `/healthz` and `/readyz`.",
        examples=[9182],
    )
    every_seconds: float = Field(
        5, ge=0.1, le=60, description="Pause between two readings.", examples=[15]
    )
    consumers: tuple[str, ...] = Field(
        (),
        description="Consumers that should run. Default: all.",
        examples=[["ledger", "notifications"]],
    )


class SpoolSettings(BaseModel):
    """`[spool]`: where the edge stores deliveries while the broker is away.

    Without `path` there is no spool, and a delivery that the broker does not acknowledge in time is
    answered 503. The disk must outlive the process and its machine or container.
    """

    model_config = _STRICT

    path: Path | None = Field(
        None,
        description="Folder of the spool, on a disk that outlives the process. Default: none, so"
        " nothing is stored.",
        examples=["/var/lib/payrouter/spool"],
    )
    max_bytes: int = Field(
        1024 * 1024 * 1024,
        ge=16 * 1024 * 1024,
        description="Most bytes that the files of the spool take, of all workers together; beyond"
        " it deliveries are answered 503.",
        examples=[8589934592],
    )
    max_age_seconds: float = Field(
        86400,
        ge=60,
        description="How long a record may wait. Beyond it nothing more is stored, and a record"
        " that the broker refuses is set aside.",
        examples=[259200],
    )
    reserve_seconds: float = Field(
        0.5,
        gt=0,
        le=30,
        description="Part of a delivery's deadline that is left for the disk: until then the"
        " broker has time. At most half of the time left.",
        examples=[1],
    )
    drain_seconds: float = Field(
        10,
        ge=0,
        le=3600,
        description="How long a stopping edge waits until the spool is published.",
        examples=[60],
    )
