"""Orders and messages over HTTP: details, personal data, and sending messages again."""

import pytest

from tests.parts.console.kept_books import CUSTOMER, PAYER, KeptBooks, message_ids

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_order_shows_state_payment_movements_and_steps(books: KeptBooks) -> None:
    page = await books.get("/books/order?account=shop-eu&order=A-1")
    assert page.status == 200, page.text
    for word in ("sold", "payment of A-1", "tea", "30 USDT", "committed", "payrouter trace A-1"):
        assert word in page.text


async def test_an_order_that_was_never_paid_or_decided_is_shown(books: KeptBooks) -> None:
    page = await books.get("/books/order?account=shop-us&order=A-2", "uli")
    assert page.status == 200, page.text
    assert "No one has decided" in page.text


@pytest.mark.parametrize("query", ["account=shop-eu&order=A-1", "account=shop-us&order=A-9", ""])
async def test_an_order_of_another_account_looks_like_a_missing_one(
    books: KeptBooks, query: str
) -> None:
    assert (await books.get(f"/books/order?{query}", "uli")).status == 404


async def test_a_message_shows_its_text_as_it_would_be_sent(books: KeptBooks) -> None:
    (number,) = await message_ids(books, "?channel=mail&order=A-1")
    page = await books.get(f"/books/message/{number}")
    for word in ("A-1", CUSTOMER, "550 no mailbox", f"payrouter notifications show {number}"):
        assert word in page.text


async def test_personal_data_is_masked_in_every_form(books: KeptBooks) -> None:
    (number,) = await message_ids(books, "?channel=mail&order=A-1")
    for path in ("messages", "messages.csv", "messages.json", f"message/{number}"):
        shown = await books.get(f"/books/{path}", "sam")
        assert shown.status == 200
        assert CUSTOMER not in shown.text
        assert PAYER not in shown.text
        assert "c•••@example.com" in shown.text


async def test_a_message_of_another_account_looks_like_a_missing_one(books: KeptBooks) -> None:
    (number,) = await message_ids(books, "?channel=mail&order=A-1")
    for path in (number, "x", number[::-1].replace("-", "")):
        assert (await books.get(f"/books/message/{path}", "uli")).status == 404


@pytest.mark.parametrize("query", ["", "?state=sent", "?id=x", "?channel=mail"])
async def test_a_resend_without_a_choice_is_refused(books: KeptBooks, query: str) -> None:
    assert (await books.get(f"/books/do/resend{query}")).status == 400
