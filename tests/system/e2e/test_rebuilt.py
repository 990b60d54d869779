"""The topics, applied to an emptied database, rebuild books, orders, stock and cases.

What operators recorded and decided is on the topics too. Stock and closed cases are not: the stock
is set again first, and scenarios that close a case or let time pass are left out.

What an order gets depends on what arrives first: the inventory reads the topics in the order of the
records' times, so as they arrived before.
"""

import uuid
from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import create_async_engine

from consumers.inventory.service import SERVICE as INVENTORY
from consumers.inventory.setting import set_stock
from consumers.runtime.store.migrate import upgrade
from tests.parts.brokers import Broker
from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.e2e.findings import FOUND
from tests.parts.e2e.playing import play
from tests.parts.e2e.scenarios import Scenario, scenarios
from tests.parts.e2e.stage import Stage, merchant, staged

REBUILT = ("books", "stock", "orders", "cases")
OPERATORS = {"record", "decide"}
NOT_ON_TOPICS = {"close", "wait", "policy"}


def is_on_topics(scenario: Scenario) -> bool:
    """Whether nothing but the first stock and the topics decides the result."""
    words = [line.word for line in scenario.lines]
    timed = any("seconds" in line.options for line in scenario.lines if line.word == "order")
    late_stock = "shelf" in words[1:] or any("lapsed" in line.rest for line in scenario.lines)
    return not NOT_ON_TOPICS & set(words) and not timed and not late_stock


def depends_on_arrival(scenario: Scenario) -> bool:
    """Whether what arrives first decides, or an operator did."""
    lines = scenario.lines
    called_off = any("refund" in each.written or "revers" in each.written for each in lines)
    operated = any(each.word in {*OPERATORS, "cancel"} for each in lines)
    return operated or called_off or any("oversold" in each.written for each in lines)


ALL = [each for each in scenarios().values() if is_on_topics(each)]
SHORT = [each for each in ALL if depends_on_arrival(each)]
"""The scenarios of the short form: the others are rebuilt in any order."""


async def state(stage: Stage, cast: Sequence[Scenario]) -> Mapping[str, Sequence[str]]:
    """Return the complete results of both merchants of every scenario."""
    async with stage.consumers["ledger"].process.engine.connect() as connection:
        return {
            f"{scenario.title}, {word}, {account}": sorted(await FOUND[word](connection, account))
            for scenario in cast
            for word in REBUILT
            for account in (merchant(scenario, other=False), merchant(scenario, other=True))
        }


async def set_first_stock(url: str, cast: Sequence[Scenario]) -> None:
    """Set the stock of every scenario, as at its beginning."""
    engine = create_async_engine(url)
    await upgrade(engine, INVENTORY)
    for scenario in cast:
        first = scenario.lines[0]
        for sku, number in first.options.items() if first.word == "shelf" else ():
            account = merchant(scenario, other=first.other)
            async with engine.begin() as transaction:
                await set_stock(transaction, account, sku, int(number), "unused")
    await engine.dispose()


async def test_an_emptied_database_is_rebuilt_from_the_topics(
    broker: Broker, database_server: DatabaseServer, *, chaos_long: bool
) -> None:
    cast = ALL if chaos_long else SHORT
    prefix = f"t{uuid.uuid4().hex[:6]}."
    with fresh_database(database_server) as url:
        async with staged(broker, url, prefix, cast) as stage:
            for scenario in cast:
                await play(stage, scenario)
            before = await state(stage, cast)
            passed = {name: each.passed() for name, each in stage.consumers.items()}
    with fresh_database(database_server) as url:
        await set_first_stock(url, cast)
        # In many batches, as a long log is read.
        more = staged(broker, url, prefix, cast, has_topics=True, batch_records=20)
        async with more as rebuilt:
            for name, number in passed.items():
                await rebuilt.consumers[name].drained(number)
            after = await state(rebuilt, cast)
    changed = {each: (before[each], after[each]) for each in before if before[each] != after[each]}
    assert changed == {}


def test_the_short_form_has_operators_and_every_way_to_call_off() -> None:
    words = {line.word for scenario in SHORT for line in scenario.lines}
    assert words >= {*OPERATORS, "cancel"}
    assert len(SHORT) > 20
    assert len(ALL) > 2 * len(SHORT)
