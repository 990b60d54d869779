"""The console decides about an order by its case, as `payrouter inventory decide` does."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from consumers.inventory.service import SERVICE
from consumers.runtime.apply.outbox import read_unsent
from consumers.runtime.store.tables import RuntimeTables
from tests.parts.console.operated import peopled_console
from tests.parts.contract.orders import order
from tests.parts.inventory.fixtures import inventory_url, shop
from tests.parts.inventory.shop import Shop, paid

__all__ = ["inventory_url", "shop"]

TABLES = RuntimeTables.of("inventory")


async def test_order_is_decided_once_in_the_version_shown_by_an_admin(
    shop: Shop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await shop.set("tea", 10)
    await shop.each(order(), paid(currency="BTC", amount="0.1"))
    url = shop.engine.url.render_as_string(hide_password=False)
    configuration = f'[database]\nurl = "{url}"\n'
    async with peopled_console(tmp_path, monkeypatch, configuration, SERVICE) as console:
        anna, otto = await console.person("anna"), await console.person("otto")
        (case,) = json.loads((await anna.get("/cases.json?kind=cannot-compare")).text)
        shown = (await anna.get(f"/cases/{case['case']}")).text
        path = f"/cases/do/decide?id={case['case']}&decision=accept"
        assert path.replace("&", "&amp;") in shown
        assert "What to do" in shown
        # An operator cannot decide about money.
        assert (await otto.get(path)).status == 403
        assert "do/decide" not in (await otto.get(f"/cases/{case['case']}")).text
        assert (await anna.get(path.replace("accept", "return"))).status == 400
        preview = await anna.get(path)
        assert "status: reserved -&gt; committed" in preview.text
        assert "payrouter inventory decide" in preview.text

        fields = [*preview.hidden(), ("reason", "paid in cash")]
        done = await anna.post("/cases/do/decide", fields)
        again = await anna.post("/cases/do/decide", fields)

    assert (done.status, again.status) == (303, 409)
    async with shop.engine.connect() as connection:
        kept = (await connection.execute(select(TABLES.operation))).all()
        unsent = await read_unsent(connection, TABLES, 10)
    (decided,) = [each for each in kept if each.what == "inventory decide"]
    assert decided.who == "anna (console)"
    assert decided.detail.endswith("paid in cash")
    sent = [each for _, each in unsent if b"decided" in (each.value or b"")]
    assert len(sent) == 1
