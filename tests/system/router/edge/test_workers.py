"""An edge of several processes: all take deliveries, and together they behave like one."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import ssl
from pathlib import Path

import pytest

from tests.parts.brokers import Broker
from tests.parts.edge.edge_command import command
from tests.parts.edge.edge_file import write_configuration
from tests.parts.edge.edge_server import SECRET, make_topics
from tests.parts.edge.living_edge import LivingEdge, living_edge
from tests.parts.edge.raw_http import connected, exchange, request
from tests.parts.edge.workers import (
    SteadyLoad,
    configuration_text,
    delivery,
    is_running,
    kill,
    published,
    until_replaced,
    worker_pids,
    workers_in_log,
)
from tests.parts.ports import free_port
from tests.parts.waiting import eventually

_TLS = Path(__file__).parents[3] / "samples" / "tls"
_NOWHERE = "127.0.0.1:1"
_ACCEPTED = {"endpoint": "shop", "outcome": "accepted"}
_COUNTED = "payrouter_deliveries_total"


async def _statuses(edge: LivingEdge, numbers: range, secret: str = SECRET) -> set[int]:
    answers = await asyncio.gather(*(exchange(edge.port, delivery(n, secret)) for n in numbers))
    return {answer.status for answer in answers}


async def _probe(edge: LivingEdge, path: str) -> tuple[int, str]:
    answer = await exchange(edge.management_port, request(path, method="GET", body=None))
    return answer.status, answer.body.decode().strip()


async def test_all_workers_take_deliveries_and_count_as_one(
    broker: Broker, topics_prefix: str, tmp_path: Path
) -> None:
    await make_topics(broker.bootstrap, topics_prefix)
    numbers = range(100, 164)
    text = configuration_text(broker.bootstrap, topics_prefix, edge="max_in_flight = 1001")

    async with living_edge(tmp_path, text) as edge:
        await edge.until_answered(200, "/readyz")
        assert await _statuses(edge, numbers) == {200}
        # No scrape has read what this one counted: it reports at its end.
        pid = worker_pids(edge.process.pid)[1]
        os.kill(pid, signal.SIGTERM)
        await until_replaced(edge, [pid])
        counted = await edge.metric(_COUNTED, **_ACCEPTED)
        limit = await edge.metric("payrouter_deliveries_in_flight_limit")
        ready = await edge.metric("payrouter_edge_ready")
        running = await edge.metric("payrouter_edge_workers", state="running")

    assert await published(broker.bootstrap, topics_prefix) == dict.fromkeys(
        (f"A-{number}" for number in numbers), 1
    )
    assert (counted, limit, ready, running) == (64, 1001, 1, 2)
    taken = workers_in_log(edge)
    assert taken.keys() == {1, 2}
    assert taken.total() == 64
    assert [(line["worker"], line["status"]) for line in edge.log("worker_ended")] == [(1, 0)]
    (stopped,) = edge.log("edge_stopped")
    workers_stopped = [line["timestamp"] for line in edge.log("worker_stopped")]
    assert len(workers_stopped) == 3
    assert stopped["timestamp"] > max(workers_stopped)


async def test_workers_share_a_port_with_tls(
    broker: Broker, topics_prefix: str, tmp_path: Path
) -> None:
    await make_topics(broker.bootstrap, topics_prefix)
    pair = f"tls_certificate = '{_TLS / 'certificate.pem'}'\ntls_key = '{_TLS / 'key.pem'}'"
    trusted = ssl.create_default_context(cafile=_TLS / "certificate.pem")

    async def deliver(number: int) -> int:
        async with connected(edge.port, trusted) as line:
            await line.send(delivery(number))
            return (await line.answer()).status

    text = configuration_text(broker.bootstrap, topics_prefix, edge=pair)
    async with living_edge(tmp_path, text) as edge:
        await edge.until_answered(200, "/readyz")
        statuses = await asyncio.gather(*map(deliver, range(600, 632)))

    assert set(statuses) == {200}
    assert workers_in_log(edge).keys() == {1, 2}


async def test_killed_worker_loses_no_accepted_delivery_and_no_count(
    broker: Broker, topics_prefix: str, tmp_path: Path
) -> None:
    await make_topics(broker.bootstrap, topics_prefix)
    counts: list[float] = []

    async def scrape() -> None:
        counts.append(await edge.metric(_COUNTED, **_ACCEPTED) or 0)

    async with living_edge(tmp_path, configuration_text(broker.bootstrap, topics_prefix)) as edge:
        await edge.until_answered(200, "/readyz")
        load = SteadyLoad(edge.port)
        async with load.going():
            for number in (1, 2):
                await load.until_accepted(50)
                await scrape()
                pid = worker_pids(edge.process.pid)[number]
                kill([pid])
                await scrape()
                await until_replaced(edge, [pid])
                await scrape()
        await scrape()
        ends = await edge.metric("payrouter_edge_worker_ends_total", how="killed")

    on_topic = await published(broker.bootstrap, topics_prefix)
    assert load.accepted - on_topic.keys() == set()
    assert counts == sorted(counts)
    assert len(load.accepted) >= counts[-1] > 100
    assert [(line["worker"], line["status"]) for line in edge.log("worker_ended")] == [
        (1, -signal.SIGKILL),
        (2, -signal.SIGKILL),
    ]
    assert ends == 2


async def test_connections_in_the_queue_are_served_by_the_successors(
    broker: Broker, topics_prefix: str, tmp_path: Path
) -> None:
    await make_topics(broker.bootstrap, topics_prefix)

    async with living_edge(tmp_path, configuration_text(broker.bootstrap, topics_prefix)) as edge:
        await edge.until_answered(200, "/readyz")
        pids = list(worker_pids(edge.process.pid).values())
        # Stopped, they accept nothing: every connection waits in a queue when they die.
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        waiting = asyncio.create_task(_statuses(edge, range(200, 232)))
        async with connected(edge.port) as last:
            await last.send(delivery(300))
            kill(pids)
            assert (await last.answer()).status == 200
        statuses = await waiting
        await until_replaced(edge, pids)

    assert statuses == {200}
    assert len(await published(broker.bootstrap, topics_prefix)) == 33


async def test_probes_name_the_worker_that_does_not_answer(
    broker: Broker, topics_prefix: str, tmp_path: Path
) -> None:
    await make_topics(broker.bootstrap, topics_prefix)

    async with living_edge(tmp_path, configuration_text(broker.bootstrap, topics_prefix)) as edge:
        await edge.until_answered(200, "/readyz")
        _, ready = await _probe(edge, "/readyz")
        assert await _statuses(edge, range(700, 716)) == {200}
        before = await edge.metric(_COUNTED, **_ACCEPTED)
        pid = worker_pids(edge.process.pid)[2]
        os.kill(pid, signal.SIGSTOP)
        silent = await _probe(edge, "/healthz"), await _probe(edge, "/readyz")
        _, text = await _probe(edge, "/metrics")
        os.kill(pid, signal.SIGCONT)
        await edge.until_answered(200, "/healthz")

    assert ready.startswith("2 workers: ")
    assert silent == ((503, "worker 2 does not answer"), (503, "worker 2 does not answer"))
    # The values of the silent worker are those of the scrape before.
    (counted,) = re.findall(
        rf'^{_COUNTED}{{endpoint="shop",.*"accepted".*}} (.+)$', text, re.MULTILINE
    )
    assert (before, float(counted)) == (16, 16)
    assert "\npayrouter_edge_worker_scrapes_unanswered_total 1.0\n" in text


async def test_open_deliveries_of_all_workers_are_answered_before_the_edge_ends(
    broker: Broker, topics_prefix: str, tmp_path: Path
) -> None:
    await make_topics(broker.bootstrap, topics_prefix)

    async def deliver(number: int) -> int:
        sent = delivery(number)
        async with connected(edge.port) as line:
            await line.send(sent[:-1])
            begun.release()
            await stopping.wait()
            await line.send(sent[-1:])
            return (await line.answer()).status

    begun, stopping = asyncio.Semaphore(0), asyncio.Event()
    text = configuration_text(broker.bootstrap, topics_prefix)
    async with living_edge(tmp_path, text) as edge:
        await edge.until_answered(200, "/readyz")
        open_ones = [asyncio.create_task(deliver(number)) for number in range(400, 416)]
        for _ in open_ones:
            await begun.acquire()
        # Read by the workers, as their budgets show.
        await eventually(lambda: _is(edge, "payrouter_unproved_connections", 16), "16 connections")
        edge.process.terminate()
        await eventually(lambda: len(edge.log("worker_stopping")) == 2, "both workers to stop")
        stopping.set()
        statuses = await asyncio.gather(*open_ones)

    assert set(statuses) == {200}
    assert len(await published(broker.bootstrap, topics_prefix)) == 16
    assert edge.log("worker_killed") == []


async def _is(edge: LivingEdge, name: str, value: float) -> bool:
    return await edge.metric(name) == value


async def test_workers_end_with_a_parent_that_is_killed(
    broker: Broker, topics_prefix: str, tmp_path: Path
) -> None:
    await make_topics(broker.bootstrap, topics_prefix)
    text = configuration_text(broker.bootstrap, topics_prefix)
    # At the end of the block the parent has ended already.
    with contextlib.suppress(ProcessLookupError):
        async with living_edge(tmp_path, text) as edge:
            await edge.until_answered(200, "/readyz")
            pids = worker_pids(edge.process.pid).values()
            kill([edge.process.pid])
            await edge.process.wait()
            try:
                await eventually(lambda: not any(map(is_running, pids)), "the end of the workers")
            finally:
                # They hold the pipe of the log open.
                kill(filter(is_running, pids))
            # The port is free again.
            socket.create_server(("127.0.0.1", edge.port)).close()

    assert len(edge.log("worker_stopped")) == 2


async def test_a_configuration_is_applied_or_refused_in_all_workers_alike(
    broker: Broker, topics_prefix: str, tmp_path: Path
) -> None:
    other = "sck_another-secret-0123456789"
    await make_topics(broker.bootstrap, topics_prefix)

    def text(secret: str, more: str = "") -> str:
        return configuration_text(broker.bootstrap, topics_prefix, secret=secret) + more

    async with living_edge(tmp_path, text(SECRET)) as edge:
        await edge.until_answered(200, "/readyz")
        edge.write(text(other))
        edge.hang_up()
        await edge.until_reloads("applied", 1)
        assert await _statuses(edge, range(500, 516), other) == {200}
        assert await _statuses(edge, range(516, 532)) == {401}

        edge.write(text(SECRET, "[endpoints.new]\nprovider = 'paypal'\n"))
        edge.hang_up()
        await edge.until_reloads("refused", 1)
        assert await edge.metric("payrouter_configuration_last_reload_successful") == 0
        # A successor has the configuration in force, not the one in the file.
        pids = list(worker_pids(edge.process.pid).values())
        kill(pids)
        await until_replaced(edge, pids)
        assert await _statuses(edge, range(532, 548), other) == {200}
        applied = await edge.metric("payrouter_configuration_reloads_total", result="applied")

    assert applied == 1
    assert [line["endpoints"] for line in edge.log("configuration_applied")] == [["shop"]]
    assert len(edge.log("configuration_refused")) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAYROUTER_ENDPOINTS__SHOP__PROVIDER", "paypal"),
        ("PAYROUTER_EDGE__BODY_LIMIT_BYTES", "8000000"),
        ("PAYROUTER_EDGE__TLS_CERTIFICATE", "/nowhere"),
        ("PAYROUTER_EDGE__PORT", "taken"),
        ("PAYROUTER_EDGE__MANAGEMENT_PORT", "taken"),
    ],
)
def test_edge_that_cannot_start_fails_as_one_process_does(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
) -> None:
    path = write_configuration(tmp_path, (free_port(), free_port()), _NOWHERE, "")
    run = command(monkeypatch, capsys)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv(name, value.replace("taken", str(taken.getsockname()[1])))
        if name.endswith("CERTIFICATE"):
            monkeypatch.setenv("PAYROUTER_EDGE__TLS_KEY", value)

        one = run("edge", "--config", str(path))
        several = run("edge", "--config", str(path), "--workers", "2")

    assert (one.status, one.err.count("\n")) == (2, 1)
    assert several == one
