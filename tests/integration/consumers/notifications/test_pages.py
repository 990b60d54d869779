"""Pages of messages: together they are the whole list, whatever is selected."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.notifications.reading import (
    MessageFilter,
    MessageRow,
    list_messages,
)
from consumers.notifications.sending.preview import HIDDEN, preview_of
from consumers.notifications.sending.resending import resend_recorded
from consumers.notifications.tables import SCHEMA
from consumers.runtime.commands.actions.held_admin import list_operations
from consumers.runtime.store.tables import RuntimeTables
from tests.parts.notifications.desk import applied, options, rule, run, told

RULES = options([rule(["payment.*"], "on-call", "hook"), rule("payment.*", "customer", "log")])

FILTERS = {
    "everything": MessageFilter(),
    "a channel": MessageFilter(channel="hook"),
    "a kind": MessageFilter(kind="payment.refunded"),
    "a state": MessageFilter(state="failed"),
    "a merchant": MessageFilter(account="shop-us"),
    "allowed merchants": MessageFilter(merchants=frozenset({"shop-us"})),
    "no merchant": MessageFilter(merchants=frozenset()),
    "an order": MessageFilter(order="A-3"),
    "an order of another merchant": MessageFilter(order="A-3", merchants=frozenset({"shop-zz"})),
}


async def fill(desk: AsyncEngine) -> None:
    """Create messages of two merchants; every third failed."""
    events = [
        told(
            ("payment.confirmed", "payment.refunded")[number % 2],
            reference=f"A-{number}",
            provider_reference=f"P-{number}",
            account=("shop-eu", "shop-us")[number % 2],
            from_address="0xPAYER",
        )
        for number in range(12)
    ]
    # In one transaction, so that all rows have the same time.
    await applied(desk, RULES, *events)
    await run(
        desk,
        "UPDATE notifications.message SET state = 'failed', failed_at = now()"
        " WHERE event_id IN (SELECT event_id FROM notifications.change"
        " WHERE reference IN ('A-0', 'A-3', 'A-6'))",
    )


async def pages(
    connection: AsyncConnection, wanted: MessageFilter, size: int
) -> Sequence[MessageRow]:
    """Return the messages of all pages, newest first."""
    found: list[MessageRow] = []
    after = None
    while page := await list_messages(connection, replace(wanted, limit=size, after=after)):
        assert after is None or page[-1].place < after
        found += page[::-1]
        after = page[0].place
    return found


def is_wanted(row: MessageRow, wanted: MessageFilter) -> bool:
    """Return whether a message matches a filter, in the plainest way."""
    return (
        wanted.channel in {None, row.channel}
        and wanted.kind in {None, row.kind}
        and wanted.state in {None, row.state}
        and wanted.account in {None, row.account}
        and wanted.order in {None, row.order}
        and (wanted.merchants is None or row.account in wanted.merchants)
    )


@pytest.mark.parametrize("name", FILTERS)
async def test_pages_of_any_size_are_the_selection(desk: AsyncEngine, name: str) -> None:
    await fill(desk)
    wanted = FILTERS[name]
    async with desk.connect() as connection:
        every = await list_messages(connection, MessageFilter(limit=1000))
        assert len(every) == 24
        expected = [each for each in reversed(every) if is_wanted(each, wanted)]
        for size in (1, 5, 50):
            assert await pages(connection, wanted, size) == expected


async def test_a_resend_by_filter_changes_and_records_what_was_chosen(desk: AsyncEngine) -> None:
    await fill(desk)
    wanted = MessageFilter(channel="hook", resendable=True, limit=1000)
    async with desk.begin() as transaction:
        chosen = [row.id for row in await list_messages(transaction, wanted)]
        assert len(chosen) == 3
        about = {"reason": "the receiver is back"}
        assert set(await resend_recorded(transaction, chosen, "ann", about)) == set(chosen)
        (operation,) = await list_operations(transaction, RuntimeTables.of(SCHEMA))
        assert not await list_messages(transaction, replace(wanted, ids=tuple(chosen)))
    assert (operation.who, operation.what) == ("ann", "notifications resend")
    assert all(word in operation.detail for word in ("the receiver is back", str(chosen[0])))


async def test_hidden_facts_are_not_in_a_preview(desk: AsyncEngine) -> None:
    await fill(desk)
    async with desk.connect() as connection:
        (row,) = await list_messages(connection, MessageFilter(order="A-1", channel="hook"))
    shown, masked = preview_of(RULES, row), preview_of(RULES, row, {"order", "reference"})
    assert "A-1" in shown.subject + shown.body
    assert "A-1" not in masked.subject + masked.body
    assert HIDDEN in masked.subject + masked.body
