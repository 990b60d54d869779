"""Limits of one request: bytes, time, and a place among those in flight."""

import asyncio
import contextlib

import pytest

from router.edge.app import EdgeProcess
from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import Webhook, payment_webhook, webhook
from tests.parts.edge.edge_server import RunningEdge, malformed, ready_edge
from tests.parts.edge.held_back import held_back
from tests.parts.edge.mutations import GENUINE
from tests.parts.edge.raw_http import Answer, chunk, connected, exchange, head, request
from tests.parts.providers.blockatm_deliveries import PAYMENT, body_of
from tests.parts.waiting import eventually

_LIMIT = 256 * 1024
_HEADER_LIMIT = 16 * 1024
_CHUNKED = ("Transfer-Encoding", "chunked")


def _of_size(size: int) -> Webhook:
    body = body_of(PAYMENT)
    return webhook(body + b" " * (size - len(body)))


async def _until_counted(edge: RunningEdge, outcome: str, reason: str) -> None:
    async def counted() -> bool:
        return ("blockatm", outcome, reason) in await edge.reasons()

    await eventually(counted, f"{outcome} for {reason}")


async def test_body_at_the_size_limit_is_accepted_and_one_byte_more_is_not(
    broker: Broker, topics_prefix: str
) -> None:
    fits, too_large = _of_size(_LIMIT), _of_size(_LIMIT + 1)

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        assert (await edge.post(fits.headers, fits.body)).status == 200
        assert (await edge.post(too_large.headers, too_large.body)).status == 413

        assert len(await edge.records()) == 1
        assert (await edge.reasons())["blockatm", "refused", "body_too_large"] == 1


@pytest.mark.parametrize("length", [str(_LIMIT + 1), "9" * 19, "0" * 40 + "9" * 7])
async def test_a_length_over_the_limit_is_refused_before_any_body_is_sent(
    broker: Broker, topics_prefix: str, length: str
) -> None:
    sent = head("/webhooks/shop", [*GENUINE.headers, ("Content-Length", length)])

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        assert (await exchange(edge.port, sent)).status == 413


@pytest.mark.parametrize(("size", "status"), [(_LIMIT, 200), (_LIMIT + 1, 413)])
async def test_body_without_content_length_has_the_same_limit(
    broker: Broker, topics_prefix: str, size: int, status: int
) -> None:
    sent = _of_size(size)
    pieces = [sent.body[at : at + 9000] for at in range(0, size, 9000)]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        await line.send(head("/webhooks/shop", [*sent.headers, _CHUNKED]))
        for piece in (*pieces, b""):
            await line.send_until_closed(chunk(piece), 1)

        assert (await line.answer()).status == status
        assert len(await edge.records()) == (status == 200)


