"""Types of values, and a table, that occur several times in the configuration, with checks."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import parse_qsl

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
)

from router.configuration.addresses import networks
from router.secrets.secret_text import Secret


def as_tuple(value: object) -> object:
    """Return a list of one for a text, because an environment variable can only be a text."""
    return (value,) if isinstance(value, str) else value


Several = Annotated[
    tuple[Secret, ...],
    BeforeValidator(as_tuple, json_schema_input_type=Secret | tuple[Secret, ...]),
]
Files = Annotated[
    tuple[Path, ...], BeforeValidator(as_tuple, json_schema_input_type=Path | tuple[Path, ...])
]

PUBLISHED = "published"
"""The word under `allow_from` for the list that the provider has."""

# The path is visible ASCII, because a URL that a gateway signs contains nothing else.
_PUBLIC_URL = re.compile(
    r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?(?:/[!\"$->@-~]*)?"
)


def _checked_networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    try:
        networks(text for text in texts if text != PUBLISHED)
    except ValueError:
        message = "expected addresses or networks, such as 203.0.113.0/24"
        raise ValueError(message) from None
    return texts


Networks = Annotated[
    tuple[str, ...],
    BeforeValidator(as_tuple, json_schema_input_type=str | tuple[str, ...]),
    AfterValidator(_checked_networks),
]


def checked_public_url(url: str) -> str:
    """Return a public URL without a slash at its end, or raise ValueError."""
    match = _PUBLIC_URL.fullmatch(url)
    if match is None or not is_port(match[1] and match[1][1:]):
        message = "expected https://host, with a port or path where the gateway sees one"
        raise ValueError(message)
    return url.rstrip("/")


PublicUrl = Annotated[str, AfterValidator(checked_public_url)]


def is_port(digits: str | None) -> bool:
    """Return whether digits are a port; None, for no port, is valid too."""
    return digits is None or 0 < int(digits) <= 65535  # noqa: PLR2004 - what TCP has


QUERY: Final = {
    "host",
    "port",
    "user",
    "password",
    "passfile",
    "ssl",
    "direct_tls",
    "target_session_attrs",
    "krbsrvname",
    "gsslib",
    "prepared_statement_cache_size",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
}
"""Parameters of a URL's query that the driver supports."""

_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_NUMBERS: Final = {"port", "prepared_statement_cache_size"}


def check_database_query(query: str) -> None:
    """Raise ValueError if the driver would not support a query, or would repeat it in its error."""
    given = parse_qsl(query, keep_blank_values=True)
    for name, value in given:
        if name not in QUERY:
            message = f"its query may contain only {', '.join(sorted(QUERY))}"
            raise ValueError(message)
        if name in _NUMBERS and not (value.isascii() and value.isdigit()):
            message = f"{name}: a number is expected"
            raise ValueError(message)
    check_database_encryption(dict(given))


def check_database_encryption(query: Mapping[str, str]) -> None:
    """Raise ValueError if the parameters of a query for TLS contradict each other."""
    mode, root = query.get("sslmode"), query.get("sslrootcert")
    if mode is not None and mode not in _SSL_MODES:
        message = f"sslmode: expected one of {', '.join(_SSL_MODES)}"
    elif "ssl" in query and {"sslmode", "sslrootcert", "sslcert", "sslkey"} & query.keys():
        message = "ssl: write sslmode instead, which takes the same values"
    elif root == "system" and mode != "verify-full":
        message = "sslrootcert: system needs sslmode=verify-full"
    elif mode is None and {"sslrootcert", "sslcert", "sslkey"} & query.keys():
        message = "sslmode: missing, or the certificate might not be checked; use verify-full"
    else:
        return
    raise ValueError(message)


_DATABASE = re.compile(
    r"(?:[^:@/]*(?::[^@]*)?@)?(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:@/?]*)(?::(\d{1,5}))?(?:/[^?]*)?(?:\?(.*))?"
)


class DatabaseSettings(BaseModel):
    """`[database]`: the PostgreSQL database of the consumers and of commands about them.

    The edge needs none. A consumer can have a separate one, in
    `[consumers.NAME.database]` with the same keys. Of each URL, set the text or the file, not both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Secret | None = Field(
        None,
        description="URL of the database, as `postgresql+asyncpg://user:password@host:port/name`."
        " Default: that of a running `payrouter dev`.",
        examples=["postgresql+asyncpg://payrouter:REPLACE-me@db.example.com:5432/payrouter"],
    )
    url_file: Path | None = Field(
        None,
        description="File with the URL; it is read again for each new connection.",
        examples=["/run/secrets/database_url"],
    )
    owner_url: Secret | None = Field(
        None,
        description="URL with which `payrouter db upgrade` and `payrouter db roles` connect: that"
        " of the role that owns the tables, best at the server itself, since a pooler may end"
        " long statements. A consumer's own database inherits it if it has the same name."
        " Default: `url`.",
        examples=["postgresql+asyncpg://payrouter_owner:REPLACE-me@db.example.com:5432/payrouter"],
    )
    owner_url_file: Path | None = Field(
        None,
        description="File with that URL.",
        examples=["/run/secrets/database_owner_url"],
    )
    reader_url: Secret | None = Field(
        None,
        description="URL with which `payrouter trace` and the listings of books, stock and messages"
        " connect: that of a role that may only read, or of a replica, which may be late. A"
        " consumer's own database inherits it if it has the same name. Default: `url`.",
        examples=["postgresql+asyncpg://payrouter_reader:REPLACE-me@replica.example.com/payrouter"],
    )
    reader_url_file: Path | None = Field(
        None,
        description="File with that URL.",
        examples=["/run/secrets/database_reader_url"],
    )
    pooler: Literal["none", "transaction"] | None = Field(
        None,
        description="Set `transaction` if the URL leads to a connection pooler, such as PgBouncer,"
        " and not to PostgreSQL itself. Default: `none`, and that of `[database]` for a consumer's"
        " own database.",
        examples=["transaction"],
    )

    @field_validator("url", "owner_url", "reader_url")
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
