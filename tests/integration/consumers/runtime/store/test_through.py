"""Statements of the driver through SQLAlchemy: rows, errors, and the first that failed."""

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.store.database import first_failure, is_aborted, note_first_failures
from consumers.runtime.store.statements import ThroughSqlalchemy
from tests.parts.runtime.counting import effects_of, id_of

INSERT = "INSERT INTO counting.effect (event_id) SELECT unnest($1::uuid[])"


async def test_statements_are_part_of_the_transaction(counting: AsyncEngine) -> None:
    async with counting.connect() as connection, connection.begin() as transaction:
        driver = ThroughSqlalchemy(connection)
        assert await driver.fetch(INSERT, [id_of(1), id_of(2)]) == ()
        rows = await driver.fetch(f"{INSERT} RETURNING id, event_id", [id_of(3)])
        assert [tuple(row) for row in rows] == [(3, id_of(3))]
        ((number,),) = await driver.fetch("SELECT count(*) FROM counting.effect")
        assert number == 3
        await transaction.rollback()
    assert await effects_of(counting) == []


async def test_the_first_statement_that_fails_is_known(counting: AsyncEngine) -> None:
    note_first_failures(counting)
    async with counting.connect() as connection, connection.begin():
        driver = ThroughSqlalchemy(connection)
        with pytest.raises(DBAPIError, match="division by zero") as failed:
            await driver.fetch("SELECT 1 / $1::integer", 0)
        with pytest.raises(DBAPIError, match="aborted"):
            await driver.fetch("SELECT 1")
        assert first_failure(connection) is failed.value
        assert await is_aborted(connection)
