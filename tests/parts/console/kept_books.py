"""Databases of ledger, inventory and notifications with a few facts, and a console for them."""

import contextlib
import csv
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from consumers.inventory.service import SERVICE as INVENTORY
from consumers.ledger.service import SERVICE as LEDGER
from consumers.notifications.service import SERVICE as NOTIFICATIONS
from tests.parts.console.browsing import PageShown
from tests.parts.console.serving import ServedConsole, served_console
from tests.parts.inventory.shop import MOMENT, Shop, ordered, paid
from tests.parts.ledger.bookkeeping import applied as booked
from tests.parts.ledger.told import told as reported
from tests.parts.notifications import desk
from tests.parts.templates import Templates

PERSON = "x-person"
"""The header in which the proxy of the tests names the person."""

CUSTOMER = "carla@example.com"
PAYER = "0xPAYER"

MANY, PAYMENTS = "shop-many", 103
"""An account with so many payments that its statement has several pages."""

_PEOPLE = f"""
[console]
actions = true
proxy_header = "{PERSON}"
trusted_proxies = ["127.0.0.1"]

[console.users.ana]
roles = {{ "*" = "operator" }}
personal = true

[console.users.sam]
roles = {{ "*" = "viewer" }}

[console.users.uli]
roles = {{ "shop-us" = "operator" }}
personal = true

[endpoints.shop]
provider = "resmic"
account = "shop-eu"
secrets = ["0123456789abcdef0123456789abcdef"]
"""
"""An operator and a viewer of every account, and an operator of another account."""

_MESSAGES = desk.options(
    [desk.rule("payment.*", "on-call", "hook"), desk.rule("payment.*", "customer", "mail")]
)


@dataclass(frozen=True)
class KeptBooks:
    """The databases, by consumer, and the console."""

    engines: Mapping[str, AsyncEngine]
    console: ServedConsole

    async def get(self, path: str, person: str = "ana") -> PageShown:
        """Load a page as someone."""
        return await self.console.browser().get(path, {PERSON: person})


@contextlib.asynccontextmanager
async def kept_books(folder: Path, templates: Templates) -> AsyncIterator[KeptBooks]:
    """Give the databases with orders A-1 and A-2 of two merchants, and a console that reads them.

    A-1 of shop-eu is paid in January 2026, and its customer's message failed.
    """
    services = (LEDGER, INVENTORY, NOTIFICATIONS)
    with ExitStack() as stack:
        urls = {each.name: stack.enter_context(templates.copied(each)) for each in services}
        engines = {name: create_async_engine(url, poolclass=NullPool) for name, url in urls.items()}
        await _fill(engines)
        databases = "".join(
            f'[consumers.{name}.database]\nurl = "{url}"\n' for name, url in urls.items()
        )
        settings = f"{_PEOPLE}\n{databases}"
        async with served_console(folder, settings) as console:
            yield KeptBooks(engines, console)
        for engine in engines.values():
            await engine.dispose()


async def _fill(engines: Mapping[str, AsyncEngine]) -> None:
    await _fill_ledger(engines["ledger"])
    shop = Shop(engines["inventory"])
    for account in ("shop-eu", "shop-us"):
        await shop.set("tea", 5, account=account)
    await shop.each(ordered(1), paid(), ordered(2, account="shop-us"))
    await shop.apply(paid(reference="W-1", provider_reference="P-W"))
    await _fill_notifications(engines["notifications"])


async def _fill_ledger(ledger: AsyncEngine) -> None:
    events = [
        reported(
            "payment.confirmed",
            amount,
            payment=f"P-{account}-{day}",
            account=account,
            reference=reference,
            received_at=MOMENT + timedelta(days=day),
            fee="0.00000001",
            fee_currency="USDT",
            from_address=PAYER,
        )
        for account, reference, amount, day in (
            ("shop-eu", "A-1", "30", 0),
            ("shop-us", "A-2", "70", 1),
            ("shop-eu", "=A-3", "500", 40),
        )
    ]
    for event in events:
        await booked(ledger, event)
    many = [
        reported("payment.confirmed", "1", payment=f"M-{n}", account=MANY) for n in range(PAYMENTS)
    ]
    await booked(ledger, *many)


async def _fill_notifications(engine: AsyncEngine) -> None:
    for account, reference in (("shop-eu", "A-1"), ("shop-us", "A-2")):
        event = desk.told(
            "payment.confirmed",
            account=account,
            reference=reference,
            provider_reference=f"P-{reference}",
            from_address=PAYER,
            customer={"email": CUSTOMER},
        )
        await desk.applied(engine, _MESSAGES, event)
    await desk.run(
        engine,
        "UPDATE notifications.message SET state = 'failed', failed_at = now(),"
        f" last_error = '550 no mailbox {CUSTOMER}' WHERE channel = 'mail'",
    )


async def message_ids(books: KeptBooks, query: str) -> list[str]:
    """Return the ids of the messages that a list shows."""
    shown = await books.get(f"/books/messages.csv{query}")
    return [row["message"] for row in csv.DictReader(StringIO(shown.text))]
