"""Memory of one edge over very many deliveries, all of them different."""

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.comparison import PARTITIONS, make_topics
from tests.benchmarks.running.deliveries import plain_requests, store
from tests.benchmarks.running.rounds import once, send
from tests.benchmarks.running.servers import Place, Server, free_port, payrouter, started

Say = Callable[[str], None]

AT_ONCE: Final = 20_000
"""Deliveries of each load; every load opens new connections."""

_SHOWN: Final = 20
"""Lines of the edge's log that are shown."""


@dataclass(frozen=True)
class Plan:
    """How many deliveries are sent, and after how many the memory is read."""

    deliveries: int = 1_000_000
    step: int = 100_000
    at_once: int = AT_ONCE


@dataclass(frozen=True)
class Point:
    """The edge after some deliveries."""

    deliveries: int
    mib: float


def measure_memory(bootstrap: str, plan: Plan, say: Say) -> list[dict[str, object]]:
    """Return the memory at the start, and after each step."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(free_port(), bootstrap, make_topics(bootstrap, PARTITIONS), Path(folder))
        with started(payrouter(), place, plain_requests(1)[0]) as server:
            points = [Point(0, server.memory_mib())]
            for sent in range(0, plan.deliveries, plan.step):
                say(f"memory after {sent:,} deliveries: {points[-1].mib:.1f} MiB")
                with _explained(place.folder / f"{place.port}.log", say):
                    _send_step(server, Path(folder), plan, sent)
                points.append(Point(sent + plan.step, server.memory_mib()))
    return [asdict(each) for each in points]


@contextlib.contextmanager
def _explained(log: Path, say: Say) -> Iterator[None]:
    """Show what the edge logged, besides deliveries that it accepted, if an answer was not 200."""
    try:
        yield
    except subprocess.CalledProcessError:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        for line in [line for line in lines if '"outcome": "accepted"' not in line][-_SHOWN:]:
            say(line)
        raise


def _send_step(server: Server, folder: Path, plan: Plan, sent: int) -> None:
    for first in range(sent, sent + plan.step, plan.at_once):
        requests = store(folder / "requests.json", plain_requests(plan.at_once, first=first + 1))
        send(once(server.port, requests))
