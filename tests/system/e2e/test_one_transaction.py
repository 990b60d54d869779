"""A payment is booked once, even if the gateway delivers it many times."""

import asyncio
from datetime import timedelta

import pytest

from tests.parts.brokers import Broker
from tests.parts.e2e.books import running_ledger
from tests.parts.edge.blockatm_requests import webhook
from tests.parts.edge.edge_server import configuration, ready_edge, running_edge
from tests.parts.edge.mutations import GENUINE
from tests.parts.providers.blockatm_deliveries import RECEIVED, TIME

TIMES = 50
ENDPOINTS = ("/webhooks/shop", "/webhooks/shop-two")


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one after another"])
async def test_fifty_deliveries_over_two_edges_and_endpoints_are_one_transaction(
    broker: Broker, database_url: str, topics_prefix: str, *, at_once: bool
) -> None:
    async with (
        ready_edge(broker.bootstrap, topics_prefix) as first,
        running_edge(configuration(broker.bootstrap, topics_prefix)) as second,
        running_ledger(broker, database_url, topics_prefix) as ledger,
    ):
        await second.until_ready()
        posts = [
            (first, second)[n % 2].post(GENUINE.headers, GENUINE.body, ENDPOINTS[n // 2 % 2])
            for n in range(TIMES)
        ]
        answers = await asyncio.gather(*posts) if at_once else [await post for post in posts]
        await ledger.drained(TIMES)
        books = await ledger.books()

    assert [answer.status for answer in answers] == [200] * TIMES
    assert (books.transactions, books.balanced) == (1, True)
    assert ledger.outcomes() == {"applied": 1, "duplicate": TIMES - 1}


async def test_a_retry_with_a_new_time_and_signature_raises_no_alarm(
    broker: Broker, database_url: str, topics_prefix: str
) -> None:
    retry = webhook(GENUINE.body, time=str(int(TIME) + 3_600_000))

    async with (
        ready_edge(broker.bootstrap, topics_prefix) as edge,
        running_ledger(broker, database_url, topics_prefix) as ledger,
    ):
        await edge.post(GENUINE.headers, GENUINE.body)
        edge.clock.now = RECEIVED + timedelta(hours=1)
        answer = await edge.post(retry.headers, retry.body)
        await ledger.drained(2)
        books = await ledger.books()
        health = ledger.process.ready()
        levels = {line["log_level"] for line in edge.log}

    assert answer.status == 200
    assert (books.transactions, ledger.outcomes()) == (1, {"applied": 1, "duplicate": 1})
    assert health.good
    assert levels <= {"info", "debug"}