async def test_endless_body_is_refused_at_the_limit(broker: Broker, topics_prefix: str) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        await line.send(head("/webhooks/shop", [*GENUINE.headers, _CHUNKED]))
        await line.send_until_closed(chunk(b" " * 4096), _LIMIT // 4096 + 1)

        assert (await line.answer()).status == 413


async def _with_filler(edge: RunningEdge, size: int, lines: int) -> Answer:
    filler = [(f"X-{number}", "a" * (size // lines)) for number in range(lines)]
    return await edge.post([*GENUINE.headers, *filler], GENUINE.body)


@pytest.mark.parametrize("lines", [1, 100])
async def test_headers_over_the_limit_are_refused(
    broker: Broker, topics_prefix: str, lines: int
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        assert (await _with_filler(edge, _HEADER_LIMIT - 2000, lines)).status == 200
        assert (await _with_filler(edge, _HEADER_LIMIT, lines)).status == 431
        assert (await _with_filler(edge, _HEADER_LIMIT * 4, lines)).status == 431

        # Far beyond the limit a head is no longer parsed, so that its endpoint is unknown.
        assert (await edge.reasons())["blockatm", "refused", "headers_too_large"] == 1
        assert await malformed(edge) == {"head_too_large": 1}


async def test_request_line_counts_towards_the_header_limit(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        target = "/webhooks/shop?order=" + "1" * _HEADER_LIMIT

        assert (await edge.post(GENUINE.headers, GENUINE.body, target)).status == 431
        assert await edge.records() == []


@pytest.mark.parametrize("drip", [False, True])
async def test_missing_body_is_given_up_at_the_deadline(
    broker: Broker, topics_prefix: str, *, drip: bool
) -> None:
    length = ("Content-Length", str(len(GENUINE.body)))

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        async with connected(edge.port) as line:
            await line.send(head("/webhooks/quick_one", [*GENUINE.headers, length]))
            answered = asyncio.create_task(line.answer())
            for number in range(60 if drip else 0):
                if answered.done():
                    break
                await line.send(GENUINE.body[number : number + 1])
                await asyncio.sleep(0.05)

            answer = await answered
            assert (answer.status, answer.header("connection")) == (408, "close")
            assert await line.ended()

        assert (await edge.reasons())["blockatm", "refused", "body_too_slow"] == 1
        assert await edge.records() == []


async def test_sender_that_disconnects_is_counted_and_publishes_nothing(
    broker: Broker, topics_prefix: str
) -> None:
    length = ("Content-Length", str(len(GENUINE.body)))

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        async with connected(edge.port) as line:
            await line.send(head("/webhooks/shop", [*GENUINE.headers, length]))
            await line.send(GENUINE.body[:-1])
        await _until_counted(edge, "refused", "body_incomplete")

        assert await edge.records() == []
        assert {line["log_level"] for line in edge.log} == {"info"}


async def test_sender_that_does_not_wait_for_its_answer_affects_no_other(
    broker: Broker, topics_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        for _ in range(20):
            async with connected(edge.port) as line:
                await line.send(request("/webhooks/shop", GENUINE.headers, GENUINE.body))
        answer = await edge.post(GENUINE.headers, GENUINE.body)

        assert answer.status == 200
        assert {line["log_level"] for line in edge.log} == {"info"}
        assert not caplog.records


async def test_more_deliveries_than_there_are_places_are_answered_503(
    broker: Broker, topics_prefix: str
) -> None:
    held, let_go = asyncio.Event(), asyncio.Event()

    def hold(process: EdgeProcess) -> None:
        handler = process.app.handler
        handler.submit = held_back(handler.submit, let_go, held)

    async with ready_edge(broker.bootstrap, topics_prefix, change=hold, max_in_flight=1) as edge:
        first = asyncio.create_task(edge.post(GENUINE.headers, GENUINE.body))
        await held.wait()
        async with connected(edge.port) as line:
            whole = request("/webhooks/shop", GENUINE.headers, GENUINE.body)
            await line.send(whole)
            refused = await line.answer()
            let_go.set()
            assert (await first).status == 200
            await line.send(whole)
            after = await line.answer()
        unknown = await edge.post(GENUINE.headers, GENUINE.body, "/webhooks/nobody")

        assert (refused.status, refused.header("retry-after")) == (503, "5")
        assert (unknown.status, after.status) == (404, 200)
        assert len(await edge.records()) == 2
        assert (await edge.reasons())["blockatm", "failed", "overloaded"] == 1
        assert edge.process.app.places.taken == 0


async def test_unverified_requests_take_no_place_of_verified_ones(
    broker: Broker, topics_prefix: str
) -> None:
    length = ("Content-Length", str(len(GENUINE.body)))
    waiting = head("/webhooks/shop", [*GENUINE.headers, length])

    async with (
        ready_edge(broker.bootstrap, topics_prefix, max_in_flight=1) as edge,
        contextlib.AsyncExitStack() as lines,
    ):
        for _ in range(20):
            line = await lines.enter_async_context(connected(edge.port))
            await line.send(waiting)
        await eventually(lambda: edge.process.app.in_flight >= 20, "20 in flight")

        assert (await edge.post(GENUINE.headers, GENUINE.body)).status == 200


async def test_two_hundred_concurrent_deliveries_are_all_accepted(
    broker: Broker, topics_prefix: str
) -> None:
    sent = [payment_webhook(id=number) for number in range(200)]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        answers = await asyncio.gather(*(edge.post(one.headers, one.body) for one in sent))
        records = await edge.records()

    assert {answer.status for answer in answers} == {200}
    assert len({dict(record.headers)["ce_id"] for record in records}) == len(records) == 200
