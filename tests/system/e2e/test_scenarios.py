"""Every scenario of docs/scenarios.md has the results written there, on real servers."""

import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from consumers.inventory.cases import KINDS as INVENTORY_KINDS
from consumers.ledger.cases import KINDS as LEDGER_KINDS
from tests.parts.brokers import Broker
from tests.parts.databases import DatabaseServer
from tests.parts.e2e.findings import FOUND
from tests.parts.e2e.playing import check_health, play, stage_of
from tests.parts.e2e.scenarios import SHOWN, Line, scenarios
from tests.parts.e2e.stage import Stage

SCENARIOS = scenarios()
USUAL = {title: each for title, each in SCENARIOS.items() if not each.policy}

LEAST = 60

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage(broker: Broker, database_server: DatabaseServer) -> AsyncIterator[Stage]:
    """Yield the running system, which all scenarios of the default policy share."""
    async with stage_of(broker, database_server, list(USUAL.values())) as running:
        yield running


@pytest.mark.parametrize("title", USUAL)
async def test_a_scenario_has_the_results_of_the_page(stage: Stage, title: str) -> None:
    await play(stage, USUAL[title])


async def test_every_message_of_all_scenarios_was_sent_and_nothing_was_held(stage: Stage) -> None:
    await check_health(stage)


async def test_every_scenario_shows_books_stock_orders_and_messages_at_its_end() -> None:
    assert len(SCENARIOS) >= LEAST
    for scenario in SCENARIOS.values():
        last = [line.word for line in scenario.lines]
        steps = [at for at, word in enumerate(last) if word not in {*FOUND, "answer"}]
        assert set(SHOWN) <= set(last[steps[-1] :]), scenario.title
    assert len({each.account for each in SCENARIOS.values()}) == len(SCENARIOS)


async def test_every_kind_of_case_opens_and_closes_in_a_scenario() -> None:
    opened, closed = set[str](), set[str]()
    for scenario in SCENARIOS.values():
        found = [kinds(line) for line in scenario.lines if line.word == "cases"]
        opened = opened.union(*found)
        closed = closed.union(*(before - after for before, after in itertools.pairwise(found)))
    declared = {*LEDGER_KINDS, *INVENTORY_KINDS}
    assert sorted(opened) == sorted(each.name for each in declared)
    assert closed == opened


def kinds(line: Line) -> set[str]:
    return {each.split()[-1] for each in line.listed}
