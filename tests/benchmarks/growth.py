"""How the cost of a delivery grows with endpoints, with its size, and with partitions."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.comparison import PARTITIONS, make_topics
from tests.benchmarks.running.deliveries import plain_requests, store
from tests.benchmarks.running.rounds import Lane, measure
from tests.benchmarks.running.servers import Contender, Place, Server, free_port, payrouter, started

Say = Callable[[str], None]

CONNECTIONS = 32
REQUESTS = 500


@dataclass(frozen=True)
class Plan:
    """The points of each curve."""

    endpoints: Sequence[int] = (1, 10, 100, 1000)
    sizes: Sequence[int] = (0, 4096, 16384, 65536, 131072)
    partitions: Sequence[int] = (1, 4, 16, 64)
    rounds: int = 3
    seconds: float = 1.5


@dataclass(frozen=True)
class _Bench:
    bootstrap: str
    plan: Plan
    say: Say
    folder: Path

    def endpoints(self) -> list[dict[str, object]]:
        """Return figures of edges with more and more endpoints, which all run at once."""
        prefix = make_topics(self.bootstrap, PARTITIONS)
        edges = [(payrouter(str(count), count), prefix) for count in self.plan.endpoints]
        return self._edges("endpoints", edges)

    def partitions(self) -> list[dict[str, object]]:
        """Return figures of edges whose topics have more and more partitions."""
        counts = self.plan.partitions
        edges = [(payrouter(str(each)), make_topics(self.bootstrap, each)) for each in counts]
        return self._edges("partitions", edges)

    def sizes(self) -> list[dict[str, object]]:
        """Return figures of one edge that gets larger and larger deliveries."""
        bodies = {size: plain_requests(REQUESTS, size) for size in self.plan.sizes}
        sent = {size: self._stored(f"{size}.json", bodies[size]) for size in bodies}
        prefix = make_topics(self.bootstrap, PARTITIONS)
        with self._started([(payrouter(), prefix)], bodies[self.plan.sizes[0]][0]) as (server,):
            lanes = [Lane(_size(bodies[size][0]), server, sent[size]) for size in bodies]
            return self._measured("size", lanes)

    def _edges(self, what: str, edges: Sequence[tuple[Contender, str]]) -> list[dict[str, object]]:
        made = plain_requests(REQUESTS)
        requests = self._stored("requests.json", made)
        with self._started(edges, made[0]) as servers:
            rest = [_at_rest(server) for server in servers]
            lanes = [Lane(server.name, server, requests) for server in servers]
            measured = self._measured(what, lanes)
        return [each | found for each, found in zip(measured, rest, strict=True)]

    def _measured(self, what: str, lanes: Sequence[Lane]) -> list[dict[str, object]]:
        plan = self.plan

        def say(text: str) -> None:
            self.say(f"growth by {what}: {text}")

        return [asdict(r) for r in measure(lanes, CONNECTIONS, plan.rounds, plan.seconds, say)]

    def _stored(self, name: str, requests: Sequence[bytes]) -> Path:
        return store(self.folder / name, requests)

    @contextlib.contextmanager
    def _started(
        self, edges: Sequence[tuple[Contender, str]], request: bytes
    ) -> Iterator[list[Server]]:
        with contextlib.ExitStack() as stack:
            yield [
                stack.enter_context(
                    started(edge, Place(free_port(), self.bootstrap, topics, self.folder), request)
                )
                for edge, topics in edges
            ]


def grow(bootstrap: str, plan: Plan, say: Say) -> dict[str, object]:
    """Return the points of each curve."""
    with tempfile.TemporaryDirectory() as folder:
        bench = _Bench(bootstrap, plan, say, Path(folder))
        return {
            "endpoints": bench.endpoints(),
            "sizes": bench.sizes(),
            "partitions": bench.partitions(),
        }


def _at_rest(server: Server) -> dict[str, object]:
    return {"rest_mib": server.memory_mib(), "start_cpu_seconds": server.start_cpu_seconds}


def _size(request: bytes) -> str:
    return str(len(request.partition(b"\r\n\r\n")[2]))
