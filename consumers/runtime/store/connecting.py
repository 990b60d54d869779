"""What a connection to PostgreSQL needs besides its URL, and what is wrong if there is none."""

import re
import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import URL, make_url

SET_POOLER: Final = 'set `pooler = "transaction"` beside the URL of the database'

_FILES: Final = ("sslrootcert", "sslcert", "sslkey")
_ENCRYPTION: Final = ("sslmode", *_FILES)
_SYSTEM: Final = "system"
"""libpq's word for the certificates that this machine trusts."""


class PoolerNotSet(ConnectionError):  # noqa: N818 - named for what it is
    """A pooler is between this process and PostgreSQL, and the configuration does not say so."""

    def __init__(self) -> None:
        """Give the remedy."""
        super().__init__(
            f"a connection pooler is between this process and PostgreSQL: {SET_POOLER}"
        )


class EncryptionUnusable(ConnectionError):  # noqa: N818 - named for what it is
    """A file that the URL names for TLS cannot be used; the message names its parameter."""


def bare_url(url: str) -> URL:
    """Return a URL without libpq's parameters for TLS, which SQLAlchemy does not know."""
    return make_url(url).difference_update_query(_ENCRYPTION)


def encryption_of(url: str) -> dict[str, Any]:
    """Return the driver's arguments for the TLS that a URL asks for in libpq's words.

    Raises EncryptionUnusable if one of its files cannot be read.
    """
    query = make_url(url).query
    given = {key: str(query[key]) for key in _ENCRYPTION if key in query}
    if not given:
        return {}
    trusts_system = given.get("sslrootcert") == _SYSTEM
    for name in _FILES[trusts_system:]:
        _require_readable(name, given.get(name))
    try:
        # The driver reads these parameters, with libpq's meaning, from a URL of its own.
        return {"ssl": _system_context(given)} if trusts_system else {"dsn": _own_url(given)}
    except ssl.SSLError as error:
        message = f"sslcert or sslkey of the database's URL: {error.reason}"
        raise EncryptionUnusable(message) from error


def _own_url(given: dict[str, str]) -> str:
    return f"postgresql://?{urlencode(given)}"


def _system_context(given: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if "sslcert" in given:
        context.load_cert_chain(given["sslcert"], given.get("sslkey"))
    return context


def _require_readable(name: str, file: str | None) -> None:
    if file is None:
        return
    try:
        Path(file).read_bytes()
    except OSError as error:
        message = f"{name} of the database's URL: {file} cannot be read: {error.strerror}"
        raise EncryptionUnusable(message) from error


def encryption_problem(error: BaseException) -> str | None:
    """Return what is wrong with the TLS of a connection; None if the error is not about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or "not trusted"
        return f"the database's certificate: {why}; check it, sslrootcert and the host's name"
    if isinstance(error, ssl.SSLError):
        return f"no TLS with the database: {error.reason or 'unknown cause'}"
    return None


_UNPREPARED = {"26000", "42P05"}
"""PostgreSQL's codes for a prepared statement that is not there, or there already."""

_POOLER_REFUSES = {"08P01", "08003"}
"""A pooler's own code, and the driver's for a connection that was closed."""

_CLOSED = "connection was closed in the middle of operation: "
_POOLER_SAYS: Final = (
    (
        re.compile(r"^unsupported startup parameter"),
        f"a connection pooler refuses the parameters of a session: {SET_POOLER}",
    ),
    (
        re.compile(r"^query_wait_timeout$"),
        "the connection pooler had no free connection to PostgreSQL: make its pool larger",
    ),
    (
        re.compile(r"^no more connections allowed"),
        "the connection pooler accepts no more clients: raise its max_client_conn",
    ),
    (
        re.compile(
            r"^(?:pgbouncer cannot connect to server|server login failed|server_login_retry)"
        ),
        "the connection pooler cannot connect to PostgreSQL: check its log",
    ),
)


def pooler_problem(state: str, message: str) -> str | None:
    """Return what an error says about a connection pooler; None if nothing."""
    if state in _UNPREPARED:
        return f"a connection pooler does not keep prepared statements: {SET_POOLER}"
    if state not in _POOLER_REFUSES:
        return None
    own = message.removeprefix(_CLOSED)
    return next((said for text, said in _POOLER_SAYS if text.search(own)), None)
