"""Garbage and forgeries add no series to `/metrics`."""

import itertools

from tests.parts.brokers import Broker
from tests.parts.edge.any_requests import (
    counting_edge,
    forgeries,
    mutations,
    refused,
    spoilt_orders,
)


async def test_garbage_in_every_header_adds_not_one_series(
    broker: Broker, topics_prefix: str
) -> None:
    async with counting_edge(broker, topics_prefix) as edge:
        statuses = await refused(edge, itertools.chain(spoilt_orders(), forgeries()))
        await mutations(edge)
        reasons = await edge.reasons()

    assert edge.direct.taken > 100
    assert {400, 401, 404, 405} <= set(statuses)
    assert len({reason for _, _, reason in reasons}) > 19
