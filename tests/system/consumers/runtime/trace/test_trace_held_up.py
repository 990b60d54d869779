"""`payrouter trace` names the blocked partitions that may have the event."""

import pytest

from tests.parts.runtime.commands import Payrouter
from tests.parts.runtime.counting import numbered
from tests.parts.runtime.members import Feed, ready
from tests.parts.runtime.transactions import put, transacting

pytestmark = pytest.mark.kafka


async def test_missing_event_may_be_behind_an_open_transaction(
    feed: Feed, payrouter: Payrouter
) -> None:
    payrouter.configure(f'[consumers.counting]\ngroup_id = "{feed.group}"')
    async with feed.member() as process, transacting(feed) as producer:
        await ready(process)
        await feed.send([numbered(0)])
        await feed.applied(1)
        await put(feed, producer, numbered(1))
        await feed.send(map(numbered, range(2, 5)))
        said = await payrouter("trace", "A-3")
        assert (said.status, said.out) == (1, "")
        assert (
            f"note: {feed.topic}-0: an open transaction withholds 4 records from offset 1 on;"
            " an event among them has reached no consumer yet\n"
        ) in said.err
        await producer.commit_transaction()
        await feed.applied(5)
        assert "open transaction" not in (await payrouter("trace", "A-9")).err


async def test_consumer_that_does_not_run_is_named(feed: Feed, payrouter: Payrouter) -> None:
    await feed.send(map(numbered, range(2)))
    said = await payrouter("trace", "A-1")
    assert (
        f"note: counting is blocked on {feed.topic}-0 (no member); an event there has not reached"
        " it: payrouter offsets show counting\n"
    ) in said.err
