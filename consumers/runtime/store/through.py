"""Statements of the driver, executed through SQLAlchemy in its transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection


class ThroughSqlalchemy:
    """A `Driver` for the general way and for commands, on a connection of SQLAlchemy.

    The statements are those of the driver itself. Their errors are SQLAlchemy's, and the first one
    is known to the runtime, which has to find out who is at fault.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        """Use this connection, and its transaction."""
        self._connection = connection

    async def fetch(self, query: str, *args: Any) -> Sequence[Any]:  # noqa: ANN401 - as `Driver`
        """Execute a statement and return its rows, without names of the columns."""
        done = await self._connection.exec_driver_sql(query, args)
        return done.all() if done.returns_rows else ()
