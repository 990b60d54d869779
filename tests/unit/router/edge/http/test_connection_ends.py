"""Every connection ends and frees its descriptor, on both loops, with any sender."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from router.edge.http.admission import Visit
from router.edge.http.bounds import HttpBounds
from tests.parts.edge.open_door import (
    OpenDoor,
    by_each_way,
    certificate,
    on_each_loop,
    open_door,
    run,
    trusting,
)
from tests.parts.edge.raw_http import connected, head, request, reset
from tests.parts.waiting import eventually

Loop = Callable[[], asyncio.AbstractEventLoop]
_WHOLE = request("/", (), b"paid")


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def _until_descriptors(most: int) -> None:
    await eventually(lambda: _descriptors() <= most, f"{most} descriptors", seconds=20, pause=0.02)


def _counting_accepted(door: OpenDoor) -> list[Visit]:
    """Return a list that gets every visit from now on."""
    accepted: list[Visit] = []
    enter = door.admission.enter

    def counted(visit: Visit) -> bool:
        accepted.append(visit)
        return enter(visit)

    door.admission.enter = counted  # type: ignore[method-assign]
    return accepted


async def _until_accepted(accepted: list[Visit], number: int) -> None:
    await eventually(lambda: len(accepted) >= number, f"{number} connections", pause=0.01)


@contextlib.asynccontextmanager
async def _reading_nothing(port: int) -> AsyncIterator[socket.socket]:
    with socket.socket() as quiet:
        quiet.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        quiet.connect(("127.0.0.1", port))
        quiet.settimeout(0)
        yield quiet


@on_each_loop
def test_line_ends_between_requests_do_not_keep_a_connection(loop: Loop) -> None:
    async def test() -> None:
        bounds = HttpBounds(idle_seconds=0.3)
        async with open_door(bounds=bounds) as door, connected(door.port) as line:
            await line.send(_WHOLE)
            assert (await line.answer()).status == 200
            await line.send(b"\r\n")

            assert await line.ended()

    run(loop, test())


@on_each_loop
@pytest.mark.parametrize("number", [100, 1200])
def test_a_sender_that_reads_no_answers_frees_its_descriptor(loop: Loop, number: int) -> None:
    bounds = HttpBounds(idle_seconds=0.3, write_seconds=0.5, head_seconds=0.6)

    async def test() -> None:
        async with (
            open_door(bounds=bounds, sent_bytes=2048) as door,
            _reading_nothing(door.port) as quiet,
        ):
            with contextlib.suppress(ConnectionError, TimeoutError):
                # One at a time, so that the edge continues to read while its answers wait.
                await _send_often(quiet, _WHOLE, number, 0.003)

            await _until_no_connection(door)

    run(loop, test())


async def _send_often(quiet: socket.socket, data: bytes, times: int, pause: float) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(times):
        async with asyncio.timeout(3):
            await loop.sock_sendall(quiet, data)
        await asyncio.sleep(pause)


async def _until_no_connection(door: OpenDoor) -> None:
    shares = door.admission._shares  # noqa: SLF001 - proved ones are not counted
    await eventually(lambda: not shares, "no connection", seconds=20, pause=0.01)


@on_each_loop
@by_each_way
def test_a_reset_is_noticed_while_the_first_of_several_deliveries_is_published(
    loop: Loop, *, direct: bool
) -> None:
    let_go = asyncio.Event()

    async def held(_body: bytes) -> int:
        await let_go.wait()
        return 200

    async def test() -> None:
        async with open_door(held, direct=direct) as door, connected(door.port) as line:
            await line.send(_WHOLE * 3)
            await eventually(lambda: door.bodies, "a body", pause=0.01)
            reset(line)

            await _until_no_connection(door)
            let_go.set()
            assert len(door.bodies) == 1
            assert door.seen.errors == []

    run(loop, test())


@on_each_loop
def test_a_shed_sender_that_reads_no_answers_is_cut_off(loop: Loop) -> None:
    async def test() -> None:
        async with open_door() as door, _reading_nothing(door.port) as quiet:
            door.shedding = True
            # The limit of the kernel; an edge that buffers more answers accepts far more requests.
            with pytest.raises(ConnectionError):
                await _send_often(quiet, _WHOLE * 1000, 100, 0)

    run(loop, test())


@on_each_loop
def test_connections_that_gave_way_over_tls_free_their_descriptors_soon(loop: Loop) -> None:
    bounds = HttpBounds(write_seconds=1000, idle_seconds=1000)

    def opened(port: int) -> socket.socket:
        line = trusting().wrap_socket(
            socket.create_connection(("127.0.0.1", port)), server_hostname="localhost"
        )
        line.sendall(_WHOLE)
        assert line.recv(12) == b"HTTP/1.1 200"
        return line

    async def test() -> None:
        async with open_door(bounds=bounds, tls=certificate(), most=4) as door:
            with contextlib.ExitStack() as lines:
                before = _descriptors()
                for _ in range(20):
                    lines.enter_context(await asyncio.to_thread(opened, door.port))

                await _until_descriptors(before + 20 + 4 + 2)

    run(loop, test())


@on_each_loop
def test_a_burst_of_handshakes_frees_its_descriptors(loop: Loop) -> None:
    async def test() -> None:
        async with open_door(tls=certificate(), most=4) as door:
            before = _descriptors()
            accepted = _counting_accepted(door)
            with contextlib.ExitStack() as lines:
                for _ in range(200):
                    lines.enter_context(socket.create_connection(("127.0.0.1", door.port)))
                await _until_accepted(accepted, 200)

                await _until_descriptors(before + 200 + 4 + 8)
            await door.until_gone()
            await _until_descriptors(before + 2)
            # Handshakes of connections that gave way do not count as failures.
            assert len(door.seen.handshakes) <= 4
            assert door.seen.errors == []

    run(loop, test())


@on_each_loop
def test_accepting_handshakes_lets_other_work_run(loop: Loop) -> None:
    async def test() -> None:
        async with open_door(tls=certificate(), most=4) as door:
            with contextlib.ExitStack() as lines:
                for _ in range(100):
                    lines.enter_context(socket.create_connection(("127.0.0.1", door.port)))
                accepted = _counting_accepted(door)
                await asyncio.sleep(0)
                await asyncio.sleep(0)

                assert len(accepted) < 10
                await _until_accepted(accepted, 100)

    run(loop, test())


@on_each_loop
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
def test_stopping_edge_answers_open_requests_and_accepts_no_new_ones(
    loop: Loop, *, encrypted: bool
) -> None:
    let_go = asyncio.Event()

    async def held(_body: bytes) -> int:
        await let_go.wait()
        return 200

    async def test() -> None:
        tls = certificate() if encrypted else None
        async with contextlib.AsyncExitStack() as stack:
            door = await stack.enter_async_context(open_door(held, tls=tls, drain_seconds=20))
            lines = contextlib.AsyncExitStack()
            client = trusting() if encrypted else None
            working = await lines.enter_async_context(connected(door.port, client))
            await working.send(_WHOLE)
            arriving = await lines.enter_async_context(connected(door.port, client))
            await arriving.send(_WHOLE[:-1])
            idle = [
                await lines.enter_async_context(connected(door.port, tls))
                for tls in (client, None, None)
            ]
            await idle[1].send(b"\x16\x03\x01\x02\x00" if encrypted else b"POST")
            await eventually(lambda: door.bodies, "a body", pause=0.01)

            stopping = asyncio.create_task(stack.aclose())
            assert [await line.ended() for line in idle] == [True] * 3
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", door.port)).close()
            let_go.set()
            await arriving.send(b"d")
            for line in (working, arriving):
                answer = await line.answer()
                assert (answer.status, answer.header("connection")) == (200, "close")
            async with asyncio.timeout(10):
                await stopping
            assert door.admission.count == 0
            await lines.aclose()

    run(loop, test())


@on_each_loop
def test_an_edge_that_can_no_longer_accept_ends(loop: Loop) -> None:
    async def test() -> None:
        def broken(_visit: object) -> bool:
            message = "a mistake"
            raise ZeroDivisionError(message)

        async with open_door(tls=certificate()) as door:
            door.admission.enter = broken  # type: ignore[method-assign,assignment]
            socket.create_connection(("127.0.0.1", door.port)).close()
            await asyncio.sleep(20)

    with pytest.raises(ExceptionGroup):
        run(loop, test())


@on_each_loop
def test_a_connection_between_requests_is_closed_when_the_edge_stops(loop: Loop) -> None:
    async def test() -> None:
        async with contextlib.AsyncExitStack() as stack:
            door = await stack.enter_async_context(open_door(drain_seconds=20))
            async with connected(door.port) as line:
                await line.send(_WHOLE)
                await line.answer()
                await line.send(head("/", [])[:10])
                async with asyncio.timeout(10):
                    await stack.aclose()

    run(loop, test())
