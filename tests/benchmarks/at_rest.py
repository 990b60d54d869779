"""What the processes cost before they do anything: `python -m tests.benchmarks.at_rest`.

Prints the CPU seconds until `payrouter dev` is ready and the resident memory at that moment for
each of its processes, and the CPU seconds of commands that should be light.
"""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.parts import dev_process
from tests.parts.dev_process import Dev, Place

LIGHT = ("--version", "--help", "edge --help", "completion bash")

PROCESSES = (
    *(("edge",), ("exporter",)),
    *(("consume", name) for name in ("ledger", "inventory", "notifications")),
)


def main() -> None:
    """Measure and print."""
    table = Table("what", "CPU s", "resident MiB")
    for command in LIGHT:
        table.add_row(f"payrouter {command}", f"{_cpu_of(command):.2f}", "")
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        with dev_process.started(place) as dev:
            dev.until_ready()
            for words, process in _processes(dev):
                times, memory = process.cpu_times(), process.memory_info()
                mebibytes = memory.rss / 2**20
                seconds = times.user + times.system
                table.add_row(" ".join(words), f"{seconds:.2f}", f"{mebibytes:.0f}")
            dev.stop()
    Console().print(table)


def _cpu_of(command: str) -> float:
    """Return the CPU seconds of a command, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    argv = [sys.executable, "-m", "consumers", *command.split()]
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _processes(dev: Dev) -> Iterator[tuple[tuple[str, ...], Any]]:
    for words in PROCESSES:
        process = dev.child(*words)
        if process is not None:
            yield words, process


if __name__ == "__main__":
    main()
