"""Makes the engines of a consumer's database, to PostgreSQL itself or through a pooler.

A pooler of transactions may give each of them another session of the server. So behind one no
statement is prepared by name, nothing is set for a session, and every transaction begins by setting
its own guards, which end with it.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from consumers.runtime.settings import ConsumerSettings

_READ_ONLY = "25006"
"""PostgreSQL's error code for a write in a read-only transaction."""

WHOLE_TRANSACTION = 3
"""Longest duration of a whole transaction, as a multiple of its longest idle time."""

KNOWS_TRANSACTION_TIMEOUT = 17
"""First version of PostgreSQL with `transaction_timeout`."""

_TRANSACTION_TIMEOUT = "transaction_timeout"

_UNPREPARED: Mapping[str, Any] = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    # asyncpg 0.30 gives a name without this, even if it caches nothing.
    "prepared_statement_name_func": lambda: "",
}
"""Arguments of the driver, and of SQLAlchemy's part of it, by which no statement has a name.

The driver then uses PostgreSQL's unnamed statement, and sends it again whenever it executes it.
"""

_GUARD = (
    "SELECT set_config(name, value, true)"
    " FROM unnest($1::text[], $2::text[]) AS guards (name, value)"
)


_FILES: Final = ("sslrootcert", "sslcert", "sslkey")
_ENCRYPTION: Final = ("sslmode", *_FILES)
_SYSTEM: Final = "system"
"""libpq's word for the certificates that this machine trusts."""


@dataclass(frozen=True)
class _Wanted:
    """Options of an engine."""

    guards: Mapping[str, str]
    """Parameters of the server that limit a transaction."""
    session: Mapping[str, str] = field(default_factory=dict)
    """Other parameters of a session, which a pooler sets itself."""
    driver: Mapping[str, Any] = field(default_factory=dict)
    pool: Mapping[str, Any] = field(default_factory=dict)


