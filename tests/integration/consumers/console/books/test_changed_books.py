"""Messages that the console changes, and books that are wrong as the console shows them."""

from consumers.notifications.tables import SCHEMA
from consumers.runtime.commands.actions.held_admin import Operation, list_operations
from consumers.runtime.store.tables import RuntimeTables
from tests.parts.console.kept_books import PERSON, KeptBooks, message_ids


async def operations(books: KeptBooks) -> list[Operation]:
    """Return the records of operations."""
    async with books.engines["notifications"].connect() as connection:
        return list(await list_operations(connection, RuntimeTables.of(SCHEMA)))


async def test_balances_that_do_not_sum_to_zero_are_a_warning(own_books: KeptBooks) -> None:
    text = "do not sum to zero"
    assert text not in (await own_books.get("/books?account=shop-eu")).text
    async with own_books.engines["ledger"].begin() as transaction:
        await transaction.exec_driver_sql("UPDATE ledger.balance SET amount = amount + 1")
    assert text in (await own_books.get("/books?account=shop-eu")).text


async def test_all_that_failed_are_sent_again_after_a_count_and_a_reason(
    own_books: KeptBooks,
) -> None:
    browser = own_books.console.browser()
    headers = {PERSON: "ana"}
    preview = await browser.get("/books/do/resend?state=failed", headers)
    assert "2 entries" in preview.text
    sent = [*preview.hidden(), ("reason", "mail server was down")]
    done = await browser.post("/books/do/resend", sent, headers)
    assert (done.status, done.header("location")) == (303, "/books/messages")
    assert await message_ids(own_books, "?state=failed") == []
    (operation,) = await operations(own_books)
    assert (operation.who, operation.what) == ("ana (console)", "notifications resend")
    assert "mail server was down" in operation.detail


async def test_a_resend_needs_a_reason_a_role_and_the_account(own_books: KeptBooks) -> None:
    (other,) = await message_ids(own_books, "?channel=mail&order=A-1")
    assert (await own_books.get(f"/books/do/resend?id={other}", "sam")).status == 403
    preview = await own_books.get(f"/books/do/resend?id={other}", "uli")
    assert "0 entries" in preview.text
    browser, headers = own_books.console.browser(), {PERSON: "ana"}
    shown = await browser.get(f"/books/do/resend?id={other}", headers)
    assert (await browser.post("/books/do/resend", shown.hidden(), headers)).status == 400
    assert await operations(own_books) == []
    assert await message_ids(own_books, "?state=failed&order=A-1") == [other]
