"""The service in docs/adding-a-consumer.md runs as it is written there."""

import asyncio
import re
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.parts.brokers import Broker, create_topics
from tests.parts.exactly_once.living import Living, living, numbered
from tests.parts.source import ROOT
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka

PAGE = (ROOT / "docs" / "adding-a-consumer.md").read_text(encoding="utf-8")
SAMPLE = ROOT / "tests" / "samples" / "loyalty" / "loyalty.py"

CREATE = """
import asyncio, loyalty
async def create():
    async with loyalty.engine.begin() as connection:
        await connection.run_sync(loyalty.Base.metadata.create_all)
asyncio.run(create())
"""
"""In place of the service's migration."""


def of_the_page() -> str:
    """Return the service of the page."""
    _, _, section = PAGE.partition("## A FastStream service\n")
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_page_has_the_sample() -> None:
    assert of_the_page() == SAMPLE.read_text(encoding="utf-8")


def test_what_the_guard_adds_to_a_service_is_ten_lines() -> None:
    words = ("exactly_once", "ExactlyOnce", "guard", "Session", "session", "event: Event")
    assert sum(any(word in line for word in words) for line in of_the_page().splitlines()) <= 10


async def test_the_service_of_the_page_awards_each_payment_once(
    broker: Broker, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "loyalty.py").write_text(of_the_page(), encoding="utf-8")
    environment = {
        "KAFKA": broker.bootstrap,
        "DATABASE_URL": database_url,
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
    }

    async def run(*arguments: str) -> asyncio.subprocess.Process:
        command = (sys.executable, *arguments)
        return await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env=environment)

    await create_topics(broker.bootstrap, ["payment"])
    assert await (await run("-c", CREATE)).wait() == 0
    async with living(broker.bootstrap, "payment", database_url) as feed:
        await feed.send([0, 1, 0])
        await feed.send([1, 2], partition=3)
        service = await run("loyalty.py")
        try:
            await eventually(lambda: _passed(feed, 5), "five records to be passed")
        finally:
            service.terminate()
            await service.wait()
        async with feed.engine.connect() as connection:
            found = await connection.scalars(text("SELECT event_id FROM points"))
            assert sorted(found) == sorted(numbered(number).id for number in range(3))


async def _passed(feed: Living, records: int) -> bool:
    query = text("SELECT coalesce(sum(next_offset), 0) FROM payrouter_fence")
    async with feed.engine.connect() as connection:
        return bool(await connection.scalar(query) == records)
