"""The page Deliveries over HTTP, on real Kafka: list, one delivery, its verification."""

import csv
import io
import json

from tests.parts.console.browsing import ConsoleBrowser, PageShown
from tests.parts.console.serving import ServedConsole
from tests.parts.console.stored_deliveries import (
    DeliveryTopics,
    accepted,
    genuine,
    quarantined,
    refused,
)
from tests.parts.edge.edge_server import SECRET, TOKEN


def person(console: ServedConsole, name: str) -> ConsoleBrowser:
    return console.browser(**{"x-person": name})


async def opened(console: ServedConsole, path: str, name: str = "ana") -> PageShown:
    return await person(console, name).get(path)


async def test_the_list_as_page_rows_csv_and_json(
    console: ServedConsole, stored: DeliveryTopics
) -> None:
    await stored.store(accepted(1, reference="=1+1"), 1)
    await stored.store(quarantined(2), 2)
    await stored.store(refused(3, account="shop-us"), 3)

    page = await opened(console, "/deliveries")
    rows = await opened(console, "/deliveries.rows?outcome=quarantined")
    table = await opened(console, "/deliveries.csv")
    listed = json.loads((await opened(console, "/deliveries.json?outcome=accepted")).text)
    own = await opened(console, "/deliveries.csv", "eva")

    assert page.status == 200
    assert 'href="/deliveries/quarantine/0/0"' in page.text
    assert 'hx-get="/deliveries.rows"' in page.text
    assert "payrouter quarantine list\npayrouter refused list" in page.text
    assert "unknown_status" in rows.text
    assert "signature_wrong" not in rows.text
    cells = list(csv.DictReader(io.StringIO(table.text)))
    assert [each["outcome"] for each in cells] == ["refused", "quarantined", "accepted"]
    assert cells[2]["reference"] == "'=1+1"
    assert [each["reference"] for each in listed] == ["=1+1"]
    assert [each["outcome"] for each in csv.DictReader(io.StringIO(own.text))] == ["refused"]


async def test_pages_follow_each_other_by_links(
    console: ServedConsole, stored: DeliveryTopics
) -> None:
    for number in range(1, 61):
        await stored.store(accepted(number), number)

    first = await opened(console, "/deliveries?outcome=accepted")
    link = first.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    second = await opened(console, link)

    assert (first.text.count("<tr>"), second.text.count("<tr>")) == (51, 11)
    assert 'rel="next"' not in second.text
    assert "hx-get" not in second.text


async def test_wrong_filters_and_places_are_refused(
    console: ServedConsole, stored: DeliveryTopics
) -> None:
    await stored.store(refused(1), 1)
    for query in ("outcome=lost", "since=yesterday", "until=2026-13-01", "after=1;DROP", "after=_"):
        assert (await opened(console, f"/deliveries?{query}")).status == 400
    for path in ("refused/0/1", "refused/99/0", "order/0/0", "..%2f/0/0", "refused/0/-1", "x/y/z"):
        assert (await opened(console, f"/deliveries/{path}")).status == 404


async def test_a_genuine_delivery_is_explained_step_by_step(
    console: ServedConsole, stored: DeliveryTopics
) -> None:
    await stored.store(genuine(), 1)

    page = await opened(console, "/deliveries/quarantine/0/0")
    masked = await opened(console, "/deliveries/quarantine/0/0", "sam")

    assert "The edge would accept this request." in page.text
    assert "valid: blockatm-v2-raw" in page.text
    assert "CustNo_7" in page.text
    assert "/deliveries/do/replay?id=" in page.text
    assert "The edge would accept this request." in masked.text
    assert "CustNo_7" not in masked.text
    assert "/deliveries/do/replay" not in masked.text
    for shown in (page, masked):
        assert SECRET not in shown.text
        assert TOKEN not in shown.text


async def test_a_refused_delivery_shows_which_step_failed(
    console: ServedConsole, stored: DeliveryTopics
) -> None:
    await stored.store(refused(1, detail="<script>alert(1)</script>"), 1)

    page = await opened(console, "/deliveries/refused/0/0")

    assert "The edge would not accept this request." in page.text
    assert "It is not proved who sent this." in page.text
    assert "header blockatm-signature-v2" in page.text
    assert "<script>alert" not in page.text
    assert "payrouter verify blockatm --refused" in page.text


async def test_an_accepted_delivery_shows_its_event_and_masks_its_payer(
    console: ServedConsole, stored: DeliveryTopics
) -> None:
    payer = {"from_address": "0xa9e358e33a57", "customer": {"email": "ann@example.com"}}
    await stored.store(accepted(1, raw=genuine().raw.model_dump(), **payer), 1)

    page = await opened(console, "/deliveries/payment/0/0")
    masked = await opened(console, "/deliveries/payment/0/0", "sam")

    for text in ("2000.00 USDT", "0xa9e358e33a57", "ann@example.com", "CustNo_7"):
        assert text in page.text
    for text in ("0xa9e358e33a57", "ann@", "CustNo_7"):
        assert text not in masked.text
    assert "a•••@example.com" in masked.text
    assert "payrouter trace 00000000-0000-0000-0000-000000000001" in page.text


async def test_another_account_cannot_open_a_delivery(
    console: ServedConsole, stored: DeliveryTopics
) -> None:
    await stored.store(refused(1), 1)
    await stored.store(accepted(2), 2)

    for path in ("/deliveries/refused/0/0", "/deliveries/payment/0/0"):
        theirs, missing = (
            await opened(console, path, "eva"),
            await opened(console, f"{path}0", "eva"),
        )
        assert theirs.status == missing.status == 404
        assert (await opened(console, path)).status == 200
