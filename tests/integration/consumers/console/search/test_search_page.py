"""The page Search over HTTP, on real Kafka and PostgreSQL."""

from uuid import UUID

from consumers.ledger.handler import handle as handle_books
from consumers.ledger.service import SERVICE as LEDGER
from consumers.notifications.tables import CUSTOMER
from tests.parts.console.browsing import ConsoleBrowser, PageShown
from tests.parts.console.consumer_stores import ConsumerStores
from tests.parts.console.serving import ServedConsole
from tests.parts.console.stored_deliveries import DeliveryTopics, quarantined, refused
from tests.parts.contract.events import event
from tests.parts.inventory.shop import Shop

TX = "0x7614a9840d9422feaef4671e0ee98dd7092ebcba6e41076285f99d0b2b0de5fe"


def person(console: ServedConsole, name: str, language: str = "en") -> ConsoleBrowser:
    return console.browser(**{"x-person": name, "accept-language": language})


async def found(console: ServedConsole, text: str, name: str = "ana") -> PageShown:
    return await person(console, name).get(f"/search?q={text}")


async def test_a_paid_order_is_shown_from_delivery_to_books(
    console: ServedConsole, stores: ConsumerStores
) -> None:
    await stores.applied(LEDGER, handle_books, event(tx_hash=TX, network="Ethereum"))
    await Shop(stores.engines["inventory"]).apply(event(tx_hash=TX, network="Ethereum"))

    for text in ("A-1", TX):
        page = await found(console, text)

        assert page.status == 200
        assert "payment.confirmed 2000.00 USDT, in the books, last as transaction 1." in page.text
        assert "shop-eu:blockatm:payments -2000.00 USDT" in page.text
        assert f"payrouter trace {text}" in page.text


async def test_german_people_read_german(console: ServedConsole, stores: ConsumerStores) -> None:
    await stores.applied(LEDGER, handle_books, event())

    page = await person(console, "ana", "de").get("/search?q=A-1")

    assert '<html lang="de">' in page.text
    assert "in den Büchern, zuletzt als Transaktion 1." in page.text


async def test_another_account_finds_nothing_of_it(
    console: ServedConsole, stores: ConsumerStores, stored: DeliveryTopics
) -> None:
    await stores.applied(LEDGER, handle_books, event())
    await stored.store(quarantined(1), 1)
    await stored.store(refused(2), 2)

    assert "Nothing was found" not in (await found(console, "A-1")).text
    missing = _bare(await found(console, "A-7", "eva"))
    for text in ("A-1", str(event().id), str(UUID(int=1)), str(UUID(int=2))):
        assert _bare(await found(console, text, "eva")) == missing
    assert "Nothing was found" in missing


def _bare(page: PageShown) -> str:
    """Return the part of a page that does not repeat what was searched for."""
    return page.text[page.text.index("</form>") : page.text.index('<section class="command"')]


async def test_the_step_of_a_quarantined_delivery_is_a_button_for_who_may_replay_it(
    console: ServedConsole, stored: DeliveryTopics
) -> None:
    await stored.store(quarantined(1), 1, partition=2)

    operator, viewer = await found(console, "A-1"), await found(console, "A-1", "sam")

    assert "is quarantined without effect (unknown_status)" in operator.text
    replay = f"/deliveries/do/replay?id={UUID(int=1)}"
    assert f'<a class="button" href="{replay}">' in operator.text
    assert replay not in viewer.text
    assert '<a class="button" href="/deliveries/quarantine/2/0">' in viewer.text


async def test_the_step_of_a_refused_delivery_explains_it(
    console: ServedConsole, stored: DeliveryTopics
) -> None:
    await stored.store(refused(2), 1)

    page = await found(console, "A-1")

    assert "A delivery of shop was refused (signature_wrong)." in page.text
    assert '<a class="button" href="/deliveries/refused/0/0">' in page.text


async def test_an_order_of_two_merchants_can_be_chosen(
    console: ServedConsole, stores: ConsumerStores
) -> None:
    theirs = event(id=UUID(int=9), account="shop-us")
    await stores.applied(LEDGER, handle_books, event(), theirs)

    both = await found(console, "A-1")
    one = await person(console, "ana").get("/search?q=A-1&account=shop-us")

    assert "/search?q=A-1&amp;account=shop-us" in both.text
    assert "shop-eu:blockatm:payments" in both.text
    assert "shop-us:blockatm:payments" in one.text
    assert "shop-eu:blockatm:payments" not in one.text
    assert "payrouter trace A-1 --account shop-us" in one.text


async def test_orders_of_a_customer_are_for_who_may_see_customers(
    console: ServedConsole, stores: ConsumerStores
) -> None:
    await _customer(stores, "shop-eu", "A-1", "ann@example.com")
    await _customer(stores, "shop-us", "B-1", "ann@example.com")

    everything = await found(console, "ANN@example.com")
    own = await found(console, "ann@example.com", "eva")
    masked = await found(console, "ann@example.com", "sam")

    assert "/search?q=A-1&amp;account=shop-eu" in everything.text
    assert "/search?q=B-1&amp;account=shop-us" in everything.text
    assert "/search?q=B-1" in own.text
    assert "A-1" not in own.text
    assert "Only people who may see" in masked.text
    assert "A-1" not in masked.text


async def _customer(stores: ConsumerStores, account: str, reference: str, email: str) -> None:
    async with stores.engines["notifications"].begin() as transaction:
        row = {"account": account, "reference": reference, "email": email}
        await transaction.execute(CUSTOMER.insert().values(row))


async def test_an_address_leads_to_its_payment(
    console: ServedConsole, stores: ConsumerStores
) -> None:
    address = "0x2d7ff2dc166ae09542c749be052028e43825cde7"
    await Shop(stores.engines["inventory"]).apply(event(to_address=address, reference=None))

    page = await found(console, address)
    theirs = await found(console, address, "eva")

    assert "/search?q=8210003616&amp;account=shop-eu" in page.text
    assert "Nothing was found" in theirs.text


async def test_hostile_texts_are_shown_as_text(console: ServedConsole) -> None:
    for text in ("%3Cscript%3Ealert(1)%3C%2Fscript%3E", "%27%3B%20DROP%20TABLE%20x", "..%2F..%2F"):
        page = await found(console, text)
        assert page.status == 200
        assert "<script>alert" not in page.text
    for text in ("x" * 321, "%00", "%1b%5b2J"):
        assert (await found(console, text)).status == 400


async def test_the_page_without_a_text_has_the_box_only(console: ServedConsole) -> None:
    page = await person(console, "sam").get("/search")

    assert page.status == 200
    assert '<input id="q" name="q"' in page.text
    assert "Nothing was found" not in page.text
