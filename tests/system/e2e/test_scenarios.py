"""Every scenario of docs/scenarios.md has the results written there, on real servers."""

import uuid
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from sqlalchemy import select

from consumers.notifications.tables import MESSAGE
from tests.parts.brokers import Broker
from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.e2e.findings import FOUND
from tests.parts.e2e.scenarios import SHOWN, Line, Scenario, scenarios
from tests.parts.e2e.stage import Sent, Stage, merchant, staged
from tests.parts.waiting import eventually

SCENARIOS = scenarios()

LEAST = 25

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage(broker: Broker, database_server: DatabaseServer) -> AsyncIterator[Stage]:
    """Yield the running system, which all scenarios share."""
    prefix = f"t{uuid.uuid4().hex[:6]}."
    with fresh_database(database_server) as url:
        async with staged(broker, url, prefix, list(SCENARIOS.values())) as running:
            yield running


@pytest.mark.parametrize("title", SCENARIOS)
async def test_a_scenario_has_the_results_of_the_page(stage: Stage, title: str) -> None:
    scenario = SCENARIOS[title]
    sent: Sent | None = None
    for line in scenario.lines:
        if line.word in FOUND:
            await found(stage, scenario, line)
        elif line.word == "answer":
            assert said(sent) == line.rest, line.written
        else:
            sent = await stage.play(scenario, line, sent)
            if line.word in {"send", "again"} and not expects_answer(scenario, line):
                assert said(sent) == "200 accepted", line.written
    if "trouble" not in [line.word for line in scenario.lines]:
        assert await look(stage, scenario, "trouble", other=False) == []


async def test_every_message_of_all_scenarios_was_sent(stage: Stage) -> None:
    async def all_sent() -> bool:
        return not set(await states(stage)) - {"sent"}

    await eventually(all_sent, "every message sent", pause=0.1)
    healthy = [each.process.ready().good for each in stage.consumers.values()]
    assert healthy == [True] * len(stage.consumers)


async def test_nothing_was_held_and_nothing_failed(stage: Stage) -> None:
    words = [each.outcomes() for each in stage.consumers.values()]
    assert not {word for each in words for word in each} & {"dead", "parked"}


async def test_every_scenario_shows_books_stock_orders_and_messages_at_its_end() -> None:
    assert len(SCENARIOS) >= LEAST
    for scenario in SCENARIOS.values():
        last = [line.word for line in scenario.lines]
        steps = [at for at, word in enumerate(last) if word not in {*FOUND, "answer"}]
        assert set(SHOWN) <= set(last[steps[-1] :]), scenario.title
    assert len({each.account for each in SCENARIOS.values()}) == len(SCENARIOS)


def said(sent: Sent | None) -> str:
    assert sent is not None
    assert sent.answer is not None
    return f"{sent.answer.status} {sent.outcome}"


def expects_answer(scenario: Scenario, line: Line) -> bool:
    after = [*scenario.lines, None][list(scenario.lines).index(line) + 1]
    return after is not None and after.word == "answer"


async def look(stage: Stage, scenario: Scenario, word: str, *, other: bool) -> Sequence[str]:
    account = merchant(scenario, other=other)
    async with stage.consumers["ledger"].process.engine.connect() as connection:
        return sorted(await FOUND[word](connection, account))


async def found(stage: Stage, scenario: Scenario, line: Line) -> None:
    """Check a line's expected result; poll only if something lapses automatically."""
    if "lapsed" in line.rest:

        async def lapsed() -> bool:
            return line.listed == await look(stage, scenario, line.word, other=line.other)

        await eventually(lapsed, line.written, pause=0.1)
    assert await look(stage, scenario, line.word, other=line.other) == line.listed, line.written


async def states(stage: Stage) -> Sequence[str]:
    async with stage.consumers["ledger"].process.engine.connect() as connection:
        return list(await connection.scalars(select(MESSAGE.c.state)))
