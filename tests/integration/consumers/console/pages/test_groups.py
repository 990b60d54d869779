"""The console's page of consumers: what is stuck and since when, held records, brakes, outboxes."""

import json
from typing import Any
from urllib.parse import quote

from consumers.runtime.apply.brake import lock_brakes, pull_brake
from consumers.runtime.apply.held import HeldReason
from consumers.runtime.apply.outbox import Outgoing, put, set_aside
from consumers.runtime.fate import Fate
from consumers.runtime.records import Undecodable
from tests.parts.console.browsing import ConsoleBrowser
from tests.parts.console.operated import OperatedConsole
from tests.parts.runtime.counting import TABLES as COUNTED
from tests.parts.runtime.counting import brake_of, effects_of, held_in, id_of, numbered, record
from tests.parts.runtime.members import ready
from tests.parts.runtime.parcels import TABLES, held_record
from tests.parts.waiting import eventually


async def listed(browser: ConsoleBrowser, path: str) -> list[dict[str, Any]]:
    answer = await browser.get(path)
    assert answer.status == 200, answer.text
    found: list[dict[str, Any]] = json.loads(answer.text)
    return found


async def numbers(browser: ConsoleBrowser, path: str) -> list[tuple[str, int]]:
    return [(each["consumer"], each["number"]) for each in await listed(browser, path)]


async def test_page_names_what_waits_and_the_command_until_the_consumer_runs(
    console: OperatedConsole,
) -> None:
    feed = console.feed
    await feed.send(map(numbered, range(3)))
    anna = await console.person("anna")

    async def named() -> bool:
        shown = (await anna.get("/groups")).text
        command = "payrouter consume counting" in shown
        return command and "no process of the consumer has the partition" in shown

    await eventually(named, "the command that starts the consumer")
    rows = await listed(anna, "/groups/partitions.json")
    waiting = next(each for each in rows if each["consumer"] == "counting")
    assert (waiting["partition"], waiting["lag"]) == (str(feed.partition(0)), 3)
    assert (waiting["state"], waiting["log_end"]) == ("no member", 3)

    async with feed.member() as process:
        await ready(process)
        await feed.applied(3)

        async def moves() -> bool:
            found = await listed(anna, "/groups/partitions.json")
            return any((each["state"], each["lag"]) == ("moving", 0) for each in found)

        await eventually(moves, "a moving partition")
        assert "Last moved" in (await anna.get("/groups/now")).text


async def test_brake_is_shown_with_its_time_and_released_with_a_reason(
    console: OperatedConsole,
) -> None:
    feed = console.feed
    await feed.send([numbered(1)])
    async with feed.engine.begin() as connection:
        await lock_brakes(connection, COUNTED, [feed.topic])
        await pull_brake(connection, COUNTED, feed.topic, 20, "of offset 7")
    anna, otto = await console.person("anna"), await console.person("otto")
    shown = (await anna.get("/groups")).text
    assert "stopped after many failures in a row" in shown
    assert "Nothing has moved since" in shown
    assert f"payrouter brake clear counting --topic {feed.topic}" in shown
    path = f"/groups/do/brake?consumer=counting&topic={feed.topic}"
    assert path.replace("&", "&amp;") in shown
    # It is about every merchant.
    assert (await otto.get(path)).status == 403

    done = await anna.act(path, "the handler is corrected")

    assert done.status == 303
    assert (await brake_of(feed.engine, feed.topic)).held_since is None
    (kept,) = await listed(anna, "/groups/operations.json")
    assert (kept["who"], kept["what"]) == ("anna (console)", "brake clear")
    assert kept["detail"].endswith("the last one of offset 7: the handler is corrected")


