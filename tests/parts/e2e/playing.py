"""Plays scenarios of docs/scenarios.md and checks their results."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence

from sqlalchemy import select

from consumers.notifications.tables import MESSAGE
from tests.parts.brokers import Broker
from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.e2e.findings import FOUND
from tests.parts.e2e.scenarios import POLICY, Line, Scenario
from tests.parts.e2e.stage import Sent, Stage, merchant, staged
from tests.parts.waiting import eventually


@contextlib.asynccontextmanager
async def stage_of(
    broker: Broker, server: DatabaseServer, cast: Sequence[Scenario]
) -> AsyncIterator[Stage]:
    """Run the system for these scenarios, which all have the same policy, during the block."""
    prefix = f"t{uuid.uuid4().hex[:6]}."
    with fresh_database(server) as url:
        async with staged(broker, url, prefix, cast) as running:
            yield running


async def play(stage: Stage, scenario: Scenario) -> None:
    """Execute the lines of a scenario, and check the results that are written there."""
    sent: Sent | None = None
    for line in scenario.lines:
        if line.word in FOUND:
            await _found(stage, scenario, line)
        elif line.word == "answer":
            assert _said(sent) == line.rest, line.written
        elif line.word != POLICY:
            sent = await stage.play(scenario, line, sent)
            if line.word in {"send", "again"} and not _expects_answer(scenario, line):
                assert _said(sent) == "200 accepted", line.written
    for word in {"trouble", "cases"} - {line.word for line in scenario.lines}:
        unwritten = await _look(stage, scenario, word, other=False)
        assert unwritten == [], f"{word} {', '.join(unwritten)}"


async def check_health(stage: Stage) -> None:
    """Check that every message is sent, every consumer is ready, and no record is held."""

    async def all_sent() -> bool:
        return not set(await _states(stage)) - {"sent"}

    await eventually(all_sent, "every message sent", pause=0.1)
    healthy = [each.process.ready().good for each in stage.consumers.values()]
    assert healthy == [True] * len(stage.consumers)
    words = [each.outcomes() for each in stage.consumers.values()]
    assert not {word for each in words for word in each} & {"dead", "parked"}


def _said(sent: Sent | None) -> str:
    assert sent is not None
    assert sent.answer is not None
    return f"{sent.answer.status} {sent.outcome}"


def _expects_answer(scenario: Scenario, line: Line) -> bool:
    after = [*scenario.lines, None][list(scenario.lines).index(line) + 1]
    return after is not None and after.word == "answer"


async def _look(stage: Stage, scenario: Scenario, word: str, *, other: bool) -> Sequence[str]:
    account = merchant(scenario, other=other)
    async with stage.engine.connect() as connection:
        return sorted(await FOUND[word](connection, account))


async def _found(stage: Stage, scenario: Scenario, line: Line) -> None:
    """Check a line's expected result; poll only if something lapses automatically."""
    if "lapsed" in line.rest:

        async def lapsed() -> bool:
            return line.listed == await _look(stage, scenario, line.word, other=line.other)

        await eventually(lapsed, line.written, pause=0.1)
    found = await _look(stage, scenario, line.word, other=line.other)
    assert found == line.listed, f"{line.written}\n{line.word} {', '.join(found)}"


async def _states(stage: Stage) -> Sequence[str]:
    async with stage.engine.connect() as connection:
        return list(await connection.scalars(select(MESSAGE.c.state)))
