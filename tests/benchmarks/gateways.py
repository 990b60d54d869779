"""Compares what a delivery of each gateway costs one edge that serves them all."""

import contextlib
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from router.configuration.settings import settings_from
from router.configuration.sources import gather_sources
from router.edge.endpoints import build_endpoints
from router.edge.intake import Endpoint
from router.evaluation.data_dir import DataDir
from router.evaluation.send import SimulatedOrder, as_gateway, simulate
from router.providers import examples
from tests.benchmarks.comparison import PARTITIONS, make_topics
from tests.benchmarks.running.deliveries import request_of, store
from tests.benchmarks.running.rounds import CONNECTIONS, Lane, measure
from tests.benchmarks.running.servers import Contender, Place, edge_tables, free_port, started

Say = Callable[[str], None]

REQUESTS: Final = 1000
PUBLIC_URL: Final = "http://localhost"
"""BlockBee signs it."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int = 5
    seconds: float = 2.0


def measure_gateways(bootstrap: str, plan: Plan, say: Say) -> list[dict[str, object]]:
    """Return figures for each gateway, each with different genuine payments."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        data_dir = DataDir(folder / "data")
        made = _all_requests(data_dir)
        place = Place(free_port(), bootstrap, make_topics(bootstrap, PARTITIONS), folder)
        edge = started(Contender("edge", _command(data_dir)), place, made["blockatm"][0])
        server = stack.enter_context(edge)
        lanes = [
            Lane(each, server, store(folder / f"{each}.json", requests))
            for each, requests in made.items()
        ]
        found = measure(lanes, CONNECTIONS, plan.rounds, plan.seconds, say)
    return [asdict(result) for result in found]


def _all_requests(data_dir: DataDir) -> dict[str, list[bytes]]:
    values = gather_sources(data_dir.generate(examples()), {}).values
    settings = settings_from({**values, "edge": {"public_url": PUBLIC_URL}})
    endpoints = sorted(build_endpoints(settings).items())
    tokens = {name: settings.endpoints[name].token for name, _ in endpoints}
    return {
        name: _requests(as_gateway(endpoint, data_dir.signing_key(name)), tokens[name])
        for name, endpoint in endpoints
    }


def _requests(endpoint: Endpoint, token: SecretStr | None) -> list[bytes]:
    orders = (
        SimulatedOrder("payment.confirmed", f"B-{n}", "100.50", "USDT") for n in range(REQUESTS)
    )
    secret = b"" if token is None else token.get_secret_value().encode()
    made = (request_of(simulate(endpoint, order)) for order in orders)
    return [each.replace(b"{token}", secret, 1) for each in made]


def _command(data_dir: DataDir) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        path = place.folder / "edge.toml"
        tables = edge_tables(place).replace("[edge]", f'[edge]\npublic_url = "{PUBLIC_URL}"')
        generated = data_dir.generated.read_text(encoding="utf-8")
        path.write_text(f"{tables}{generated}", encoding="utf-8")
        return [sys.executable, "-m", "consumers", "edge", "--config", str(path)]

    return command
