"""Lines are written in order, never wait for the reader, and are dropped beyond a bound."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.telemetry.output import FAILED, FULL, LogOutput
from tests.parts.waiting import until

PATIENCE_SECONDS = 20.0


@dataclass
class Reader:
    """A sink: reads if it is awake, and takes at most so many bytes at once."""

    awake: bool = True
    takes: int = 1 << 30
    problem: OSError | None = None
    calls: list[bytes] = field(default_factory=list)
    woken: threading.Event = field(default_factory=threading.Event)
    encoding: str = "utf-8"

    def send(self, data: bytes) -> int:
        """Read some of it."""
        if self.problem is not None:
            raise self.problem
        if not self.awake:
            raise BlockingIOError
        self.calls.append(data[: self.takes])
        return len(self.calls[-1])

    def wait(self, seconds: float) -> None:
        """Wait until it is awake."""
        self.woken.wait(min(seconds, 0.05))

    def wake(self) -> None:
        """Read from now on."""
        self.awake = True
        self.woken.set()

    @property
    def text(self) -> str:
        """What it has read."""
        return b"".join(self.calls).decode()


@pytest.fixture
def reader() -> Iterator[Reader]:
    """Give a reader, and wake it at the end, so that no thread waits for it."""
    reader = Reader()
    yield reader
    reader.problem = None
    reader.wake()


def test_line_is_written_at_once_with_one_call(reader: Reader) -> None:
    LogOutput(reader).write("a line\n")

    assert reader.calls == [b"a line\n"]


async def test_lines_of_a_turn_are_written_with_one_call(reader: Reader) -> None:
    output = LogOutput(reader)
    for number in range(3):
        output.later(f"line {number}\n")
    assert reader.calls == []

    await asyncio.sleep(0)

    assert reader.calls == [b"line 0\nline 1\nline 2\n"]


async def test_next_turn_has_a_separate_write(reader: Reader) -> None:
    output = LogOutput(reader)
    for number in range(2):
        output.later(f"line {number}\n")
        await asyncio.sleep(0)

    assert reader.calls == [b"line 0\n", b"line 1\n"]


async def test_line_written_at_once_comes_after_those_that_wait(reader: Reader) -> None:
    output = LogOutput(reader)
    output.later("first\n")
    output.write("second\n")
    output.later("third\n")
    await asyncio.sleep(0)

    assert reader.text == "first\nsecond\nthird\n"


async def test_lines_that_fill_a_write_do_not_wait_for_the_end_of_the_turn(
    reader: Reader,
) -> None:
    output = LogOutput(reader)
    for _ in range(50):
        output.later("x" * 99 + "\n")

    assert [len(call) for call in reader.calls] == [4000]


def test_without_an_event_loop_lines_do_not_wait(reader: Reader) -> None:
    LogOutput(reader).later("a line\n")

    assert reader.text == "a line\n"


def test_line_of_a_loop_that_ended_is_written_with_that_of_the_next(reader: Reader) -> None:
    output = LogOutput(reader)
    ended = asyncio.new_event_loop()
    ended.call_soon(output.later, "left over\n")
    ended.call_soon(ended.stop)
    ended.run_forever()
    ended.close()

    async def later() -> None:
        output.later("next\n")
        await asyncio.sleep(0)

    asyncio.run(later())

    assert reader.text == "left over\nnext\n"


@given(
    lines=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=20),
    takes=st.integers(1, 60),
)
def test_reader_that_takes_little_at_once_gets_everything(lines: list[str], takes: int) -> None:
    reader = Reader(takes=takes)
    output = LogOutput(reader)
    for line in lines:
        output.write(f"{line}\n")

    assert reader.text == "".join(f"{line}\n" for line in lines)
    assert output.dropped == {FULL: 0, FAILED: 0}


async def test_writes_end_at_the_end_of_a_line_and_are_short(reader: Reader) -> None:
    output = LogOutput(reader)
    for number in range(300):
        output.later(f"line {number} {'x' * 50}\n")
    assert output.drain(PATIENCE_SECONDS)

    assert all(call.endswith(b"\n") and 3900 < len(call) <= 4096 for call in reader.calls[:-1])
    assert reader.text.count("\n") == 300


async def test_lines_of_a_turn_beyond_the_bound_are_all_counted(reader: Reader) -> None:
    output = LogOutput(reader, most_bytes=10)
    reader.awake = False
    for _ in range(2):
        for number in range(3):
            output.later(f"line {number}\n")
        await asyncio.sleep(0)

    assert output.dropped[FULL] == 3


def test_lines_for_a_reader_that_stopped_wait_and_those_beyond_the_bound_are_dropped(
    reader: Reader,
) -> None:
    told: list[int] = []
    output = LogOutput(reader, told.append, most_bytes=70)
    reader.awake = False

    for number in range(20):
        output.write(f"line {number:2}\n")

    assert reader.calls == []
    assert output.dropped == {FULL: 12, FAILED: 0}
    assert told == []


def test_reader_that_reads_again_gets_the_kept_lines_then_the_number_of_the_dropped(
    reader: Reader,
) -> None:
    output = LogOutput(reader, lambda count: output.write(f"{count} dropped\n"), most_bytes=16)
    reader.awake = False
    for number in range(4):
        output.write(f"line {number}\n")

    reader.wake()
    until(lambda: "dropped" in reader.text, "the number of the dropped lines")
    output.write("line 4\n")

    assert reader.text == "line 0\nline 1\n2 dropped\nline 4\n"


def test_failing_reader_does_not_raise_and_its_lines_are_counted(reader: Reader) -> None:
    told: list[int] = []
    output = LogOutput(reader, told.append)
    reader.problem = OSError(28, "no space left")
    output.write("lost\n")
    output.write("lost\n")
    assert (output.dropped, told) == ({FULL: 0, FAILED: 2}, [])

    reader.problem = None
    output.write("kept\n")

    assert reader.text == "kept\n"
    assert told == [2]


def test_number_of_dropped_lines_that_cannot_be_written_is_not_repeated_forever(
    reader: Reader,
) -> None:
    output = LogOutput(reader, lambda count: output.write(f"{count} dropped\n"))
    reader.problem = OSError(28, "no space left")

    output.write("lost\n")

    assert output.dropped[FAILED] == 1


def test_drain_waits_no_longer_than_it_may(reader: Reader) -> None:
    output = LogOutput(reader)
    reader.awake = False
    output.write("a line\n")

    assert not output.drain(0.01)
    reader.wake()
    assert output.drain(PATIENCE_SECONDS)
    assert reader.text == "a line\n"


def test_line_logged_while_a_line_is_written_follows_it(reader: Reader) -> None:
    """A destructor runs at any time, and may log."""
    output = LogOutput(reader)
    send, logged = reader.send, False

    def send_and_log(data: bytes) -> int:
        nonlocal logged
        if not logged:
            logged = True
            output.write("within\n")
        return send(data)

    reader.send = send_and_log  # type: ignore[method-assign]
    output.write("first\n")

    assert reader.text == "first\nwithin\n"


def test_lines_of_several_threads_are_whole_and_complete(reader: Reader) -> None:
    output = LogOutput(reader)
    reader.takes = 7

    def write() -> None:
        for _ in range(200):
            output.write("a line of ten words\n")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert output.drain(PATIENCE_SECONDS)
    assert reader.text == "a line of ten words\n" * 800


def test_characters_beyond_the_encoding_are_escaped() -> None:
    reader = Reader(encoding="ascii")
    LogOutput(reader).write("größer \udcff\n")

    assert reader.text == "gr\\xf6\\xdfer \\udcff\n"
