"""An answer before the end of the request closes the connection after a bounded linger."""

import asyncio
from dataclasses import replace

import pytest

from router.edge.app import EdgeProcess
from router.edge.handling.heads import Limits
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import ready_edge
from tests.parts.edge.mutations import GENUINE
from tests.parts.edge.raw_http import connected, head, request
from tests.parts.waiting import eventually

_LARGE = ("Content-Length", str(200_000_000))
_EARLY = {
    404: head("/webhooks/nobody", [*GENUINE.headers, _LARGE]),
    405: head("/webhooks/shop", [*GENUINE.headers, _LARGE], "PUT"),
    413: head("/webhooks/shop", [*GENUINE.headers, _LARGE]),
    431: head("/webhooks/shop", [*GENUINE.headers, ("X", "a" * 17_000), _LARGE]),
}
_WHOLE = request("/webhooks/shop", GENUINE.headers, GENUINE.body)


def _lingering(seconds: float) -> Limits:
    return Limits(256 * 1024, 16 * 1024, linger_bytes=64 * 1024, linger_seconds=seconds)


@pytest.mark.parametrize("status", _EARLY)
async def test_a_sender_that_drips_after_an_early_answer_is_closed(
    broker: Broker, topics_prefix: str, status: int
) -> None:
    def quick(process: EdgeProcess) -> None:
        process.app.limits = _lingering(0.3)

    async with ready_edge(broker.bootstrap, topics_prefix, change=quick) as edge:
        async with connected(edge.port) as line:
            await line.send(_EARLY[status])
            answer = await line.answer()
            sent = 0
            while sent < 1000 and await line.send_until_closed(b"x", 1):
                await asyncio.sleep(0.05)
                sent += 1

        assert (answer.status, answer.header("connection")) == (status, "close")
        assert sent < 1000
        admission = edge.process.app.admission
        await eventually(lambda: not admission.count, "an empty admission", seconds=20)


@pytest.mark.parametrize("status", _EARLY)
async def test_body_after_an_early_answer_is_read_up_to_a_limit(
    broker: Broker, topics_prefix: str, status: int
) -> None:
    def patient(process: EdgeProcess) -> None:
        process.app.limits = _lingering(1000)

    async with ready_edge(broker.bootstrap, topics_prefix, change=patient) as edge:
        async with connected(edge.port) as line:
            await line.send(_EARLY[status])
            answer = await line.answer()
            # The kernel's buffers take some megabytes after the edge has closed.
            sent = await line.send_until_closed(b"x" * 100_000, 2000)

        assert answer.status == status
        assert sent < 200


async def test_small_body_after_an_early_answer_does_not_reset_the_answer(
    broker: Broker, topics_prefix: str
) -> None:
    sent = request("/webhooks/nobody", GENUINE.headers, b"x" * 50_000)

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        for _ in range(20):
            async with connected(edge.port) as line:
                await line.send(sent)
                assert (await line.answer()).status == 404
                assert await line.ended()


async def test_a_refusal_of_a_whole_request_keeps_the_connection(
    broker: Broker, topics_prefix: str
) -> None:
    forged = replace(GENUINE, body=GENUINE.body + b" ")
    sent = request("/webhooks/shop", forged.headers, forged.body)

    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        for data, status in ((sent, 401), (_WHOLE, 200)):
            await line.send(data)
            assert (await line.answer()).status == status
