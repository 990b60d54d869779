"""Several requests on one connection, and errors inside the edge itself."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery
from router.edge.app import EdgeProcess
from router.edge.gate import Gate
from router.providers import Key
from router.providers.blockatm import BlockATM
from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import SIGNATURE
from tests.parts.edge.edge_server import SECRET, TOKEN, ready_edge
from tests.parts.edge.mutations import FORGED, GENUINE, NOT_UNDERSTOOD, OUTSIDE_WINDOW, UNREADABLE
from tests.parts.edge.raw_http import connected, exchange, head, request
from tests.parts.waiting import eventually

_WHOLE = request("/webhooks/shop", GENUINE.headers, GENUINE.body)


async def test_connection_serves_deliveries_after_any_earlier_outcome(
    broker: Broker, topics_prefix: str
) -> None:
    requests = [
        (_WHOLE, 200),
        (request("/webhooks/shop", FORGED["no time"].sent.headers, GENUINE.body), 401),
        (_WHOLE, 200),
    ]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        for sent, status in requests:
            await line.send(sent)
            assert (await line.answer()).status == status
        assert len(await edge.records()) == 2


async def test_deliveries_sent_without_waiting_are_answered_in_order(
    broker: Broker, topics_prefix: str
) -> None:
    forged = request("/webhooks/shop", FORGED["no time"].sent.headers, GENUINE.body)

    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        await line.send(_WHOLE + forged + _WHOLE)

        assert [(await line.answer()).status for _ in range(3)] == [200, 401, 200]


async def test_sender_that_expects_continue_gets_it(broker: Broker, topics_prefix: str) -> None:
    expecting = ("Expect", "100-continue")
    length = ("Content-Length", str(len(GENUINE.body)))

    async with ready_edge(broker.bootstrap, topics_prefix) as edge, connected(edge.port) as line:
        await line.send(head("/webhooks/shop", [*GENUINE.headers, length, expecting]))
        assert await line.interim() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await line.send(GENUINE.body)

        assert (await line.answer()).status == 200


async def test_sender_that_expects_continue_gets_an_early_refusal(
    broker: Broker, topics_prefix: str
) -> None:
    expecting = ("Expect", "100-continue")
    length = ("Content-Length", "300000")
    sent = head("/webhooks/shop", [*GENUINE.headers, length, expecting])

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        assert (await exchange(edge.port, sent)).status == 413


@pytest.mark.parametrize("wanted", ["websocket", "h2c"])
async def test_delivery_that_offers_another_protocol_is_accepted_unchanged(
    broker: Broker, topics_prefix: str, wanted: str
) -> None:
    upgrade = [("Connection", "Upgrade"), ("Upgrade", wanted)]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        answer = await edge.post([*GENUINE.headers, *upgrade], GENUINE.body)

        assert answer.status == 200


@dataclass(frozen=True)
class _Broken(BlockATM):
    """A provider with a bug."""

    broken: str = ""

    def verify(self, delivery: Delivery, keys: Sequence[Key]) -> VerifiedDelivery:
        """Verify, or raise the error."""
        self._mistake("verify")
        return super().verify(delivery, keys)

    def normalize(self, verified: VerifiedDelivery) -> Sequence[Event]:
        """Normalize, or raise the error."""
        self._mistake("normalize")
        return super().normalize(verified)

    def _mistake(self, where: str) -> None:
        if self.broken == where:
            message = "a mistake"
            raise ZeroDivisionError(message)


def _broken(where: str) -> Callable[[EdgeProcess], None]:
    def break_it(process: EdgeProcess) -> None:
        gates = dict(process.app.gates)
        broken = replace(gates["shop"].endpoint, provider=_Broken(broken=where))
        process.app.gates = {**gates, "shop": Gate(broken, None)}

    return break_it


async def test_provider_bug_while_reading_sends_a_genuine_delivery_to_quarantine(
    broker: Broker, topics_prefix: str
) -> None:
    change = _broken("normalize")

    async with ready_edge(broker.bootstrap, topics_prefix, change=change) as edge:
        answer = await edge.post(GENUINE.headers, GENUINE.body)
        (record,) = await edge.records()

        assert (answer.status, answer.body) == (200, b"OK")
        assert record.topic == edge.topics.quarantine
        assert json.loads(record.value)["reason"] == "internal"
        assert (await edge.reasons())["blockatm", "quarantined", "internal"] == 1
        assert [line["event"] for line in edge.log if line["log_level"] == "error"] == [
            "provider_failed"
        ]


async def test_provider_bug_while_verifying_is_answered_as_our_error(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix, change=_broken("verify")) as edge:
        answer = await edge.post(GENUINE.headers, GENUINE.body)
        other = await edge.post(GENUINE.headers, GENUINE.body, "/webhooks/shop-two")

        assert (answer.status, answer.header("retry-after")) == (503, "5")
        assert b"mistake" not in answer.body
        assert other.status == 200
        assert len(await edge.records()) == 1
        assert (await edge.reasons())["blockatm", "failed", "internal"] == 1
        assert edge.delivery_lines()[0]["detail"] == "ZeroDivisionError"
        assert [line["event"] for line in edge.log if line["log_level"] == "error"] == [
            "delivery_failed"
        ]


async def test_no_secret_signature_or_body_is_in_any_log_line_or_metric(
    broker: Broker, topics_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "router")
    groups = (FORGED, UNREADABLE, NOT_UNDERSTOOD, OUTSIDE_WINDOW)
    spoilt = [one.sent for group in groups for one in group.values()]

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        for sent in (GENUINE, *spoilt):
            for target in (f"/webhooks/guarded/{TOKEN}", f"/webhooks/guarded/x{TOKEN}"):
                await edge.post(sent.headers, sent.body, target)
        metrics = (await edge.probe("/metrics")).body.decode()
        ready = (await edge.probe("/readyz")).body.decode()
        written = "\n".join([repr(edge.log), caplog.text, metrics, ready])

    signature = GENUINE.headers[1]
    assert signature[0] == SIGNATURE
    for hidden in (SECRET, TOKEN, signature[1], "CustNo_7", "0xcd", "13.410037"):
        assert hidden not in written
    assert len(edge.delivery_lines()) == 2 * len([GENUINE, *spoilt])


async def test_a_delivery_in_flight_is_answered_when_the_edge_stops(
    broker: Broker, topics_prefix: str
) -> None:
    length = ("Content-Length", str(len(GENUINE.body)))

    async with asyncio.TaskGroup() as group:
        async with ready_edge(broker.bootstrap, topics_prefix) as edge:
            reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
            writer.write(head("/webhooks/shop", [*GENUINE.headers, length]))
            await eventually(lambda: edge.process.app.in_flight, "one in flight")

            async def the_rest() -> bytes:
                await asyncio.sleep(0.5)
                writer.write(GENUINE.body)
                return await reader.readline()

            answered = group.create_task(the_rest())
        records = await edge.records()

    writer.close()
    assert answered.result() == b"HTTP/1.1 200 OK\r\n"
    assert len(records) == 1
