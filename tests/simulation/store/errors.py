"""Errors of PostgreSQL as SQLAlchemy raises them, so that the real table of errors decides."""

from asyncpg import exceptions
from sqlalchemy.exc import DBAPIError

from consumers.runtime.store.database import StoreAway


def connection_lost() -> DBAPIError:
    """Return the error of a statement on a connection that has ended."""
    lost = exceptions.ConnectionDoesNotExistError("connection was closed")
    return DBAPIError("statement", {}, lost, connection_invalidated=True)


def refused(original: exceptions.PostgresError) -> DBAPIError:
    """Return the error of a statement that the server refuses."""
    return DBAPIError("statement", {}, original)


def deadlock() -> DBAPIError:
    """Return the error of the transaction that the server ends to resolve a deadlock."""
    return refused(exceptions.DeadlockDetectedError("deadlock detected"))


def read_only() -> DBAPIError:
    """Return the error of a write on a standby."""
    return refused(exceptions.ReadOnlySQLTransactionError("read-only transaction"))


def aborted() -> DBAPIError:
    """Return the error of a statement in a transaction in which an earlier one failed."""
    return refused(exceptions.InFailedSQLTransactionError("aborted"))


def check_violated() -> DBAPIError:
    """Return the error of a row that breaks a check constraint."""
    return refused(exceptions.CheckViolationError("check constraint"))


def shutting_down() -> DBAPIError:
    """Return the error of a server that is stopped by its administrator."""
    return refused(exceptions.AdminShutdownError("terminating connection"))


def disk_full() -> DBAPIError:
    """Return the error of a write that finds no room."""
    return refused(exceptions.DiskFullError("no space left"))


def missing_right() -> DBAPIError:
    """Return the error of a statement for which the role lacks a right."""
    return refused(exceptions.InsufficientPrivilegeError("permission denied for table fence"))


def away() -> StoreAway:
    """Return the error of a connection that cannot be opened."""
    error = StoreAway()
    error.__cause__ = ConnectionRefusedError("connection refused")
    return error