async def test_held_records_are_listed_for_their_merchant_and_unknown_ones_for_every_one(
    console: OperatedConsole,
) -> None:
    engine = console.feed.engine
    await held_record(engine, COUNTED, record(7, numbered(7)))
    await held_record(engine, TABLES, record(7, numbered(7)))
    await held_record(engine, COUNTED, record(8, numbered(8, account="shop-us")))
    unreadable = Undecodable(record(9, numbered(9)).record, "it is not JSON")
    await held_record(engine, COUNTED, unreadable, HeldReason.UNREADABLE)
    anna, otto = await console.person("anna"), await console.person("otto")

    own = [("counting", 1), ("parcels", 1)]
    assert await numbers(anna, "/groups/dead.json") == [
        *[("counting", number) for number in (1, 2, 3)],
        ("parcels", 1),
    ]
    assert await numbers(otto, "/groups/dead.json") == own
    assert await numbers(otto, "/groups/dead.json?account=shop-us") == []
    assert await numbers(anna, "/groups/dead.json?reason=unreadable") == [("counting", 3)]
    assert await numbers(anna, f"/groups/dead.json?event={id_of(8)}") == [("counting", 2)]
    assert (await anna.get("/groups/dead?event=x")).status == 400
    whole = (await anna.get("/groups/held/counting/1")).text
    assert "A-7" in whole
    masked = await otto.get("/groups/held/counting/1")
    assert "A-7" not in masked.text
    assert "customers&#39; data" in masked.text
    for path in ("counting/2", "counting/3", "counting/99", "nothing/1", "counting/x"):
        assert (await otto.get(f"/groups/held/{path}")).status == 404, path


async def test_dead_records_of_a_filter_are_replayed_and_applied_by_the_running_consumer(
    console: OperatedConsole,
) -> None:
    feed = console.feed
    for number in (7, 8):
        await held_record(feed.engine, COUNTED, record(number, numbered(number), feed.partition(0)))
    await held_record(
        feed.engine, COUNTED, record(9, numbered(9), feed.partition(1)), HeldReason.UNFETCHABLE
    )
    anna = await console.person("anna")
    path = f"/groups/do/replay?all=1&consumer=counting&topic={quote(feed.topic)}"
    preview = await anna.get(path)
    assert "2 entries" in preview.text
    assert "payrouter dlq replay counting --id=1 --id=2 --yes" in preview.text

    done = await anna.act(path, "the handler is corrected")

    assert (done.status, done.header("location")) == (303, "/groups/parked")
    assert await numbers(anna, "/groups/parked.json") == [("counting", 1), ("counting", 2)]
    async with feed.member() as process:
        await ready(process)

        async def applied() -> bool:
            return len(await effects_of(feed.engine)) == 2

        await eventually(applied, "the replayed events")
    (kept,) = await listed(anna, "/groups/operations.json?who=anna")
    assert (kept["what"], kept["consumer"]) == ("dlq replay", "counting")
    assert "1-2" in kept["detail"]
    assert kept["detail"].endswith(": the handler is corrected")


async def test_parked_records_of_a_selection_are_due_now_only_with_the_role(
    console: OperatedConsole,
) -> None:
    engine = console.feed.engine
    for number, account in ((7, "shop-eu"), (8, "shop-us")):
        arrived = record(number, numbered(number, account=account))
        await held_record(engine, COUNTED, arrived, HeldReason.FAILED, Fate.PARKED)
    vera = await console.person("vera")

    assert (await vera.get("/groups/do/retry?id=counting:1")).status == 403
    assert (await vera.get("/groups/do/retry?id=counting:x")).status == 400
    done = await vera.act("/groups/do/retry?id=counting:2", "the database is back")

    assert done.status == 303
    assert [each.state for each in await held_in(engine)] == ["parked", "parked"]


async def test_outbox_shows_refused_records_and_queues_them_again(
    console: OperatedConsole,
) -> None:
    engine = console.feed.engine
    async with engine.begin() as connection:
        await put(connection, COUNTED, [Outgoing("x.outcome", b"k", b"v", ()) for _ in range(2)])
        await set_aside(connection, COUNTED, 1, "the topic is too small")
    anna, otto = await console.person("anna"), await console.person("otto")

    assert await numbers(anna, "/groups/outbox.json") == [("counting", 1), ("counting", 2)]
    (refused,) = await listed(anna, "/groups/outbox.json?state=refused")
    assert (refused["number"], refused["error"]) == (1, "the topic is too small")
    assert (await otto.get("/groups/outbox")).status == 403
    assert (await otto.get("/groups/operations")).status == 403
    assert (await otto.get("/groups/do/outbox?consumer=counting")).status == 403
    await anna.act("/groups/do/outbox?consumer=counting", "the topic is larger")

    assert await numbers(anna, "/groups/outbox.json?state=refused") == []
