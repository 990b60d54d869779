"""Routing of requests to endpoints."""

import pytest

from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import CONTENT_TYPE
from tests.parts.edge.edge_server import TOKEN, RunningEdge, ready_edge
from tests.parts.edge.mutations import GENUINE
from tests.parts.edge.raw_http import Answer, connected, exchange, head, request

_ELSEWHERE = [
    "/",
    "/webhooks",
    "/webhook/shop",
    "//webhooks/shop",
    "/Webhooks/shop",
    "/metrics",
    "/readyz",
    "/docs",
    "/asyncapi",
]
_NOWHERE = [
    "/webhooks/",
    "/webhooks//shop",
    "/webhooks/nobody",
    "/webhooks/SHOP",
    "/webhooks/shop/",
    "/webhooks/shop%2f",
    "/webhooks/sho%70",
    "/webhooks/../webhooks/shop",
    "/webhooks/shop/nothing",
    "/webhooks/guarded",
    "/webhooks/guarded/",
    "/webhooks/guarded/wrong",
    f"/webhooks/guarded/{TOKEN[:-1]}",
    f"/webhooks/guarded/{TOKEN}x",
    f"/webhooks/guarded/{TOKEN.lower()}",
    f"/webhooks/guarded/{TOKEN}/",
    f"/webhooks/guarded?token={TOKEN}",
    f"/webhooks/shop/{TOKEN}",
    "/webhooks/" + "x" * 5000,
]


async def _post(edge: RunningEdge, target: str) -> Answer:
    return await edge.post(GENUINE.headers, GENUINE.body, target)


async def test_unknown_endpoint_and_wrong_token_are_indistinguishable(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        posted = {target: await _post(edge, target) for target in _NOWHERE}
        asked = {
            await exchange(edge.port, request(target, method="GET", body=None))
            for target in _NOWHERE
        }
        forms = {
            await exchange(edge.port, request(target, [("Content-Type", "text/html")], b"x"))
            for target in _NOWHERE
        }

        assert {target: answer.status for target, answer in posted.items()} == dict.fromkeys(
            _NOWHERE, 404
        )
        assert len({*posted.values(), *asked, *forms}) == 1
        assert await edge.records() == []
        assert await edge.counted() == {("unknown", "refused"): 3 * len(_NOWHERE)}
        assert await edge.reasons() == {
            ("unknown", "refused", "unknown_endpoint"): 3 * len(_NOWHERE)
        }


async def test_other_paths_are_not_found_on_the_public_port(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        for target in _ELSEWHERE:
            got = await exchange(edge.port, request(target, method="GET", body=None))
            assert (target, got.status) == (target, 404)
            posted = await _post(edge, target)
            assert (target, posted.status) == (target, 404)

        assert await edge.records() == []
        assert (await edge.reasons())["unknown", "refused", "unknown_endpoint"] == 2 * len(
            _ELSEWHERE
        )


@pytest.mark.parametrize(
    "target",
    [
        "/webhooks/shop",
        "/webhooks/quick_one",
        "/webhooks/shop?",
        "/webhooks/shop?order=A%201&x=%E9",
        f"/webhooks/guarded/{TOKEN}",
        "http://edge.test/webhooks/shop",
    ],
)
async def test_a_delivery_reaches_its_endpoint(
    broker: Broker, topics_prefix: str, target: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        answer = await _post(edge, target)

        assert (answer.status, answer.body) == (200, b"OK")
        assert len(await edge.records()) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_wrong_method_is_answered_with_the_allowed_one_and_publishes_nothing(
    broker: Broker, topics_prefix: str, method: str
) -> None:
    sent = request("/webhooks/shop", GENUINE.headers, GENUINE.body, method)

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        async with connected(edge.port) as connection:
            await connection.send(sent)
            answer = await connection.answer(to_head=method == "HEAD")
            assert await connection.ended()

        assert (answer.status, answer.header("allow")) == (405, "POST")
        assert await edge.records() == []
        assert (await edge.reasons())["blockatm", "refused", "method"] == 1


@pytest.mark.parametrize(
    "types",
    [
        ["application/json"],
        ["Application/JSON"],
        ["application/json; charset=utf-8"],
        ["application/json;charset=UTF-8"],
        [],
        [""],
        ["text/plain"],
        ["application/json, text/plain"],
        ["application/jsonp"],
        ["application/json", "application/json"],
        ["application/json", "text/plain"],
    ],
)
async def test_json_only_gateway_is_read_as_json_with_any_content_type(
    broker: Broker, topics_prefix: str, types: list[str]
) -> None:
    bare = GENUINE.without(CONTENT_TYPE[0])
    headers = [*bare.headers, *(("content-TYPE", value) for value in types)]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        forged = await edge.post(headers, GENUINE.body + b" ")
        answer = await edge.post(headers, GENUINE.body)

        assert (forged.status, answer.status) == (401, 200)
        assert [record.topic for record in await edge.records()] == [edge.topics.name("payment")]


@pytest.mark.parametrize(
    ("coding", "kept_on"), [("gzip", "quarantine"), ("identity", "payment"), ("br", "quarantine")]
)
async def test_body_with_a_content_encoding_is_stored_undecoded(
    broker: Broker, topics_prefix: str, coding: str, kept_on: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        sent = GENUINE.and_also("Content-Encoding", coding)

        assert (await edge.post(sent.headers, sent.body + b" ")).status == 401
        assert (await edge.post(sent.headers, sent.body)).status == 200
        (record,) = await edge.records()
        assert record.topic == f"{topics_prefix}{kept_on}"


async def test_names_of_headers_are_read_in_any_case(broker: Broker, topics_prefix: str) -> None:
    upper = [(name.upper(), value) for name, value in GENUINE.headers]
    lower = [(name.lower(), value) for name, value in GENUINE.headers]
    foreign = [*GENUINE.headers, ("X-Shop", "caf\xe9 \xff")]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        for headers in (upper, lower, foreign):
            assert (await edge.post(headers, GENUINE.body)).status == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /webhooks/sh\xf6p HTTP/1.1\r\n\r\n",
        b"POST /webhooks/shop HTTP/9.9\r\n\r\n",
        b"POST /webhooks/shop HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /webhooks/shop HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /webhooks/shop HTTP/1.1\r\nBlockATM Event: payment\r\n\r\n",
        head("/webhooks/shop", [("Content-Length", "3"), ("Transfer-Encoding", "chunked")]),
    ],
)
async def test_malformed_http_is_refused_and_the_edge_continues(
    broker: Broker, topics_prefix: str, garbage: bytes
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        async with connected(edge.port) as connection:
            await connection.send(garbage)
            assert (await connection.answer()).status == 400

        assert (await edge.post(GENUINE.headers, GENUINE.body)).status == 200
        assert len(await edge.records()) == 1
