"""Rounds of load by turns: every server in each round, so that a disturbance meets all of them."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.benchmarks.generator import Load, Order
from tests.benchmarks.servers import Server
from tests.parts.source import ROOT


@dataclass(frozen=True)
class Lane:
    """A server and the requests that it gets."""

    name: str
    server: Server
    requests: Path


@dataclass(frozen=True)
class Round:
    """One server in one round."""

    load: Load
    cpu_microseconds: float
    """Of the server, per delivery."""


@dataclass(frozen=True)
class Result:
    """One server at one number of connections: figures over the rounds, times in microseconds."""

    name: str
    connections: int
    per_second: Figure
    cpu_microseconds: Figure
    p50_microseconds: Figure
    p99_microseconds: Figure
    load_cpu_microseconds: Figure


def measure(
    lanes: Sequence[Lane],
    connections: int,
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
) -> list[Result]:
    """Send load to each server in each round, the first of which only warms up."""
    found: dict[str, list[Round]] = {lane.name: [] for lane in lanes}
    for number in range(rounds + 1):
        say(f"{connections} connections, round {number} of {rounds}")
        # The order turns, so that none always follows the same other one.
        for lane in _turned(lanes, number):
            measured = one_round(lane, connections, seconds)
            if number:
                found[lane.name].append(measured)
    return [_result(name, connections, each) for name, each in found.items()]


def one_round(lane: Lane, connections: int, seconds: float) -> Round:
    """Send load to one server."""
    before = lane.server.cpu_seconds()
    load = send(Order(lane.server.port, str(lane.requests), connections, seconds))
    spent = lane.server.cpu_seconds() - before
    return Round(load, spent / load.answered * 1e6)


def send(order: Order) -> Load:
    """Run the generator. Raises CalledProcessError if an answer was not 200."""
    return read_load(started_load(order))


def started_load(order: Order) -> "subprocess.Popen[bytes]":
    """Start the generator."""
    command = [sys.executable, "-m", "tests.benchmarks.generator", json.dumps(asdict(order))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)


def read_load(generator: "subprocess.Popen[bytes]") -> Load:
    """Wait for the generator and return its result."""
    written, _ = generator.communicate()
    if generator.returncode:
        raise subprocess.CalledProcessError(generator.returncode, generator.args)
    return Load(**json.loads(written))


def _turned(lanes: Sequence[Lane], number: int) -> list[Lane]:
    first = number % len(lanes)
    return [*lanes[first:], *lanes[:first]]


def _result(name: str, connections: int, rounds: Iterable[Round]) -> Result:
    measured = list(rounds)
    loads = [each.load for each in measured]
    return Result(
        name,
        connections,
        per_second=Figure.of(load.answered / load.seconds for load in loads),
        cpu_microseconds=Figure.of(each.cpu_microseconds for each in measured),
        p50_microseconds=Figure.of(load.p50 for load in loads),
        p99_microseconds=Figure.of(load.p99 for load in loads),
        load_cpu_microseconds=Figure.of(load.cpu_microseconds for load in loads),
    )