def open_engine(settings: ConsumerSettings, purpose: str | None = None) -> AsyncEngine:
    """Make the engine of a consumer process; connects on first use.

    A frozen process must not hold its locks forever: the server ends a
    transaction that idles longer than the configured time, or lasts longer
    than a few times that, and TCP keepalives end the connection of a machine
    that has disappeared. The server ends a statement before the driver's time-out,
    so that the error names the cause.
    """
    idle = int(settings.tuning.transaction_timeout_seconds * 1000)
    guards = {
        "application_name": _label(settings, purpose),
        "idle_in_transaction_session_timeout": str(idle),
        "lock_timeout": str(idle // 2),
        "statement_timeout": str(idle),
        # None of the others applies while the server waits for the rest of a statement
        # from a frozen process.
        _TRANSACTION_TIMEOUT: str(idle * WHOLE_TRANSACTION),
    }
    keepalive = {
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
    }
    limits = {"timeout": min(10, idle / 1000), "command_timeout": idle / 1000 * 1.5}
    pool = {
        "pool_size": 4,
        "max_overflow": 4,
        "pool_pre_ping": True,
        "pool_timeout": idle / 1000,
    }
    engine = _engine(settings, _Wanted(guards, keepalive, limits, pool))
    _end_read_only_sessions(engine)
    return engine


def open_upgrade_engine(settings: ConsumerSettings) -> AsyncEngine:
    """Make an engine for migrations, which may wait and run without a time-out."""
    return open_patient_engine(settings, "upgrade")


def open_patient_engine(settings: ConsumerSettings, purpose: str = "command") -> AsyncEngine:
    """Make an engine whose statements have no time-out."""
    wanted = _Wanted(
        {"application_name": _label(settings, purpose)},
        driver={"timeout": 10},
        pool={"pool_size": 1, "max_overflow": 0},
    )
    return _engine(settings, wanted)


def _label(settings: ConsumerSettings, purpose: str | None) -> str:
    return ".".join(filter(None, ("payrouter", settings.name, purpose)))


def _engine(settings: ConsumerSettings, wanted: _Wanted) -> AsyncEngine:
    if settings.pooled:
        own = {**wanted.driver, **_UNPREPARED}
    else:
        # A server that does not know `transaction_timeout` would refuse the connection.
        known = {k: v for k, v in wanted.guards.items() if k != _TRANSACTION_TIMEOUT}
        own = {**wanted.driver, "server_settings": {**known, **wanted.session}}
    url = bare_url(settings.database_url.get_secret_value())
    engine = create_async_engine(url, hide_parameters=True, connect_args=own, **wanted.pool)
    _connect_with_current(engine, settings, own)
    if settings.pooled:
        _guard_transactions(engine, wanted.guards)
    else:
        _refuse_pooler(engine)
        _end_long_transactions(engine, wanted.guards)
    return engine


def _connect_with_current(
    engine: AsyncEngine, settings: ConsumerSettings, own: Mapping[str, Any]
) -> None:
    """Make an engine connect with the current URL and the current files that it names.

    Its password may have been rotated, or its certificates renewed.
    """
    given = settings.database_url.get_secret_value()
    url_now = settings.database_url_now or (lambda: given)

    @event.listens_for(engine.sync_engine, "do_connect")
    def renew(dialect: Any, _record: object, _args: object, options: dict[str, Any]) -> None:  # noqa: ANN401 - SQLAlchemy's
        url = url_now()
        _, current = dialect.create_connect_args(bare_url(url))
        options.update({**current, **encryption_of(url), **own})


def _guard_transactions(engine: AsyncEngine, guards: Mapping[str, str]) -> None:
    """Make every transaction begin by limiting itself."""
    new = {name: value for name, value in guards.items() if name != _TRANSACTION_TIMEOUT}

    @event.listens_for(engine.sync_engine, "begin")
    def limit(connection: Connection) -> None:
        known = guards if _knows_transaction_timeout(connection.connection) else new
        connection.exec_driver_sql(_GUARD, (list(known), list(known.values())))


def _end_long_transactions(engine: AsyncEngine, guards: Mapping[str, str]) -> None:
    """Make the server limit the duration of every transaction of a session."""
    milliseconds = guards.get(_TRANSACTION_TIMEOUT)

    @event.listens_for(engine.sync_engine, "connect")
    def bound(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
        if milliseconds and _knows_transaction_timeout(connection):
            statement = f"SET transaction_timeout = {milliseconds}"
            connection.run_async(lambda driver: driver.execute(statement))


def _knows_transaction_timeout(connection: Any) -> bool:  # noqa: ANN401 - SQLAlchemy's adapter
    version: int = connection.driver_connection.get_server_version().major
    return version >= KNOWS_TRANSACTION_TIMEOUT


def _refuse_pooler(engine: AsyncEngine) -> None:
    """Refuse a connection that does not end at the server.

    Behind a pooler, the guards of the session may be ignored, or belong to another client.
    """

    @event.listens_for(engine.sync_engine, "connect")
    def compare(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
        if connection.run_async(_is_another_session):
            from consumers.runtime.store.connection_problems import (  # noqa: PLC0415 - rarely needed
                PoolerNotSet,
            )

            connection.driver_connection.terminate()
            raise PoolerNotSet


async def has_pooler(connection: AsyncConnection) -> bool:
    """Return whether a connection ends at a pooler: its session has another process."""
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    return await _is_another_session(driver)


async def _is_another_session(driver: Any) -> bool:  # noqa: ANN401 - asyncpg has no types
    process: int = await driver.fetchval("SELECT pg_backend_pid()")
    known: int = driver.get_server_pid()
    return process != known


def _end_read_only_sessions(engine: AsyncEngine) -> None:
    """Replace connections as soon as the server refuses a write on one.

    A session that began while the database was read-only, like a standby,
    may stay read-only after the database accepts writes again.
    """

    @event.listens_for(engine.sync_engine, "handle_error")
    def replace(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
            context.is_disconnect = True


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
        # The driver reads these parameters, with libpq's meaning, from a separate URL.
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
