"""Every request gets its own answer, once, on both event loops."""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

import pytest

from router.edge.http.bounds import HttpBounds
from tests.parts.edge.open_door import OpenDoor, by_each_way, on_each_loop, open_door, run
from tests.parts.edge.raw_http import chunk, connected, head, request, reset
from tests.parts.waiting import eventually

Loop = Callable[[], asyncio.AbstractEventLoop]
_WHOLE = request("/", (), b"paid")
_CHUNKED = head("/", [("Transfer-Encoding", "chunked")])
_CLOSING = request("/", [("Connection", "close")], b"paid")


def _has(door: OpenDoor, number: int) -> bool:
    return len(door.bodies) >= number


async def _slowly(_body: bytes) -> int:
    await asyncio.sleep(0.6)
    return 200


@on_each_loop
@by_each_way
@pytest.mark.parametrize("number", [1, 3])
def test_a_sender_that_closes_its_half_gets_its_answers(
    loop: Loop, number: int, *, direct: bool
) -> None:
    async def test() -> None:
        async with open_door(_slowly, direct=direct) as door, connected(door.port) as line:
            await line.send(_WHOLE * number)
            line.writer.write_eof()

            assert [(await line.answer()).status for _ in range(number)] == [200] * number
            assert await line.ended()
            await door.until_gone()
            assert door.direct == (1 if direct else 0)

    run(loop, test())


@on_each_loop
def test_a_sender_that_closes_its_half_early_is_closed(loop: Loop) -> None:
    async def test() -> None:
        async with open_door() as door, connected(door.port) as line:
            await line.send(_WHOLE[:-1])
            line.writer.write_eof()

            assert await line.ended()
            assert door.bodies == []
            await door.until_gone()

    run(loop, test())


@on_each_loop
@by_each_way
def test_slow_answer_is_not_cut_off_by_read_timeouts(loop: Loop, *, direct: bool) -> None:
    quick = HttpBounds(head_seconds=0.2, idle_seconds=0.2, write_seconds=0.2, linger_seconds=0.2)

    async def test() -> None:
        async with (
            open_door(_slowly, bounds=quick, direct=direct) as door,
            connected(door.port) as line,
        ):
            await line.send(_WHOLE + _WHOLE + _WHOLE[:5])

            answers = [await line.answer() for _ in range(2)]
            assert [answer.status for answer in answers] == [200, 200]
            assert await line.ended()

    run(loop, test())


@on_each_loop
def test_slow_body_is_not_cut_off_by_head_timeouts(loop: Loop) -> None:
    quick = HttpBounds(head_seconds=0.2, idle_seconds=0.2)

    async def test() -> None:
        async with open_door(bounds=quick) as door, connected(door.port) as line:
            for _ in range(2):
                await line.send(head("/", [("Content-Length", "4")]))
                for byte in (b"p", b"a", b"i", b"d"):
                    await asyncio.sleep(0.15)
                    await line.send(byte)
                assert (await line.answer()).body == b"paid"

    run(loop, test())


@on_each_loop
def test_a_request_counts_once_it_has_arrived_whole(loop: Loop) -> None:
    async def test() -> None:
        lines = contextlib.AsyncExitStack()
        async with open_door(direct=False) as door, lines:
            line = await lines.enter_async_context(connected(door.port))
            other = await lines.enter_async_context(connected(door.port))
            await line.send(_WHOLE[:-1])
            await other.send(_WHOLE)
            assert (await other.answer()).status == 200
            assert door.arrived == 1
            await line.send(_WHOLE[-1:])
            assert (await line.answer()).body == b"paid"
            assert door.arrived == 2

    run(loop, test())


@on_each_loop
@pytest.mark.parametrize("shedding", [True, None])
def test_a_request_that_is_refused_anyway_does_not_count(
    loop: Loop,
    shedding: bool | None,  # noqa: FBT001 - an answer of the edge
) -> None:
    async def test() -> None:
        async with open_door(direct=False) as door, connected(door.port) as line:
            door.shedding = shedding
            await line.send(_WHOLE)
            await line.answer()

            assert door.arrived == 0

    run(loop, test())


@on_each_loop
def test_edge_bug_is_reported_and_not_blamed_on_the_sender(loop: Loop) -> None:
    async def test() -> None:
        async with open_door() as door, connected(door.port) as line:
            door.shed_error = ZeroDivisionError("a mistake")
            await line.send(_WHOLE)

            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await line.answer()
            assert door.seen.malformed_requests == []
            assert len(door.seen.errors) == 1

    run(loop, test())


@pytest.mark.parametrize(
    "target",
    ["*", "//", "no-path", "http://", "http://a", "a:1", "/\x7f", "/ü", "http://[::1", "?"],
)
async def test_any_target_is_answered_without_an_error(target: str) -> None:
    async with open_door() as door, connected(door.port) as line:
        await line.send(request(target, (), b"paid"))

        assert (await line.answer()).status in {200, 400}
        assert door.seen.errors == []


@on_each_loop
def test_an_answer_to_head_under_overload_has_no_body(loop: Loop) -> None:
    async def test() -> None:
        async with open_door() as door, connected(door.port) as line:
            door.shedding = True
            await line.send(request("/", (), None, "HEAD"))
            assert (await line.answer(to_head=True)).status == 503
            door.shedding = False
            await line.send(_WHOLE)

            assert (await line.answer()).status == 200

    run(loop, test())


@on_each_loop
@by_each_way
def test_a_whole_request_that_gives_way_for_its_bytes_is_answered(
    loop: Loop, *, direct: bool
) -> None:
    async def test() -> None:
        async with open_door(most_bytes=10, direct=direct) as door, connected(door.port) as line:
            await line.send(_WHOLE)

            assert (await line.answer()).status == 503
            assert await line.ended()
            assert door.bodies == []

    run(loop, test())


@on_each_loop
def test_a_malformed_chunk_after_an_early_answer_gets_no_second_answer(loop: Loop) -> None:
    async def test() -> None:
        async with (
            open_door(bounds=HttpBounds(linger_seconds=0.2), early=True) as door,
            connected(door.port) as line,
        ):
            await line.send(head("/", [("Transfer-Encoding", "chunked")]) + chunk(b"a"))
            assert (await line.answer()).status == 404
            await line.send(b"garbage\r\n")

            assert await line.ended()
            await door.until_gone()

    run(loop, test())


@on_each_loop
@by_each_way
def test_a_sender_that_resets_pipelined_requests_causes_no_error(
    loop: Loop, caplog: pytest.LogCaptureFixture, *, direct: bool
) -> None:
    async def test() -> None:
        async with open_door(_slowly, direct=direct) as door:
            for number in range(1, 4):
                async with connected(door.port) as line:
                    await line.send(_WHOLE * 3)
                    await eventually(partial(_has, door, number), f"body {number}", pause=0.01)
                    reset(line)
            await asyncio.sleep(1)

            assert len(door.bodies) == 3
            assert door.direct == (3 if direct else 0)
            assert door.seen.errors == []

    run(loop, test())
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@on_each_loop
@pytest.mark.parametrize("follows", [_WHOLE, _CLOSING, b"garbage"])
@pytest.mark.parametrize("sent", [_CLOSING, _CHUNKED + b"garbage"])
def test_nothing_is_answered_after_a_shed_request_that_ends_the_connection(
    loop: Loop, sent: bytes, follows: bytes
) -> None:
    async def test() -> None:
        async with open_door() as door, connected(door.port) as line:
            door.shedding = True
            await line.send(sent + follows)

            assert (await line.answer()).header("connection") == "close"
            assert await line.ended()
            assert door.seen.errors == []

    run(loop, test())
