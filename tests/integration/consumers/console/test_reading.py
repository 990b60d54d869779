"""Pages read a real PostgreSQL: read-only, with a time-out, and its absence is a clear sentence."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from consumers.console.web.answers import Html, PageAnswer
from consumers.console.web.page import ConsolePage, PageRoute
from consumers.console.web.visit import ConsoleVisit
from tests.parts.console.serving import NO_DATABASE, served_console
from tests.parts.ledger.fixtures import ledger_url
from tests.parts.templates import templates

__all__ = ["ledger_url", "templates"]


def page(statement: str) -> ConsolePage:
    """Return a page that executes a statement."""

    async def show(visit: ConsoleVisit) -> PageAnswer:
        async with visit.reading("ledger") as connection:
            await connection.execute(text(statement))
        return Html("cases/none.html")

    return ConsolePage("cases", (PageRoute("", show),))


@pytest.fixture
def answer(tmp_path: Path) -> Callable[[str, str], Awaitable[tuple[int, str]]]:
    """Return a function for the answer of a page that executes a statement."""

    async def asked(configuration: str, statement: str) -> tuple[int, str]:
        async with served_console(tmp_path, configuration, [page(statement)]) as served:
            shown = await served.browser().get("/cases")
        return shown.status, shown.text

    return asked


def configured(url: str) -> str:
    return f'[database]\nurl = "{url}"\n[console]\nread_seconds = 0.3\n'


Answer = Callable[[str, str], Awaitable[tuple[int, str]]]


async def test_statement_that_takes_too_long_is_a_clear_sentence(
    ledger_url: str, answer: Answer
) -> None:
    status, shown = await answer(configured(ledger_url), "SELECT pg_sleep(20)")
    assert (status, "No answer within 0.3 seconds" in shown) == (503, True)


async def test_tables_that_are_missing_name_the_command(ledger_url: str, answer: Answer) -> None:
    status, shown = await answer(configured(ledger_url), "SELECT * FROM ledger.missing")
    assert (status, "payrouter db upgrade" in shown) == (503, True)


async def test_database_that_is_away_is_a_clear_sentence(answer: Answer) -> None:
    status, shown = await answer(NO_DATABASE, "SELECT 1")
    assert (status, "cannot read the database none on 127.0.0.1" in shown) == (503, True)


async def test_page_cannot_write(ledger_url: str, answer: Answer) -> None:
    status, shown = await answer(configured(ledger_url), "CREATE TABLE ledger.new (id int)")
    assert (status, "read-only transaction" in shown) == (503, True)
