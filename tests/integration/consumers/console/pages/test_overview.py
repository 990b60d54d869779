"""The console's first page: what needs attention now, and for whom."""

from consumers.runtime.apply.brake import lock_brakes, pull_brake
from tests.parts.console.operated import OperatedConsole
from tests.parts.runtime.counting import TABLES as COUNTED
from tests.parts.runtime.counting import numbered, record
from tests.parts.runtime.parcels import held_record


async def test_first_page_shows_that_nothing_needs_attention(console: OperatedConsole) -> None:
    shown = (await (await console.person("anna")).get("/")).text

    assert "no open case" in shown
    assert "nothing on quarantine" in shown


async def test_first_page_counts_cases_for_each_person_and_names_what_stopped(
    console: OperatedConsole,
) -> None:
    feed = console.feed
    await feed.send([numbered(1)])
    async with feed.engine.begin() as connection:
        await lock_brakes(connection, COUNTED, [feed.topic])
        await pull_brake(connection, COUNTED, feed.topic, 20, "of offset 7")
    await held_record(feed.engine, COUNTED, record(7, numbered(7, account="shop-us")))

    shown = (await (await console.person("anna")).get("/")).text
    assert "1 urgent case" in shown
    assert "counting is stopped on" in shown
    assert 'href="/groups#g-counting"' in shown
    assert "no open case" in (await (await console.person("otto")).get("/")).text
