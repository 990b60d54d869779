"""The edge as a process: it starts without its broker and stops on a signal."""

import asyncio
import contextlib
import json
import re
import signal
import socket
import ssl
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from router.contract.topics import Topics
from router.providers._signing import unix_ms_text
from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import Webhook, webhook
from tests.parts.edge.edge_command import command
from tests.parts.edge.edge_file import write_configuration
from tests.parts.edge.edge_server import SECRET, make_topics, read_records
from tests.parts.edge.raw_http import Answer, connected, exchange, head, request, reset
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.leash import Leash
from tests.parts.ports import free_port
from tests.parts.providers.blockatm_deliveries import PAYMENT, body_of
from tests.parts.waiting import eventually

_PATIENCE_SECONDS = 40.0

_TLS = Path(__file__).parents[3] / "samples" / "tls"

# No process listens there: connections are refused at once.
_NOWHERE = "127.0.0.1:1"


@dataclass(frozen=True)
class _EdgeProcess:
    """`payrouter edge`, started by the test."""

    process: Process
    port: int
    management_port: int
    errors: list[str]
    """Its lines on standard error, all of them once it has ended."""

    async def post(self, sent: Webhook) -> Answer:
        """Post a delivery."""
        return await exchange(self.port, request("/webhooks/shop", sent.headers, sent.body))

    async def until(self, status: int, path: str) -> None:
        """Wait until the management port answers a path with this status."""
        asked = request(path, method="GET", body=None)

        async def answered() -> bool:
            assert self.process.returncode is None
            with contextlib.suppress(ConnectionError):
                return (await exchange(self.management_port, asked)).status == status
            return False

        await eventually(answered, f"status {status} of {path}", seconds=_PATIENCE_SECONDS)

    async def until_one_in_flight(self) -> None:
        """Wait until one delivery is being answered."""

        async def in_flight() -> bool:
            return await self.gauge("payrouter_deliveries_in_flight") == 1

        await eventually(in_flight, "a delivery in flight")

    async def gauge(self, name: str) -> float:
        """Return the value of a metric without labels."""
        asked = request("/metrics", method="GET", body=None)
        said = (await exchange(self.management_port, asked)).body.decode()
        (value,) = re.findall(rf"^{name} (.+)$", said, re.MULTILINE)
        return float(value)

    async def until_all_arrived(self, pending: Collection[asyncio.Task[Answer]]) -> None:
        """Wait until each delivery is answered or in flight."""

        async def arrived() -> bool:
            # In this order: no delivery is counted twice.
            answered = sum(task.done() for task in pending)
            return answered + await self.gauge("payrouter_deliveries_in_flight") >= len(pending)

        await eventually(arrived, f"{len(pending)} deliveries have arrived")

    async def until_stopping(self) -> None:
        """Wait until the port for deliveries refuses connections."""

        async def refused() -> bool:
            with contextlib.suppress(ConnectionRefusedError):
                async with connected(self.port):
                    return False
            return True

        await eventually(refused, "connections refused", seconds=_PATIENCE_SECONDS)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send SIGTERM and return its exit code."""
        self.process.send_signal(number)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def _edge(directory: Path, bootstrap: str, prefix: str = "") -> AsyncIterator[_EdgeProcess]:
    ports = free_port(), free_port()
    path = write_configuration(directory, ports, bootstrap, prefix)
    command = [sys.executable, "-m", "consumers", "edge", "--config", str(path)]
    process = await asyncio.create_subprocess_exec(*command, stderr=PIPE, cwd=directory)
    leash = Leash(process.pid)
    errors: list[str] = []
    reading = asyncio.create_task(_read(process, errors))
    try:
        yield _EdgeProcess(process, *ports, errors)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading
        leash.release()


async def _read(process: Process, lines: list[str]) -> None:
    assert process.stderr is not None
    lines.extend([line.decode() async for line in process.stderr])


def _now() -> Webhook:
    return webhook(body_of(PAYMENT), time=unix_ms_text(datetime.now(UTC)))


def _assert_ended_in_order(edge: _EdgeProcess) -> None:
    events = [json.loads(line)["event"] for line in edge.errors]
    assert (events.count("edge_stopping"), events[-1]) == (1, "edge_stopped")
    assert not [line for line in edge.errors if "Traceback" in line or "never" in line]
    assert not [line for line in edge.errors if SECRET in line]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_edge_that_never_reached_its_broker_stops_on_a_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with _edge(tmp_path, _NOWHERE) as edge:
        await edge.until(503, "/readyz")
        answer = await edge.post(_now())
        code = await edge.stop(number)

    assert (answer.status, code) == (503, 0)
    _assert_ended_in_order(edge)


@pytest.mark.kafka
@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_edge_whose_broker_is_down_stops_with_deliveries_in_flight(
    own_kafka: ApacheKafka, topics_prefix: str, tmp_path: Path, how: str
) -> None:
    await make_topics(own_kafka.bootstrap, topics_prefix)

    async with _edge(tmp_path, own_kafka.bootstrap, topics_prefix) as edge:
        await edge.until(200, "/readyz")
        assert (await edge.post(_now())).status == 200
        await asyncio.to_thread(own_kafka.kill if how == "killed" else own_kafka.pause)
        pending = [asyncio.create_task(edge.post(_now())) for _ in range(20)]
        await edge.until_all_arrived(pending)
        code = await edge.stop()
        answers = await asyncio.gather(*pending)

    assert code == 0
    assert {answer.status for answer in answers} == {503}
    _assert_ended_in_order(edge)


async def test_open_delivery_is_published_and_answered_before_the_edge_ends(
    broker: Broker, topics_prefix: str, tmp_path: Path
) -> None:
    sent = _now()
    length = ("Content-Length", str(len(sent.body)))
    await make_topics(broker.bootstrap, topics_prefix)

    async with _edge(tmp_path, broker.bootstrap, topics_prefix) as edge:
        await edge.until(200, "/readyz")
        async with connected(edge.port) as line:
            await line.send(head("/webhooks/shop", [*sent.headers, length]))
            # Once a later connection is answered, the edge has read what came before it.
            assert (await exchange(edge.port, request("/nowhere"))).status == 404
            ending = asyncio.create_task(edge.stop())
            await edge.until_stopping()
            await line.send(sent.body)
            answer = await line.answer()
        code = await ending

    assert (answer.status, code) == (200, 0)
    assert len(await read_records(broker.bootstrap, [Topics(topics_prefix).name("payment")])) == 1
    _assert_ended_in_order(edge)


@pytest.mark.kafka
@pytest.mark.parametrize("away", [False, True], ids=["the broker returns", "the broker is away"])
async def test_delivery_in_flight_whose_sender_has_gone_has_one_result_before_the_edge_ends(
    own_kafka: ApacheKafka, topics_prefix: str, tmp_path: Path, *, away: bool
) -> None:
    sent = _now()
    await make_topics(own_kafka.bootstrap, topics_prefix)

    async with _edge(tmp_path, own_kafka.bootstrap, topics_prefix) as edge:
        await edge.until(200, "/readyz")
        await asyncio.to_thread(own_kafka.pause)
        async with connected(edge.port) as line:
            await line.send(request("/webhooks/shop", sent.headers, sent.body))
            await edge.until_one_in_flight()
            reset(line)
        ending = asyncio.create_task(edge.stop())
        await edge.until_stopping()
        if not away:
            own_kafka.resume()
        code = await ending
    own_kafka.resume()
    records = await read_records(own_kafka.bootstrap, [Topics(topics_prefix).name("payment")])

    assert code == 0
    lines = [json.loads(line) for line in edge.errors]
    (delivery,) = [line for line in lines if line["event"] == "delivery"]
    assert delivery["outcome"] == ("failed" if away else "accepted")
    # One that failed may have been written all the same: the gateway sends it again.
    assert len(records) <= 1 if away else len(records) == 1
    _assert_ended_in_order(edge)


async def test_edge_exports_the_delay_of_its_event_loop(tmp_path: Path) -> None:
    async with _edge(tmp_path, _NOWHERE) as edge:
        await edge.until(503, "/readyz")

        async def measured() -> bool:
            return await edge.gauge("payrouter_event_loop_delay_seconds_count") > 0

        await eventually(measured, "a measured delay")


async def test_an_edge_with_a_certificate_speaks_tls_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = _now()
    monkeypatch.setenv("PAYROUTER_EDGE__TLS_CERTIFICATE", str(_TLS / "certificate.pem"))
    monkeypatch.setenv("PAYROUTER_EDGE__TLS_KEY", str(_TLS / "key.pem"))
    trusted = ssl.create_default_context(cafile=_TLS / "certificate.pem")

    async with _edge(tmp_path, _NOWHERE) as edge:
        await edge.until(503, "/readyz")
        async with connected(edge.port, trusted) as line:
            await line.send(request("/webhooks/shop", sent.headers, sent.body))
            answer = await line.answer()
        async with connected(edge.port) as line:
            await line.send(request("/webhooks/shop", sent.headers, sent.body))
            with contextlib.suppress(ConnectionError):
                assert await line.ended()
        code = await edge.stop()

    assert (answer.status, code) == (503, 0)


@pytest.mark.parametrize("variable", ["PORT", "MANAGEMENT_PORT"])
async def test_port_in_use_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv(f"PAYROUTER_EDGE__{variable}", str(taken.getsockname()[1]))
        async with _edge(tmp_path, _NOWHERE) as edge:
            code = await edge.process.wait()

    assert code == 2
    assert len(edge.errors) == 1
    assert "cannot listen on 127.0.0.1:" in edge.errors[0]


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("PAYROUTER_EDGE__PORTS", "1", "edge.ports"),
        ("PAYROUTER_KAFKA__BOOTSTRAP_SERVERS", f"{SECRET}@kafka", "kafka.bootstrap_servers"),
        ("PAYROUTER_DATABASE__URL", f"mysql://u:{SECRET}@h/d", "database.url"),
        ("PAYROUTER_ENDPOINTS__SHOP__PROVIDER", "paypal", "endpoints.shop.provider"),
        ("PAYROUTER_ENDPOINTS__SHOP__SECRETS", "[]", "endpoints.shop"),
        ("PAYROUTER_ENDPOINTS__OTHER__SECRETS", SECRET, "endpoints.other.provider"),
        ("PAYROUTER_EDGE__BODY_LIMIT_BYTES", "8000000", "edge.body_limit_bytes"),
    ],
)
def test_invalid_configuration_key_is_reported_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    key: str,
) -> None:
    monkeypatch.setenv(name, value)
    path = write_configuration(tmp_path, (free_port(), free_port()), _NOWHERE, "")

    # In this process, which takes a tenth of the time; the tests above start processes.
    said = command(monkeypatch, capsys)("edge", "--config", str(path))

    assert said.status == 2
    assert said.err.count("\n") == 1
    assert said.err.startswith(f"payrouter: {key}")
    assert SECRET not in said.err
