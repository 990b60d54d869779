"""Rounds of load by turns: every server in each round, so that a disturbance meets all of them."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.report.figures import Figure
from tests.benchmarks.running.generator import Load, Order
from tests.benchmarks.running.servers import Server
from tests.parts.source import ROOT

CONNECTIONS = 32


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
    command = generator_command(order)
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=ROOT)
    return Load(**json.loads(done.stdout))


async def send_beside(order: Order) -> Load:
    """Run the generator while this process serves. Raises RuntimeError if an answer was not 200."""
    command = generator_command(order)
    load = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await load.communicate()
    if load.returncode:
        message = "the load ended with a problem"
        raise RuntimeError(message)
    return Load(**json.loads(said))


def generator_command(order: Order) -> list[str]:
    """Return the command line of the generator."""
    return [sys.executable, "-m", "tests.benchmarks.running.generator", json.dumps(asdict(order))]


def once(port: int, requests: Path) -> Order:
    """Send each request once, as soon as one of 32 connections is free."""
    # A rate that no edge reaches.
    return Order(port, str(requests), CONNECTIONS, 0.0, 1e6)


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
