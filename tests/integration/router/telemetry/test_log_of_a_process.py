"""Everything a process writes to standard error is a log line: JSON, or coloured on a terminal.

Each test runs a separate process, since the output of a crashing process counts too.
"""

import contextlib
import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

BEGIN = """
import asyncio, gc, logging, threading, warnings
from router.telemetry.logs import configure_logging, get_log
configure_logging("info", "auto")
"""


def process(program: str) -> list[str]:
    """Run a program without a terminal, and return the lines of its standard error."""
    ran = subprocess.run(
        [sys.executable, "-c", BEGIN + program], capture_output=True, text=True, check=False
    )
    assert ran.stdout == ""
    return ran.stderr.splitlines()


def on_a_terminal(program: str, **environ: str) -> str:
    """Run a program whose standard error is a terminal, and return the output."""
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as screen:  # noqa: PTH123 - a descriptor
        kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        command = [sys.executable, "-c", BEGIN + program]
        subprocess.run(command, stderr=theirs, env={**kept, **environ}, check=False)
        os.close(theirs)
        shown = b""
        # Linux raises at the end of a terminal without writers.
        with contextlib.suppress(OSError):
            while piece := screen.read(4096):
                shown += piece
    return shown.decode()


def test_without_a_terminal_a_line_is_json_with_time_level_and_component() -> None:
    (line,) = process("get_log('edge').info('delivery', status=200)")
    told = json.loads(line)
    assert told.pop("timestamp").endswith("Z")
    assert told == {"level": "info", "component": "edge", "event": "delivery", "status": 200}


def test_on_a_terminal_a_line_is_coloured_unless_no_color_is_set() -> None:
    program = "get_log('edge').error('delivery', status=503)"
    coloured = on_a_terminal(program)
    assert "\x1b[31merror" in coloured
    assert "status=" in coloured
    bare = on_a_terminal(program, NO_COLOR="1")
    assert "\x1b" not in bare
    assert "edge     error delivery status=503" in bare


IN_A_THREAD = """
def fail(): raise ValueError('boom')
thread = threading.Thread(target=fail); thread.start(); thread.join()
"""
UNRAISABLE = """
class Broken:
    def __del__(self): raise ValueError('boom')
broken = Broken(); del broken
"""
TASK = """
async def fail(): raise ValueError('boom')
async def main():
    task = asyncio.create_task(fail())
    await asyncio.sleep(0); await asyncio.sleep(0); del task; gc.collect()
asyncio.run(main())
"""
LOGGED = """
try: raise ValueError('boom')
except ValueError: get_log('edge').exception('failed')
"""
LIBRARY = "logging.getLogger('aiokafka').error('boom')"


@pytest.mark.parametrize(
    ("program", "event", "level"),
    [
        ("raise ValueError('boom')", "uncaught_exception", "critical"),
        (IN_A_THREAD, "uncaught_exception", "critical"),
        (UNRAISABLE, "exception_ignored", "error"),
        (TASK, "Task exception was never retrieved", "error"),
        (LIBRARY, "boom", "error"),
        ("warnings.warn('boom', UserWarning)", "UserWarning: boom", "warning"),
        (LOGGED, "failed", "error"),
    ],
    ids=["exception", "in a thread", "unraisable", "task", "library", "warning", "logged"],
)
def test_unhandled_exception_is_one_line_of_json(program: str, event: str, level: str) -> None:
    (line,) = process(program)
    told: dict[str, Any] = json.loads(line)
    assert event in told["event"]
    assert told["level"] == level
    if "ValueError" in program:
        assert told["exception"].endswith("ValueError: boom")


def test_ctrl_c_is_not_logged_as_an_error() -> None:
    lines = process("raise KeyboardInterrupt")
    assert lines[-1] == "KeyboardInterrupt"
    assert not any(line.startswith("{") for line in lines)


def test_process_ends_even_if_its_log_is_never_read() -> None:
    program = "for n in range(3000): get_log('edge').info('x' * 500)\nprint('done', flush=True)"
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as unread:
        ran = subprocess.run(
            [sys.executable, "-c", BEGIN + program],
            stdout=subprocess.PIPE,
            stderr=theirs,
            check=False,
        )
        os.close(theirs)
        lines = unread.read().splitlines()

    assert (ran.returncode, ran.stdout) == (0, b"done\n")
    assert 10 < len(lines) < 3000


BATCHED = """
from router.edge.delivery_log import DeliveryLog
from router.edge.summary import Summary
async def main():
    DeliveryLog().answered(Summary(None, 'first'), 404, 0.001)
    {ending}
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("ending", "last"),
    [
        ("raise ValueError('boom')", "uncaught_exception"),
        ("raise SystemExit(3)", "delivery"),
        ("get_log('edge').warning('second')", "second"),
    ],
    ids=["exception", "exit", "line"],
)
def test_waiting_line_of_a_delivery_is_written_before_what_follows(ending: str, last: str) -> None:
    lines = [json.loads(line) for line in process(BATCHED.format(ending=ending))]

    assert [lines[0]["event"], lines[-1]["event"]] == ["delivery", last]


def test_waiting_line_of_a_delivery_is_written_before_the_traceback_of_ctrl_c() -> None:
    lines = process(BATCHED.format(ending="raise KeyboardInterrupt"))

    assert json.loads(lines[0])["event"] == "delivery"
    assert lines[-1] == "KeyboardInterrupt"


def test_a_forked_child_logs_nothing_of_its_own() -> None:
    program = "import os, sys; pid = os.fork(); pid or os._exit(0); os.waitpid(pid, 0)"
    assert process(program) == []


def test_every_line_of_a_worker_has_its_number() -> None:
    lines = process(
        "configure_logging('info', 'json', worker=2)\n"
        "from router.telemetry.logs import direct_json\n"
        "get_log('edge').info('edge_started')\n"
        'direct_json().write(\'{"event": "delivery"}\')\n'
        "logging.getLogger('aiokafka').warning('late')\n"
        "get_log('edge').info('edge_stopped')\n"
    )

    assert [json.loads(line)["worker"] for line in lines] == [2, 2, 2, 2]
