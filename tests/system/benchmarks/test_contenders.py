"""The servers that the edge is compared with do the work that the comparison assumes."""

import asyncio
import socket
from pathlib import Path

import pytest

from tests.benchmarks.comparison import PARTITIONS, make_topics
from tests.benchmarks.running.deliveries import plain_requests
from tests.benchmarks.running.servers import (
    NO_OP,
    Contender,
    Place,
    contenders,
    free_port,
    payrouter,
    started,
)
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import read_records

_EDGES = [payrouter(), *(each for each in contenders() if each.name != NO_OP)]


def _status(port: int, request: bytes) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as asking:
        asking.sendall(request)
        return int(asking.recv(1024).split()[1])


def _forged(request: bytes) -> bytes:
    return request.replace(b'"100.50"', b'"900.50"')


@pytest.mark.parametrize("edge", _EDGES, ids=lambda edge: edge.name)
def test_edge_publishes_genuine_deliveries_and_refuses_forged_ones(
    edge: Contender, broker: Broker, tmp_path: Path
) -> None:
    if missing := edge.missing():
        pytest.skip(missing)
    topics = make_topics(broker.bootstrap, PARTITIONS)
    place = Place(free_port(), broker.bootstrap, topics, tmp_path)
    first, second = plain_requests(2)
    with started(edge, place, first) as server:
        assert _status(server.port, _forged(second)) == 401
        assert _status(server.port, second) == 200
    records = asyncio.run(read_records(broker.bootstrap, [f"{topics}payment"]))
    assert len(records) == 2
