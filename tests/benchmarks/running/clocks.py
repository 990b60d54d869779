"""CPU time and memory of processes by Linux' own accounts, and the cores they may use."""

import contextlib
import importlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

# It publishes no types; it is there wherever the evaluation database is.
psutil: Final[Any] = importlib.import_module("psutil")

SERVER_CORE: Final = 0
"""Core of the process that is measured."""


def require_linux() -> None:
    """End the program with a message on other systems."""
    if not hasattr(os, "sched_setaffinity"):
        sys.exit("the benchmarks need Linux, whose clocks and cores of processes they use")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and all its threads, to the scheduler's nanosecond.

    The scheduler counts the time a process ran, however long it waited for a core: another
    process on the machine adds only what it costs the caches.
    """
    # The clock that clock_getcpuclockid(3) returns for a process; CPUCLOCK_SCHED is 2.
    return time.clock_gettime(~pid << 3 | 2)


def family_seconds(pid: int) -> float:
    """Return the CPU time of a server and its children, also of those that have ended."""
    server = psutil.Process(pid)
    ended = server.cpu_times()
    living = [server, *server.children(recursive=True)]
    return float(ended.children_user + ended.children_system) + _seconds_of(living)


def kafka_clocks() -> dict[str, Callable[[], float]]:
    """Return the clock of the Apache Kafka that this process has started, if there is one."""
    children = psutil.Process().children()
    brokers = [each.pid for each in children if each.name() == "java"]
    return {"Apache Kafka": partial(cpu_seconds, brokers[0])} if brokers else {}


def memory_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def on_server_core(command: Sequence[str]) -> list[str]:
    """Return the command that runs another one on the core of the measured process.

    All threads of it stay there. Without taskset the scheduler chooses.
    """
    taskset = shutil.which("taskset")
    return [taskset, "-c", str(SERVER_CORE), *command] if taskset else list(command)


@contextlib.contextmanager
def beside_server_core() -> Iterator[None]:
    """Keep this process, and what it starts in the block, off the core of the measured process."""
    before = os.sched_getaffinity(0)
    others = before - {SERVER_CORE}
    os.sched_setaffinity(0, others or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def machine() -> dict[str, object]:
    """Describe this machine: processor, cores, memory, system."""
    described = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    names = [line.partition(": ")[2] for line in described.splitlines() if "model name" in line]
    return {
        "processor": names[0] if names else os.uname().machine,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{os.uname().sysname} {os.uname().release}",
        "load_average": os.getloadavg()[0],
    }


def _seconds_of(processes: Iterable[Any]) -> float:
    total = 0.0
    for process in processes:
        # It may have ended since it was listed.
        with contextlib.suppress(OSError):
            total += cpu_seconds(process.pid)
    return total
