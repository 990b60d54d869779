"""Compares the edge with a no-op of its server and with other edges, all on one core."""

import asyncio
import contextlib
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from router.contract.topics import Topics
from tests.benchmarks.running.deliveries import plain_requests, store
from tests.benchmarks.running.rounds import Lane, Result, measure
from tests.benchmarks.running.servers import (
    Contender,
    Place,
    Server,
    contenders,
    free_port,
    payrouter,
    started,
)
from tests.parts.brokers import create_topics
from tests.parts.edge.edge_server import FOR_EVER

Say = Callable[[str], None]

REQUESTS = 2000
PARTITIONS = 4
_REST_SECONDS = 3.0


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    connections: Sequence[int] = (1, 32, 128)
    rounds: int = 5
    seconds: float = 2.0


@dataclass(frozen=True)
class Comparison:
    """Figures of all servers."""

    results: Sequence[Result]
    footprints: Sequence[dict[str, object]]
    """Memory of each server before its first load and after its last, its CPU until its first
    answer, and in milliseconds per second at rest."""
    left_out: dict[str, str]
    """Reasons by name."""

    def json(self) -> dict[str, object]:
        """Return everything as JSON."""
        return {
            "results": [asdict(each) for each in self.results],
            "footprints": list(self.footprints),
            "left_out": self.left_out,
        }


def compare(
    bootstrap: str, plan: Plan, say: Say, names: Collection[str] | None = None
) -> Comparison:
    """Compare payrouter's edge with the contenders of these names that can be started here.

    None means all of them.
    """
    wanted = [each for each in contenders() if names is None or each.name in names]
    chosen, left_out = _available([payrouter(), *wanted], say)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        made = plain_requests(REQUESTS)
        requests = store(Path(folder) / "requests.json", made)
        prefix = make_topics(bootstrap, PARTITIONS)
        servers = []
        for contender in chosen:
            say(f"starting {contender.name}")
            place = Place(free_port(), bootstrap, prefix, Path(folder))
            servers.append(stack.enter_context(started(contender, place, made[0])))
        lanes = [Lane(server.name, server, requests) for server in servers]
        return _measured(lanes, plan, left_out, say)


def make_topics(bootstrap: str, partitions: int) -> str:
    """Make the edge's topics and return their prefix."""
    topics = Topics(f"b{uuid.uuid4().hex[:6]}.")
    names = [*topics.events, topics.quarantine, topics.refused]
    asyncio.run(create_topics(bootstrap, names, partitions, FOR_EVER))
    return topics.prefix


def _available(wanted: Sequence[Contender], say: Say) -> tuple[list[Contender], dict[str, str]]:
    reasons = {each.name: each.missing() for each in wanted}
    left_out = {name: reason for name, reason in reasons.items() if reason}
    for name, reason in left_out.items():
        say(f"left out: {name}: {reason}")
    return [each for each in wanted if each.name not in left_out], left_out


def _measured(lanes: Sequence[Lane], plan: Plan, left_out: dict[str, str], say: Say) -> Comparison:
    say("at rest")
    rest = _at_rest([lane.server for lane in lanes])
    results = [
        result
        for connections in plan.connections
        for result in measure(lanes, connections, plan.rounds, plan.seconds, say)
    ]
    footprints = [
        {"name": lane.name, "loaded_mib": lane.server.memory_mib(), **before}
        for lane, before in zip(lanes, rest, strict=True)
    ]
    return Comparison(results, footprints, left_out)


def _at_rest(servers: Sequence[Server]) -> list[dict[str, float]]:
    """Return memory, CPU so far and CPU while nothing is sent, of each server."""
    before = [server.cpu_seconds() for server in servers]
    time.sleep(_REST_SECONDS)
    return [
        {
            "rest_mib": server.memory_mib(),
            "start_cpu_seconds": server.start_cpu_seconds,
            "idle_milliseconds": (server.cpu_seconds() - spent) / _REST_SECONDS * 1000,
        }
        for server, spent in zip(servers, before, strict=True)
    ]
