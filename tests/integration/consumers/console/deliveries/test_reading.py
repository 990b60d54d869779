"""Deliveries are read from the ends of the topics backwards, page by page, each once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from consumers.console.pages.deliveries.bounds import BoundsMalformed
from consumers.console.pages.deliveries.one import read_delivery
from consumers.console.pages.deliveries.reading import (
    BUDGET,
    DeliveryFilter,
    DeliveryPage,
    read_deliveries,
)
from consumers.console.pages.deliveries.seen import DeliveryOutcome, RecordPlace, SeenDelivery
from router.contract.topics import Topics
from tests.parts.brokers import Broker
from tests.parts.connections import connection_to
from tests.parts.console.stored_deliveries import (
    DeliveryTopics,
    accepted,
    delivery_topics,
    quarantined,
    refused,
    replay_of,
)

ALL = DeliveryFilter()


@pytest.fixture
async def stored(broker: Broker, topics_prefix: str) -> AsyncIterator[DeliveryTopics]:
    """Yield topics without a record."""
    async with delivery_topics(broker, topics_prefix) as topics:
        yield topics


async def page_of(
    stored: DeliveryTopics,
    wanted: DeliveryFilter = ALL,
    after: str | None = None,
    limit: int = 50,
    budget: int = BUDGET,
) -> DeliveryPage:
    kafka = connection_to(stored.broker.bootstrap)
    return await read_deliveries(kafka, stored.topics, wanted, after, limit, budget)


async def walked(
    stored: DeliveryTopics, wanted: DeliveryFilter, limit: int, budget: int = BUDGET
) -> list[DeliveryPage]:
    pages = [await page_of(stored, wanted, None, limit, budget)]
    while (after := pages[-1].after) is not None:
        pages.append(await page_of(stored, wanted, after, limit, budget))
        assert len(pages) < 100
    return pages


def numbers(rows: list[SeenDelivery] | DeliveryPage) -> list[int]:
    return [each.id.int for each in (rows.rows if isinstance(rows, DeliveryPage) else rows)]


async def mixed(stored: DeliveryTopics, count: int) -> None:
    """Store deliveries of all outcomes, the number of each being its second."""
    for number in range(1, count + 1):
        make = (accepted, quarantined, accepted, refused)[number % 4]
        await stored.store(make(number), number, partition=number % 3)


async def test_pages_are_newest_first_and_show_each_delivery_once(stored: DeliveryTopics) -> None:
    await mixed(stored, 23)

    pages = await walked(stored, ALL, limit=5)

    assert [number for page in pages for number in numbers(page)] == list(range(23, 0, -1))
    assert [len(page.rows) for page in pages] == [5, 5, 5, 5, 3]
    assert all(page.whole for page in pages)


async def test_times_out_of_order_lose_and_repeat_nothing(stored: DeliveryTopics) -> None:
    for number, second in enumerate((5, 1, 9, 3, 3, 7, 2), start=1):
        await stored.store(accepted(number), second, partition=number % 2)

    pages = await walked(stored, ALL, limit=2)

    assert sorted(number for page in pages for number in numbers(page)) == list(range(1, 8))


async def test_each_row_has_its_outcome_its_reason_and_its_place(stored: DeliveryTopics) -> None:
    await stored.store(accepted(1), 1)
    await stored.store(quarantined(2), 2)
    await stored.store(refused(3), 3)

    third, second, first = (await page_of(stored)).rows

    assert (first.outcome, first.reason, first.reference) == (
        DeliveryOutcome.ACCEPTED,
        "payment.confirmed",
        "A-1",
    )
    assert (second.outcome, second.reason) == (DeliveryOutcome.QUARANTINED, "unknown_status")
    assert second.detail == "status: expected PENDING, SUCCESS"
    assert (third.outcome, third.source) == (DeliveryOutcome.REFUSED, "203.0.113.7")
    assert str(third.place) == f"{stored.topics.refused}-0@0"


async def test_filters_are_about_what_a_row_shows(stored: DeliveryTopics) -> None:
    await stored.store(accepted(1, endpoint="other"), 1)
    await stored.store(quarantined(2, account="shop-us"), 2)
    await stored.store(refused(3, provider="resmic"), 3)
    await stored.store(quarantined(4, reason="stale"), 4)

    async def found(**wanted: object) -> list[int]:
        return numbers(await page_of(stored, DeliveryFilter(**wanted)))  # type: ignore[arg-type]

    assert await found(endpoint="other") == [1]
    assert await found(account="shop-us") == [2]
    assert await found(provider="resmic") == [3]
    assert await found(reason="stale") == [4]
    assert await found(outcome=DeliveryOutcome.QUARANTINED) == [4, 2]
    assert await found(since=stored.began + timedelta(seconds=3)) == [4, 3]
    assert await found(until=stored.began + timedelta(seconds=3)) == [2, 1]
    assert await found(accounts=frozenset({"shop-us"})) == [2]
    assert await found(accounts=frozenset()) == []


async def test_reading_stops_at_its_limit_and_continues_from_there(
    stored: DeliveryTopics,
) -> None:
    await stored.store(accepted(1, endpoint="rare"), 1)
    for number in range(2, 12):
        await stored.store(accepted(number), number)
    rare = DeliveryFilter(endpoint="rare")

    first = await page_of(stored, rare, limit=2, budget=4)

    assert (first.rows, first.whole) == ([], False)
    assert (first.read, first.reached) == (4, stored.began + timedelta(seconds=8))
    pages = await walked(stored, rare, limit=2, budget=4)
    assert [number for page in pages for number in numbers(page)] == [1]
    assert pages[-1].whole


async def test_a_replay_is_known_on_every_page(stored: DeliveryTopics) -> None:
    old = quarantined(1)
    await stored.store(old, 1)
    await stored.store(quarantined(2), 2)
    await stored.store(replay_of(old), 3)

    newest = await page_of(stored, limit=1)
    older = await page_of(stored, after=newest.after, limit=1)

    assert [(each.id.int, each.replayed) for each in newest.rows] == [(2, None)]
    assert [(each.id, each.replayed and each.replayed.by) for each in older.rows] == [
        (old.id, "ana")
    ]


async def test_missing_topics_are_named_and_the_others_read(
    broker: Broker, topics_prefix: str
) -> None:
    topics = Topics(topics_prefix)

    page = await read_deliveries(connection_to(broker.bootstrap), topics, ALL, None, 10)

    assert (page.rows, page.after) == ([], None)
    assert set(page.missing) == {*topics.events, topics.quarantine, topics.refused}


async def test_what_cannot_be_decoded_is_counted(stored: DeliveryTopics) -> None:
    await stored.producer.send_and_wait(stored.topics.refused, b"{", partition=0)
    await stored.store(accepted(1), 1)

    page = await page_of(stored)

    assert (numbers(page), page.unreadable) == ([1], 1)


@pytest.mark.parametrize(
    "after", ["", "0.0", "9.0.1", "0.0.-1", "0.0.1_", "x.0.1", "0.0." + "1" * 19]
)
async def test_a_forged_place_in_the_list_is_refused(stored: DeliveryTopics, after: str) -> None:
    with pytest.raises(BoundsMalformed, match="after: expected"):
        await page_of(stored, after=after)


async def test_one_delivery_is_read_by_its_place(stored: DeliveryTopics) -> None:
    old = quarantined(1)
    await stored.store(old, 1)
    await stored.store(replay_of(old), 2)
    kafka = connection_to(stored.broker.bootstrap)

    async def at(topic: str, offset: int, partition: int = 0) -> object:
        return await read_delivery(kafka, stored.topics, RecordPlace(topic, partition, offset))

    found = await read_delivery(kafka, stored.topics, RecordPlace(stored.topics.quarantine, 0, 0))

    assert found is not None
    assert (found.kept, found.notes_unread) == (old, False)
    assert found.row.replayed is not None
    # A note of a replay, offsets and partitions that do not exist, a topic of others.
    assert await at(stored.topics.quarantine, 1) is None
    assert await at(stored.topics.quarantine, 2) is None
    assert await at(stored.topics.quarantine, 0, partition=77) is None
    assert await at(stored.topics.order, 0) is None
    assert UUID(int=1) == found.row.id


async def test_every_delivery_of_a_partition_is_found_by_its_place(stored: DeliveryTopics) -> None:
    for number in range(1, 6):
        await stored.store(accepted(number), number)
    kafka = connection_to(stored.broker.bootstrap)

    places = [RecordPlace(stored.topics.name("payment"), 0, offset) for offset in range(5)]
    found = [await read_delivery(kafka, stored.topics, each) for each in places]

    assert [each and each.row.id.int for each in found] == [1, 2, 3, 4, 5]
