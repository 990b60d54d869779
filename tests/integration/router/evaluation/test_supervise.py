"""A child process is started, restarted, stopped in time, and never orphaned."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from router.errors import ConfigurationError
from router.evaluation.supervise import Child, ChildLimits
from tests.parts.waiting import eventually

PATIENCE_SECONDS = 30.0

LASTING = "import signal; print('here', flush=True); signal.pause()"
DEAF = (
    "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "open(sys.argv[1], 'w').close(); signal.pause()"
)
COUNTING = "import sys; open(sys.argv[1], 'a').write('x')"
DEVOTED = "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); sys.stdin.read()"

Starting = Callable[..., Child]


@pytest.fixture
async def child() -> AsyncIterator[tuple[Starting, list[str]]]:
    """Return a function that makes a child from a line of Python, and the list of its messages."""
    said: list[str] = []
    made: list[Child] = []

    def make(program: str, *arguments: str, **limits: float) -> Child:
        argv = [sys.executable, "-c", program, *arguments]
        made.append(
            Child("worker", argv, "http://127.0.0.1:1", said.append, limits=limited(**limits))
        )
        return made[-1]

    yield make, said
    for one in made:
        await one.stop()


def limited(**limits: float) -> ChildLimits:
    return replace(ChildLimits(), **limits)  # type: ignore[arg-type] # by name


def gone(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return False
    return True


async def test_a_child_that_lasts_is_stopped_by_a_termination_signal(
    child: tuple[Starting, list[str]],
) -> None:
    make, said = child
    worker = make(LASTING)
    await worker.start()
    pid = worker.pid
    assert pid is not None
    worker.check_started()
    await worker.stop()
    assert gone(pid)
    assert said == []


async def test_child_that_ignores_sigterm_is_killed(
    child: tuple[Starting, list[str]], tmp_path: Path
) -> None:
    make, said = child
    worker = make(DEAF, str(tmp_path / "deaf"), stop_seconds=0.3)
    await worker.start()
    await eventually((tmp_path / "deaf").exists)
    pid = worker.pid
    assert pid is not None
    await worker.stop()
    assert gone(pid)
    assert said == ["worker did not end within 0 s, killed"]


async def test_child_that_ends_before_it_settles_is_not_restarted(
    child: tuple[Starting, list[str]], tmp_path: Path
) -> None:
    make, said = child
    count = tmp_path / "count"
    worker = make(f"{COUNTING}; sys.exit(7)", str(count))
    await worker.start()

    def failed() -> bool:
        with contextlib.suppress(ConfigurationError):
            worker.check_started()
            return False
        return True

    await eventually(failed)
    with pytest.raises(ConfigurationError, match="worker ended with status 7"):
        worker.check_started()
    assert count.read_text() == "x"
    assert said == []


async def test_settled_child_that_is_killed_is_restarted(
    child: tuple[Starting, list[str]],
) -> None:
    make, said = child
    worker = make(LASTING, first_pause_seconds=0.02)
    await worker.start()
    worker.settled()
    first = worker.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: worker.pid != first)
    assert said == ["worker ended with status -9; restarting in 0 s"]
    worker.check_started()


async def test_child_that_keeps_ending_is_restarted_after_longer_pauses(
    child: tuple[Starting, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def short_sleep(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    make, said = child
    count = tmp_path / "count"
    worker = make(COUNTING, str(count), short_life_seconds=3600)
    await worker.start()
    worker.settled()
    monkeypatch.setattr("router.evaluation.supervise.asyncio.sleep", short_sleep)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(said) < 6:
            await sleep(0.01)
    monkeypatch.undo()
    assert pauses[:6] == [1, 2, 4, 8, 15, 15]


async def test_stop_while_waiting_to_restart_starts_nothing(
    child: tuple[Starting, list[str]], tmp_path: Path
) -> None:
    make, said = child
    count = tmp_path / "count"
    worker = make(COUNTING, str(count), first_pause_seconds=60)
    worker.settled()
    await worker.start()
    await eventually(lambda: said)
    await worker.stop()
    assert count.read_text() == "x"


async def test_child_is_outside_the_terminals_process_group(
    child: tuple[Starting, list[str]],
) -> None:
    make, _ = child
    worker = make(LASTING)
    await worker.start()
    assert worker.pid is not None
    assert os.getpgid(worker.pid) == worker.pid != os.getpgid(0)


async def test_child_notices_the_end_of_its_supervisor(tmp_path: Path) -> None:
    supervisor = (
        "import asyncio, sys; from router.evaluation.supervise import Child\n"
        "async def main():\n"
        f"    argv = [sys.executable, '-c', {DEVOTED!r}, sys.argv[1]]\n"
        "    await Child('worker', argv, '', print).start()\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())"
    )
    told = tmp_path / "pid"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", supervisor, str(told))
    await eventually(lambda: told.exists() and told.read_text())
    process.kill()
    await process.wait()
    pid = int(told.read_text())
    await eventually(lambda: gone(pid))


async def test_stopping_twice_or_without_a_start_does_no_harm(
    child: tuple[Starting, list[str]],
) -> None:
    make, said = child
    worker = make(LASTING)
    await worker.stop()
    assert worker.pid is None
    other = make(LASTING)
    await other.start()
    await other.stop()
    await other.stop()
    assert said == []


@pytest.fixture
async def logged() -> AsyncIterator[tuple[Starting, list[str], list[str]]]:
    """Give what makes a child whose log is read, what is reported of it, and its lines of log."""
    said: list[str] = []
    lines: list[str] = []
    made: list[Child] = []

    def make(program: str, environ: dict[str, str] | None = None, **limits: float) -> Child:
        argv = [sys.executable, "-c", program]
        made.append(
            Child("worker", argv, "", said.append, lines.append, environ, limited(**limits))
        )
        return made[-1]

    yield make, said, lines
    for one in made:
        await one.stop()


async def test_lines_of_a_childs_log_are_passed_on_before_its_end_is_reported(
    logged: tuple[Starting, list[str], list[str]],
) -> None:
    make, _, lines = logged
    worker = make("import sys; sys.stderr.write('one\\ntwo \\xff\\nthree'); sys.exit(3)")
    await worker.start()

    def ended() -> bool:
        with contextlib.suppress(ConfigurationError):
            worker.check_started()
            return False
        return True

    await eventually(ended)
    assert lines == ["one", "two \xff", "three"]


async def test_line_of_log_over_the_limit_does_not_stop_the_reading(
    logged: tuple[Starting, list[str], list[str]],
) -> None:
    make, _, lines = logged
    program = "import sys; sys.stderr.write('x' * 5000 + '\\nlast\\n'); sys.stdin.read()"
    await make(program, longest_line_bytes=100).start()
    await eventually(lambda: lines[-1:] == ["last"])


@pytest.mark.parametrize("failure", [BrokenPipeError(), TypeError("not a log line")])
async def test_failure_to_print_does_not_stop_the_reading(
    failure: Exception, tmp_path: Path
) -> None:
    def closed(_line: str) -> None:
        raise failure

    argv = [sys.executable, "-c", f"{FLOODING}; open(sys.argv[1], 'w')", str(tmp_path / "end")]
    worker = Child("worker", argv, "", print, closed, limits=limited(longest_line_bytes=1000))
    await worker.start()
    await eventually((tmp_path / "end").exists)
    await worker.stop()


async def test_last_lines_of_a_stopped_childs_log_are_passed_on(
    logged: tuple[Starting, list[str], list[str]],
) -> None:
    make, _, lines = logged
    # The signal is waited for, not handled: one that comes early is kept until then.
    worker = make(
        "import signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM});"
        "sys.stderr.write('ready\\n'); sys.stderr.flush(); signal.sigwait({signal.SIGTERM});"
        "sys.stderr.write('line\\n' * 100_000 + 'last\\n'); sys.exit(3)",
        longest_line_bytes=1000,
    )
    await worker.start()
    await eventually(lambda: lines == ["ready"])
    await worker.stop()
    assert lines[-1] == "last"


FLOODING = "import sys; sys.stderr.write('line\\n' * 100_000)"
"""Writes more than a pipe holds."""


async def test_a_child_whose_log_is_read_has_the_environment_it_is_given(
    logged: tuple[Starting, list[str], list[str]],
) -> None:
    make, _, lines = logged
    await make(
        "import os, sys; sys.stderr.write(os.environ['WORD'] + '\\n')", os.environ | {"WORD": "x"}
    ).start()
    await eventually(lambda: lines == ["x"])
