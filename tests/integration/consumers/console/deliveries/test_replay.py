"""The replay of quarantined deliveries over HTTP: preview, reason, effect, record."""

from sqlalchemy import select

from consumers.runtime.store.tables import RuntimeTables
from router.contract.wire import decode_event
from tests.parts.console.browsing import ConsoleBrowser
from tests.parts.console.consumer_stores import ConsumerStores
from tests.parts.console.serving import ServedConsole
from tests.parts.console.stored_deliveries import DeliveryTopics, genuine, quarantined
from tests.parts.edge.edge_server import read_records

PATH = "/deliveries/do/replay"


def person(console: ServedConsole, name: str) -> ConsoleBrowser:
    return console.browser(**{"x-person": name})


async def operations(stores: ConsumerStores) -> list[tuple[str, str, str]]:
    """Return who did what, and the detail, of every operation."""
    found = []
    for name, engine in stores.engines.items():
        done = RuntimeTables.of(name).operation
        async with engine.connect() as connection:
            rows = await connection.execute(select(done.c.who, done.c.what, done.c.detail))
            found += [(row.who, row.what, row.detail) for row in rows]
    return found


async def test_a_replay_is_previewed_confirmed_done_once_and_recorded(
    console: ServedConsole, stored: DeliveryTopics, stores: ConsumerStores
) -> None:
    kept = genuine()
    await stored.store(kept, 1)
    await stored.store(quarantined(7), 2)
    ana = person(console, "ana")

    preview = await ana.get(f"{PATH}?endpoint=shop")
    without = await ana.post(PATH, preview.hidden())
    done = await ana.act(f"{PATH}?endpoint=shop", "the gateway explained the status")
    again = await ana.get(f"{PATH}?endpoint=shop")

    assert "1 entry" in preview.text
    assert "payment.confirmed 13.410037 USDT A-1" in preview.text
    assert "1 more delivery cannot be replayed" in preview.text
    assert "payrouter quarantine replay --endpoint shop --yes" in preview.text
    assert without.status == 400
    assert (done.status, done.header("location")) == (303, "/deliveries?outcome=quarantined")
    assert "Nothing would change." in again.text
    assert "1 delivery was replayed before" in again.text
    records = await read_records(stored.broker.bootstrap, [stored.topics.name("payment")])
    (event,) = [decode_event(each.value, each.headers) for each in records]
    assert (event.reference, event.received_at) == ("A-1", kept.received_at)
    (operation,) = await operations(stores)
    assert operation[:2] == ("ana (console)", "quarantine replay")
    assert str(kept.id) in operation[2]
    assert operation[2].endswith("reason: the gateway explained the status")
    listed = await ana.get("/deliveries?outcome=quarantined")
    assert "replayed by ana (console)" in listed.text


async def test_only_what_was_previewed_is_replayed(
    console: ServedConsole, stored: DeliveryTopics, stores: ConsumerStores
) -> None:
    await stored.store(genuine(), 1)
    ana = person(console, "ana")

    preview = await ana.get(PATH)
    forged = [(name, "0" * 64 if name == "seen" else value) for name, value in preview.hidden()]
    answer = await ana.post(PATH, [*forged, ("reason", "hurry")])

    assert answer.status == 400
    assert await operations(stores) == []
    assert await read_records(stored.broker.bootstrap, [stored.topics.name("payment")]) == []


async def test_a_replay_needs_the_role_for_the_account(
    console: ServedConsole, stored: DeliveryTopics, stores: ConsumerStores
) -> None:
    kept = genuine()
    await stored.store(kept, 1)
    ana, sam, uli = (person(console, name) for name in ("ana", "sam", "uli"))
    fields = [*(await ana.get(f"{PATH}?id={kept.id}")).hidden(), ("reason", "mine")]

    own = await uli.get(f"{PATH}?id={kept.id}")
    answers = []
    for each in (sam, uli):
        token = (await each.get("/search")).csrf
        answers.append(await each.post(PATH, [("csrf", token), *fields[1:]]))

    assert fields[0][0] == "csrf"
    assert "Nothing would change." in own.text
    assert (await sam.get(f"{PATH}?id={kept.id}")).status == 403
    # For the operator of another account there is nothing to replay, although one was confirmed.
    assert [each.status for each in answers] == [403, 409]
    assert await operations(stores) == []


async def test_a_replay_by_id_leaves_the_others(
    console: ServedConsole, stored: DeliveryTopics
) -> None:
    first, second = genuine(), genuine(5, "A-2")
    await stored.store(first, 1)
    await stored.store(second, 2)
    ana = person(console, "ana")

    preview = await ana.get(f"{PATH}?id={second.id}")

    assert "1 entry" in preview.text
    assert "A-2" in preview.text
    assert f"payrouter quarantine replay --id {second.id} --yes" in preview.text
