"""Names what is wrong with a connection to PostgreSQL, and the remedy."""

import re
import ssl
from typing import Final

SET_POOLER: Final = 'set `pooler = "transaction"` next to the URL of the database'


class PoolerNotSet(ConnectionError):  # noqa: N818 - named for what it is
    """A pooler is between this process and PostgreSQL, but the configuration has none."""

    def __init__(self) -> None:
        """Give the remedy."""
        super().__init__(
            f"a connection pooler is between this process and PostgreSQL: {SET_POOLER}"
        )


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
    """Return the problem with a connection pooler that an error is about; None if there is none."""
    if state in _UNPREPARED:
        return f"a connection pooler does not keep prepared statements: {SET_POOLER}"
    if state not in _POOLER_REFUSES:
        return None
    own = message.removeprefix(_CLOSED)
    return next((said for text, said in _POOLER_SAYS if text.search(own)), None)
