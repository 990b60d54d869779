"""The scenarios of docs/scenarios.md with another policy of the inventory, on real servers."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.parts.brokers import Broker
from tests.parts.databases import DatabaseServer
from tests.parts.e2e.playing import check_health, play, stage_of
from tests.parts.e2e.scenarios import scenarios
from tests.parts.e2e.stage import Stage

SCENARIOS = {title: each for title, each in scenarios().items() if each.policy}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage(broker: Broker, database_server: DatabaseServer) -> AsyncIterator[Stage]:
    """Yield the running system, which all these scenarios share."""
    first, *others = SCENARIOS.values()
    assert [each.policy for each in others] == [first.policy] * len(others)
    async with stage_of(broker, database_server, [first, *others]) as running:
        yield running


@pytest.mark.parametrize("title", SCENARIOS)
async def test_a_scenario_has_the_results_of_the_page(stage: Stage, title: str) -> None:
    await play(stage, SCENARIOS[title])


async def test_every_message_of_all_scenarios_was_sent_and_nothing_was_held(stage: Stage) -> None:
    await check_health(stage)
